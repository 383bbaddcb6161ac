"""Every check can fail: each fact is falsified in turn."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch
from msgspec import structs

import archscope.ir
from archscope import load
from archscope.axes import Window
from archscope.ir import Facts, Graph, Op, Saved, Shape
from archscope.verify import CHECKS, Check, verify
from tests.nets import Net, chain

Lie = Callable[[Facts], dict[str, Any]]


def network() -> Graph:
    net = Net(x=(4, 16, 16))
    stem = net("conv", "x", name="stem", out=8, kernel=3, stride=2, padding=1)
    norm = net("batchnorm", stem, name="norm")
    trunk = net("relu", norm, name="relu")
    deep = net("conv", trunk, name="deep", out=8, kernel=3, padding=1)
    merged = net("add", trunk, deep, name="merged")
    pooled = net("maxpool", merged, name="pool", kernel=2)
    flat = net("flatten", net("global_avgpool", pooled, name="global"), name="flatten")
    return net.graph(net("linear", flat, name="linear", out=5))


def lying(monkeypatch: pytest.MonkeyPatch, op: str, lie: Lie) -> None:
    """Let every operator of a kind state false facts, from here on."""
    honest = archscope.ir.facts

    def facts(one: Op, ins: tuple[Shape, ...]) -> Facts:
        true = honest(one, ins)
        return structs.replace(true, **lie(true)) if one.name == op else true

    monkeypatch.setattr(archscope.ir, "facts", facts)


def kernel(facts: Facts, **more: int) -> dict[str, Any]:
    """Return the same windows with some numbers raised."""
    assert facts.window
    changed = []
    for window in facts.window:
        assert isinstance(window, Window)
        changed.append(
            structs.replace(window, **{key: getattr(window, key) + n for key, n in more.items()})
        )
    return {"window": tuple(changed)}


def saved(facts: Facts, **changed: Any) -> dict[str, Saved]:
    return {"saved": structs.replace(facts.saved, **changed)}


@pytest.mark.parametrize(
    ("check", "op", "lie"),
    [
        ("params", "conv", lambda f: {"params": f.params + 1}),
        ("params", "linear", lambda f: {"params": f.params - 1}),
        ("params", "batchnorm", lambda f: {"buffers": f.buffers + 1}),
        ("params", "relu", lambda f: {"params": 1}),
        ("macs-fvcore", "conv", lambda f: {"macs": f.macs + 1}),
        ("macs-fvcore", "linear", lambda f: {"macs": 0}),
        ("macs-fvcore", "batchnorm", lambda f: {"macs": 1}),
        ("macs-torch", "conv", lambda f: {"macs": f.macs - 1}),
        ("macs-torch", "linear", lambda f: {"macs": 2 * f.macs}),
        ("macs-torch", "maxpool", lambda f: {"macs": 1}),
        ("receptive-field", "conv", lambda f: kernel(f, kernel=1)),
        ("receptive-field", "conv", lambda f: kernel(f, before=1)),
        ("receptive-field", "conv", lambda f: kernel(f, stride=1)),
        ("receptive-field", "conv", lambda f: kernel(f, dilation=1)),
        ("receptive-field", "maxpool", lambda f: kernel(f, kernel=1)),
        ("receptive-field", "maxpool", lambda f: kernel(f, kernel=-1)),
        ("receptive-field", "relu", lambda f: {"window": (Window(3, 1, 1, 1),) * 2}),
        ("saved", "conv", lambda f: saved(f, input=False)),
        ("saved", "conv", lambda f: saved(f, elements=1)),
        ("saved", "relu", lambda f: saved(f, output=False, elements=1)),
        ("saved", "batchnorm", lambda f: saved(f, fixed=f.saved.fixed + 1)),
        ("saved", "maxpool", lambda f: saved(f, indices=f.saved.indices - 1)),
        ("saved", "add", lambda f: saved(f, output=True)),
        ("saved", "linear", lambda f: {"params": 0, "saved": Saved(indices=1)}),
    ],
)
def test_check_finds_the_lie(
    check: str, op: str, lie: Lie, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not CHECKS[check](network()).differences
    lying(monkeypatch, op, lie)
    found = CHECKS[check](network())
    assert found.differences
    told = {difference.node for difference in found.differences}
    liars = {node.name for node in network().nodes if node.op.name == op}
    assert told & liars, "the difference is told where it is"


def test_shapes_finds_the_lie() -> None:
    honest = network()
    for place, node in enumerate(honest.nodes):
        false = structs.replace(node, out=(*node.out[:-1], node.out[-1] + 1))
        nodes = (*honest.nodes[:place], false, *honest.nodes[place + 1 :])
        graph = Graph("liar", nodes, honest.outputs)
        if node.inputs:
            (difference,) = CHECKS["shapes"](graph).differences
            assert difference.node == node.name
            assert difference.ours != difference.theirs


@pytest.mark.parametrize(
    "quoted",
    [
        {"params": 1},
        {"macs": 2},
        {"receptive_field": [9, 9, 9]},
    ],
)
def test_reference_finds_the_lie(quoted: dict[str, Any]) -> None:
    graph = structs.replace(load("vgg16"), reference=tuple(quoted.items()))
    (difference,) = CHECKS["reference"](graph).differences
    assert difference.node == next(iter(quoted))


def test_quoted_field_of_a_network_without_one_is_a_difference() -> None:
    quoted = (("receptive_field", [1, 1, 0]),)
    graph = structs.replace(chain(("linear", {"out": 2}), x=(4,)), reference=quoted)
    assert CHECKS["reference"](graph).differences


def test_nothing_quoted_is_said() -> None:
    check = CHECKS["reference"](network())
    assert (check.compared, check.note) == (0, "the spec quotes no numbers")


def test_verification_runs_what_is_asked_and_tells_of_it() -> None:
    told: list[str] = []
    result = verify(network(), only=("params", "shapes"), progress=told.append)
    assert told == ["shapes", "params"], "in the order of the checks"
    assert [check.oracle for check in result.checks] == ["torch forward pass", "torch module"]
    assert result.name == "net" and result.agrees
    assert all(isinstance(check, Check) and check.compared for check in result.checks)
    false = structs.replace(network(), reference=(("params", 1),))
    assert not verify(false, only=("reference",)).agrees


def test_training_check_takes_in_the_heads_and_the_others_do_not() -> None:
    graph = load("googlenet_bn", input=(3, 64, 64))
    lean, full = verify(graph, only=("params", "saved")).checks
    assert full.compared == len(graph.nodes) + 1
    assert lean.compared == len(graph.inference().nodes)  # the total stands in for the input


def test_verify_leaves_the_caller_s_world_as_it_was() -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    level = logging.getLogger("fvcore").level
    verify(network())
    assert torch.get_rng_state().equal(before)
    assert logging.getLogger("fvcore").level == level
    assert torch.is_grad_enabled()


def test_dead_ends_are_told_and_do_not_disagree() -> None:
    net = Net(x=(4, 8, 8))
    net("conv", "x", name="dead", out=4)
    last = net("conv", "x", name="last", out=2)
    result = verify(net.graph(last))
    assert result.agrees
    (fvcore,) = [check for check in result.checks if check.oracle.startswith("fvcore")]
    assert fvcore.note == "1 nodes that no output needs count 0"


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        (chain(("linear", {"out": 2}), x=(4,)), "'x' has no spatial extent"),
        (
            chain(*[("conv", {"out": 1, "kernel": 3, "stride": 3})] * 7, x=(1, 6561)),
            "needs an input beyond 4096",
        ),
        (
            chain(("conv", {"out": 1}), ("flatten", {}), ("linear", {"out": 2}), x=(1, 4, 4)),
            "",
        ),
    ],
)
def test_what_cannot_be_compared_is_said(graph: Graph, words: str) -> None:
    check = CHECKS["receptive-field"](graph)
    assert not check.differences
    assert words in check.note
    assert bool(check.compared) is not bool(check.note)

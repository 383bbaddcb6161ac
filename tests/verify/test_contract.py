"""Every check agrees with honest networks and finds a network that lies; a new one is tested here.

A network lies in three ways: operators state false facts, a node states a false shape, or the spec
quotes false numbers. What a check compares must be touched by at least one of them.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec import structs

import archscope.ir
from archscope.axes import Window
from archscope.ir import Facts, Graph, Op, Shape
from archscope.verify import CHECKS, verify
from archscope.verify.check import Check, Checker, compare
from tests.nets import Net, chain


def tiny() -> Graph:
    graph = chain(
        ("conv", {"out": 4, "kernel": 3, "padding": 1}), ("batchnorm", {}), ("relu", {}),
        ("global_avgpool", {}), ("flatten", {}), ("linear", {"out": 3}),
        x=(3, 16, 16),
    )  # fmt: skip
    return structs.replace(graph, reference=(("params", 135), ("source", "this test")))


def branching() -> Graph:
    net = Net(x=(4, 16, 16))
    stem = net("conv", "x", name="stem", out=8, kernel=3, stride=2, padding=1)
    deep = net("conv", net("relu", stem), name="deep", out=8, kernel=3, padding=1)
    both = net("concat", stem, deep, net("maxpool", deep, kernel=3, stride=1, padding=1))
    return net.graph(net("mul", both, net("sigmoid", both)))


NETWORKS = {function.__name__: function for function in (tiny, branching)}


def false_facts(op: Op, ins: tuple[Shape, ...], honest: Callable[..., Facts]) -> Facts:
    """Return facts of which all that checks look at are false, for operators with weights."""
    true = honest(op, ins)
    if not true.params:
        return true
    window = true.window
    if isinstance(window, tuple):
        window = tuple(
            structs.replace(axis, kernel=axis.kernel + 2) if isinstance(axis, Window) else axis
            for axis in window
        )
    saved = structs.replace(true.saved, elements=true.saved.elements + 1)
    return structs.replace(
        true, params=true.params + 1, macs=true.macs + 1, window=window, saved=saved
    )


def lies(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], Graph]]:
    """Return functions that return lying networks."""
    honest = archscope.ir.facts

    def of_facts() -> Graph:
        monkeypatch.setattr(archscope.ir, "facts", lambda op, ins: false_facts(op, ins, honest))
        return tiny()

    def of_shape() -> Graph:
        monkeypatch.setattr(archscope.ir, "facts", honest)
        graph = tiny()
        wrong = structs.replace(graph.nodes[-1], out=(4,))
        return Graph("liar", (*graph.nodes[:-1], wrong), graph.outputs)

    def of_reference() -> Graph:
        monkeypatch.setattr(archscope.ir, "facts", honest)
        return structs.replace(tiny(), reference=(("params", 1), ("macs", 1)))

    return [of_facts, of_shape, of_reference]


def check_honest(check: Checker, graph: Graph) -> None:
    found = check(graph)
    assert isinstance(found, Check)
    assert found.name and found.oracle
    assert not found.differences
    assert found.compared or found.note, "what could not be compared is said"


def check_finds(check: Checker, monkeypatch: pytest.MonkeyPatch) -> None:
    assert any(check(lie()).differences for lie in lies(monkeypatch))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", CHECKS)
def test_honest_networks_agree(name: str, network: str) -> None:
    check_honest(CHECKS[name], NETWORKS[network]())


@pytest.mark.parametrize("name", CHECKS)
def test_something_is_compared(name: str) -> None:
    assert any(CHECKS[name](network()).compared for network in NETWORKS.values())


@pytest.mark.parametrize("name", CHECKS)
def test_a_lie_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check_finds(CHECKS[name], monkeypatch)


def test_verify_runs_every_check() -> None:
    told: list[str] = []
    result = verify(tiny(), progress=told.append)
    assert told == list(CHECKS)
    assert len(result.checks) == len(CHECKS)


def test_a_check_that_finds_nothing_or_always_something_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(AssertionError):
        check_finds(lambda graph: compare("blind", "nobody", "", [("x", 1, 1)]), monkeypatch)
    with pytest.raises(AssertionError):
        check_honest(lambda graph: compare("false", "nobody", "", [("x", 1, 2)]), tiny())
    with pytest.raises(AssertionError):
        check_honest(lambda graph: compare("idle", "nobody", "", []), tiny())

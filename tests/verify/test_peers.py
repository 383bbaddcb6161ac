"""The tools themselves, compared with the tables of their conventions."""

from __future__ import annotations

import json
from math import prod

import pytest
import torch
from hypothesis import given, settings

from archscope import load
from archscope.analysis.count import TOOLS, convention, counted
from archscope.analysis.reconcile import reconcile
from archscope.cli import main
from archscope.errors import UnavailableError
from archscope.ir import Example, Graph, Op
from archscope.ops import OPS
from archscope.verify import peers
from tests.nets import Net, chain
from tests.strategies import graphs
from tests.zoo.oracle import torchvision

NETWORKS = {
    "resnet18": 64,
    "mobilenet_v2": 64,
    "mobilenet_v3_small": 64,
    "shufflenet_v2_x0_5": 64,
    "googlenet": 64,
    "squeezenet1_1": 64,
    "densenet121": 32,
    "efficientnet_b0": 32,
    "convnext_tiny": 32,
    "alexnet_2012": None,
    "hard_attention_cifar10": None,
    "multitask": None,
    "siamese": None,
    "triplet": None,
}


def needs(tool: str) -> None:
    version = peers.installed(tool)
    if version != convention(tool).version:
        pytest.skip(f"the table is of {tool} {convention(tool).version}, got {version}")


def small(name: str) -> Graph:
    size = NETWORKS[name]
    return load(name, input=(3, size, size) if size else None).inference()


def example_graph(example: Example) -> Graph:
    net = Net(**{f"x{place}": shape for place, shape in enumerate(example.ins)})
    net.builder.add("layer", example.op, list(net.builder.nodes))
    return net.graph()


def total(graph: Graph, tool: str) -> int:
    return sum(counted(graph, tool).values())


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    "op", [op for op in OPS.values() if op.arity != (0, 0)], ids=lambda op: op.name
)
def test_examples_of_every_operator(op: type[Op], tool: str) -> None:
    needs(tool)
    compared = 0
    for example in op.examples():
        known = example.ins and example.op.known_to_tools
        if known and example.op.torch(*example.ins).target in example.op.modules:
            graph = example_graph(example)
            assert total(graph, tool) == peers.measure(tool, graph), example
            compared += 1
    if not compared:
        pytest.skip(f"what {tool} counts of '{op.name}' is not known")


@pytest.mark.slow
@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str, tool: str) -> None:
    needs(tool)
    graph = small(name)
    assert total(graph, tool) == peers.measure(tool, graph)


@pytest.mark.parametrize("tool", TOOLS)
def test_in_place_dead_and_shared(tool: str) -> None:
    needs(tool)
    net = Net(x=(4, 9, 9))
    first = net("conv", "x", out=4, kernel=3, padding=1)
    active = net("leaky_relu", first)
    net("batchnorm", net("conv", active, name="dead", out=6))
    again = net("conv", net("elu", active), out=4, kernel=3, padding=1, shares=first)
    graph = net.graph(net("prelu", again))
    assert total(graph, tool) == peers.measure(tool, graph)


@pytest.mark.slow
@settings(max_examples=25)
@given(graphs())
def test_random_networks(graph: Graph) -> None:
    lean = graph.inference()
    for tool in TOOLS:
        if peers.installed(tool) == convention(tool).version:
            assert total(lean, tool) == peers.measure(tool, lean), tool


TORCHVISION = {
    ("resnet18", "ptflops"): [("add", "addition")],
    ("mobilenet_v2", "ptflops"): [("add", "addition"), ("global_avgpool", "bug")],
    ("mobilenet_v2", "thop"): [("global_avgpool", "pooling")],
    ("shufflenet_v2_x0_5", "fvcore"): [("global_avgpool", "pooling")],
    ("shufflenet_v2_x0_5", "ptflops"): [("global_avgpool", "pooling"), ("global_avgpool", "bug")],
    ("shufflenet_v2_x0_5", "thop"): [("global_avgpool", "pooling")],
}
"""Lines that are not in a tool's count of torchvision's module: `+=` is no torch.add to ptflops,
and a functional pool or a mean is no module."""


@pytest.mark.slow
@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "shufflenet_v2_x0_5"])
def test_torchvision_s_modules(name: str, tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    needs(tool)
    graph = small(name)

    def theirs(graph: Graph, device: str) -> tuple[torch.nn.Module, tuple[torch.Tensor, ...]]:
        with torch.device(device):
            module = getattr(torchvision().models, name)().eval()
            return module, (torch.rand(1, *graph.inputs[0].out),)

    monkeypatch.setattr(peers, "network_and_inputs", theirs)
    (told,) = reconcile(graph, [tool]).tools
    left_out = TORCHVISION.get((name, tool), [])
    missing = sum(
        reason.amount
        for reason in told.reasons
        if (reason.op, reason.reason.partition(":")[0]) in left_out
    )
    assert bool(missing) == bool(left_out)
    assert peers.measure(tool, graph) == total(graph, tool) - missing


def test_command_runs_the_tools(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reconcile", "lenet5", "--run", "--format", "json"]) == 0
    told = {tool["name"]: tool["run"] for tool in json.loads(capsys.readouterr().out)["tools"]}
    assert told["strict"] is None
    ran = [name for name in TOOLS if told[name]["version"]]
    assert {"torch", "fvcore"} <= set(ran)
    assert all(told[name]["equal"] for name in ran)


def test_a_tool_that_is_not_installed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "installed", lambda name: None)
    assert main(["reconcile", "lenet5", "--run", "--against", "thop", "--format", "json"]) == 0
    (tool,) = json.loads(capsys.readouterr().out)["tools"]
    assert tool["run"]["counted"] is tool["run"]["equal"] is None
    assert tool["run"]["note"] == "thop is not installed: pip install 'archscope[bench]'"


def test_a_tool_that_disagrees(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(peers.PEERS, "torch", lambda graph: 7.0)
    assert main(["reconcile", "lenet5", "--run", "--against", "torch"]) == 1
    assert "DIFFERS" in capsys.readouterr().out


def test_a_tool_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(graph: Graph) -> float:
        raise ValueError("no")

    monkeypatch.setitem(peers.PEERS, "torch", fail)
    graph = chain(("relu", {}), x=(3, 4, 4))
    with pytest.raises(UnavailableError, match="torch failed: ValueError: no"):
        peers.measure("torch", graph)
    monkeypatch.setitem(peers.PEERS, "torch", lambda graph: prod((3, 0.5)))
    with pytest.raises(UnavailableError, match="counts a fraction"):
        peers.measure("torch", graph)
    with pytest.raises(UnavailableError, match="no tool 'torhc', did you mean 'torch'"):
        peers.measure("torhc", graph)

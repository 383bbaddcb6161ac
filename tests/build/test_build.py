from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn

from archscope import load
from archscope.build import build
from archscope.ir import Builder, Graph, Output
from archscope.ops import OPS

SMALL = "INPUT 3x16x16 -> [CONV 8 -> BN -> RELU -> POOL]*2 -> FC 10"


def test_state_dict_follows_the_names_of_nodes() -> None:
    graph = load("resnet18")
    keys = {key.rpartition(".")[0] for key in build(graph, device="meta").state_dict()}
    weighted = {n.name for n in graph.nodes if n.facts.params or n.facts.buffers}
    assert keys == weighted


def test_names_that_torch_has_taken_get_a_mark() -> None:
    builder = Builder()
    builder.add("input", OPS["input"](size=(3, 8, 8)))
    builder.add("half.type", OPS["conv"](out=4), ["input"])
    builder.add("training", OPS["relu"](), ["half.type"])
    builder.add("graph", OPS["relu"](), ["training"])
    builder.add("run", OPS["relu"](), ["graph"])
    graph = Graph("taken", tuple(builder.nodes.values()), (Output("output", "run"),))
    network = build(graph)
    assert set(network.state_dict()) == {"half_.type_.weight", "half_.type_.bias"}
    assert network(torch.rand(1, 3, 8, 8)).shape == (1, 4, 8, 8)


def test_shared_weights_are_one_module() -> None:
    network = build(load("siamese"))
    assert network.part("a.conv0") is network.part("b.conv0")
    assert not any(key.startswith("b.") for key in network.state_dict())
    left, right = torch.rand(2, 1, 28, 28), torch.rand(2, 1, 28, 28)
    assert torch.equal(network(left, left), torch.zeros(2, 1))
    assert (network(left, right) > 0).all()


def test_heads_of_training_run_only_while_training() -> None:
    network = build(load("googlenet_bn", input=(3, 96, 96)))
    image = torch.rand(2, 3, 96, 96)
    assert set(network.train()(image)) == {"aux1", "aux2", "output"}
    with torch.no_grad():
        assert network.eval()(image).shape == (2, 1000)


def test_it_says_how_many_inputs_it_takes() -> None:
    with pytest.raises(TypeError, match="takes 2 inputs, got 1"):
        build(load("siamese"))(torch.rand(1, 1, 28, 28))


def test_copies_and_pickles_are_independent_and_equal() -> None:
    network = build(load(SMALL)).eval()
    image = torch.rand(1, 3, 16, 16)
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(twin(image), network(image))
        nn.init.zeros_(next(twin.parameters()))
        assert not torch.equal(next(twin.parameters()), next(network.parameters()))
        assert not torch.equal(twin(image), network(image)), "its parts are not its own"


def test_state_dict_round_trip() -> None:
    one, other = build(load(SMALL)).eval(), build(load(SMALL)).eval()
    image = torch.rand(1, 3, 16, 16)
    assert not torch.equal(one(image), other(image))
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(image), other(image))


def test_torch_can_export_it() -> None:
    network = build(load(SMALL)).eval()
    image = torch.rand(1, 3, 16, 16)
    exported = torch.export.export(network, (image,))
    torch.testing.assert_close(exported.module()(image), network(image))

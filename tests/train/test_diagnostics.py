"""Networks with known problems, and their diagnoses."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from archscope import load
from archscope.build import Network, build
from archscope.train.diagnostics import diagnose

X = torch.randn(32, 1, 8, 8, generator=torch.Generator().manual_seed(0))
Y = torch.arange(32) % 4


def network(
    spec: str, spoil: tuple[str, float] | None = None, bias: float | None = None
) -> Network:
    """Return a network after a backward pass, the weights of one layer times a factor."""
    torch.manual_seed(0)
    made = build(load(spec))
    if spoil is not None:
        name, factor = spoil
        part = made.part(name)
        with torch.no_grad():
            part.weight.mul_(factor)
            if bias is not None:
                part.bias.fill_(bias)
    functional.cross_entropy(made(X), Y).backward()
    return made


def found(made: Network) -> list[tuple[str, str]]:
    return [(item.kind, item.node) for item in diagnose(made, X, 0)]


CHAIN = "INPUT 1x8x8 -> CONV 6 -> RELU -> FC 16 -> RELU -> FC 4"


def names(spec: str) -> dict[str, str]:
    """Return the names of the nodes by their place in the pattern."""
    return {node.op.name + str(i): node.name for i, node in enumerate(load(spec).nodes)}


def test_a_sound_network_has_nothing() -> None:
    assert found(network(CHAIN)) == []


def test_dead_relu_is_named() -> None:
    node = names(CHAIN)
    kinds = found(network(CHAIN, spoil=(node["conv1"], 1.0), bias=-100.0))
    assert ("dead relu", node["relu2"]) in kinds


def test_vanishing_gradient_is_named() -> None:
    node = names(CHAIN)
    last = [name for name in node.values() if name.startswith("linear")][-1]
    kinds = found(network(CHAIN, spoil=(last, 1e-9)))
    assert ("vanishing gradient", node["conv1"]) in kinds
    assert ("vanishing gradient", last) not in kinds


def test_exploding_gradient_is_named() -> None:
    node = names(CHAIN)
    last = [name for name in node.values() if name.startswith("linear")][-1]
    kinds = found(network(CHAIN, spoil=(last, 1e5)))
    assert ("exploding gradient", node["conv1"]) in kinds


@pytest.mark.parametrize("function", ["TANH", "SIGMOID"])
def test_saturation_is_named(function: str) -> None:
    spec = CHAIN.replace("RELU", function, 1)
    node = names(spec)
    kinds = found(network(spec, spoil=(node["conv1"], 1e4)))
    assert ("saturation", node[f"{function.lower()}2"]) in kinds


def test_diagnosing_changes_nothing() -> None:
    made = network("INPUT 1x8x8 -> CONV 6 -> BN -> RELU -> DROPOUT -> FC 4")
    made.train()
    before = {name: one.clone() for name, one in made.state_dict().items()}
    random = torch.get_rng_state()
    diagnose(made, X, 0)
    assert made.training
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(before[name], one) for name, one in made.state_dict().items())

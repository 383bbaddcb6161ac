"""Working in place must not be seen: neither in outputs nor in gradients nor in inputs."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

import archscope.build
from archscope import load
from archscope.build import Network, build
from archscope.ir import Graph
from tests.strategies import graphs


def both(graph: Graph) -> tuple[Network, Network]:
    """Return the module as built, and one of the same weights that works in place nowhere."""
    torch.manual_seed(0)
    usual = build(graph)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archscope.build, "in_place", lambda graph: frozenset())
        careful = build(graph)
    assert not any(getattr(part, "inplace", False) for part in careful.modules())
    careful.load_state_dict(usual.state_dict())
    return usual, careful


def inputs_of(graph: Graph) -> tuple[Tensor, ...]:
    torch.manual_seed(1)
    return tuple(torch.randn(3, *node.out) for node in graph.inputs)


def outputs(network: Network, graph: Graph) -> list[Tensor]:
    torch.manual_seed(2)  # dropout draws alike
    out = network(*inputs_of(graph))
    return list(out.values()) if isinstance(out, dict) else [out]


def assert_alike(graph: Graph) -> None:
    usual, careful = both(graph)
    with torch.no_grad():
        for one, other in zip(
            outputs(usual.eval(), graph), outputs(careful.eval(), graph), strict=True
        ):
            assert torch.equal(one, other)
    for network in (usual.train(), careful.train()):
        seen = [out.square().mean() for out in outputs(network, graph) if out.requires_grad]
        if seen:
            torch.stack(seen).sum().backward()
    for (name, one), other in zip(usual.named_parameters(), careful.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None), name
        if one.grad is not None and other.grad is not None:
            assert torch.allclose(one.grad, other.grad, rtol=1e-4, atol=1e-6), name


@settings(max_examples=80)
@given(graphs())
def test_random_networks_compute_the_same(graph: Graph) -> None:
    assert_alike(graph)


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "shufflenet_v2_x1_0"])
def test_shipped_networks_compute_the_same(name: str) -> None:
    narrow = {"width": 0.25} if name == "resnet50" else None
    graph = load(name, input=(3, 32, 32), set=narrow)
    usual, _ = both(graph)
    assert any(getattr(part, "inplace", False) for part in usual.modules())
    assert_alike(graph)


@given(graphs())
def test_inputs_are_left_alone(graph: Graph) -> None:
    given_, kept = inputs_of(graph), inputs_of(graph)
    network = build(graph)
    for mode in (True, False):
        network.train(mode)(*given_)
        assert all(map(torch.equal, given_, kept))

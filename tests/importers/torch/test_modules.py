"""Modules of torch: the same macs, params and output, or listed as not recognised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from archscope import language
from archscope.analysis import analyze
from archscope.build import build
from archscope.importers.torch import from_module
from archscope.language.write import to_yaml
from archscope.weights import state_dict_of
from tests.importers.torch.modules import MODULES, Solved
from tests.zoo.oracle import randomise

OPAQUE = {"einsum": {"einsum"}}
"""Operators that have no word here, of the modules that have some."""
COMPUTED = {"standardised"}
"""Modules whose weights are computed from others."""
COPIES = {"half tied"}
"""Modules with layers of several kinds that have the same weights."""


def batch(shapes: Any, size: int) -> tuple[torch.Tensor, ...]:
    """Return random inputs of the given shapes."""
    if isinstance(shapes, Mapping):
        shapes = tuple(shapes.values())
    if isinstance(shapes[0], int):
        shapes = (shapes,)
    return tuple(torch.rand(size, *shape) for shape in shapes)


def flops(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> int:
    """Return what torch counts of a run."""
    torch.backends.mha.set_fastpath_enabled(False)  # torch does not count that
    try:
        with (
            torch.no_grad(),
            sdpa_kernel(SDPBackend.MATH),  # nor attention in one piece on a CPU
            FlopCounterMode(display=False) as counter,
        ):
            module(*inputs)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    return int(counter.get_total_flops())


@pytest.mark.parametrize("name", MODULES)
def test_macs_and_params_are_those_of_torch(name: str) -> None:
    module, shapes = MODULES[name]
    module = module.eval()
    result = analyze(from_module(module, shapes).graph)
    assert result.unknown == ()
    assert ("parameters are replaced by what is computed" in result.about) == (name in COMPUTED)
    assert name in COMPUTED | COPIES or not result.about
    assert 2 * result.totals.macs == flops(module, batch(shapes, 1))
    assert result.totals.params == sum(parameter.numel() for parameter in module.parameters())
    assert {layer.kind.split(".")[1] for layer in result.opaque} == OPAQUE.get(name, set())


class Distances(nn.Module):
    """An operator that is not known at all."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cdist(x, x, p=3)


@pytest.mark.parametrize("name", [name for name in MODULES if name not in OPAQUE])
def test_output_is_that_of_the_module(name: str) -> None:
    torch.manual_seed(0)
    module, shapes = MODULES[name]
    module = module.eval()
    randomise(module)
    found = from_module(module, shapes)
    graph = language.graph(language.document(name, text=to_yaml(found.graph).encode()))
    network = build(graph).eval()
    network.load_state_dict(state_dict_of(graph, found.weights()))
    inputs = batch(shapes, 3)
    with torch.no_grad():
        expected, got = module(*inputs), network(*inputs)
    if isinstance(got, dict):
        got = tuple(got.values())
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


def test_arithmetic_on_maps_keeps_the_receptive_field() -> None:
    module, shape = MODULES["elementwise"]
    field = analyze(from_module(module, shape).graph).receptive_field
    assert field is not None
    assert (field.size, field.known, field.sees_all) == ((3, 3), True, True)
    assert field.node == "unary_3"


def test_what_cannot_be_counted_is_said() -> None:
    result = analyze(from_module(Solved(), (7, 6)).graph)
    assert [one.kind for one in result.unknown] == ["aten.linalg_solve.default"]
    result = analyze(from_module(Distances(), (7, 6)).graph)
    assert [(one.kind, one.facts) for one in result.unknown] == [
        ("aten.cdist.default", ("macs", "elementwise"))
    ]

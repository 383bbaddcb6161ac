"""Norms whose weights are constants that a module does not register become plain ones, scaled."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archscope.analysis import analyze
from archscope.build import build
from archscope.importers.torch import from_module
from archscope.weights import state_dict_of

FACTORS, SHIFTS = torch.linspace(-1, 2, 6), torch.linspace(3, 1, 6)
CASES: dict[str, tuple[Callable[[Tensor], Tensor], tuple[int, ...]]] = {
    "vectors": (lambda x: functional.layer_norm(x, (6,), FACTORS, SHIFTS), (6,)),
    "rows": (lambda x: functional.layer_norm(x, (6,), FACTORS, SHIFTS), (5, 6)),
    "factors alone": (lambda x: functional.layer_norm(x, (6,), FACTORS), (5, 6)),
    "channels last": (
        lambda x: functional.layer_norm(x.movedim(1, -1), (6,), FACTORS, SHIFTS).movedim(-1, 1),
        (6, 4, 5),
    ),
    "groups": (lambda x: functional.group_norm(x, 3, FACTORS, SHIFTS), (6, 4, 5)),
    "roots": (lambda x: functional.rms_norm(x, (6,), FACTORS), (5, 6)),
}


class Applied(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


@pytest.mark.parametrize("name", CASES)
def test_norm_is_imported(name: str) -> None:
    function, shape = CASES[name]
    found = from_module(Applied(function).eval(), shape)
    assert "opaque" not in [node.op.name for node in found.graph.nodes]
    assert analyze(found.graph).totals.params == 0
    network = build(found.graph).eval()
    network.load_state_dict(state_dict_of(found.graph, found.weights()))
    x = torch.randn(2, *shape)
    torch.testing.assert_close(network(x), function(x), rtol=1e-4, atol=1e-5)

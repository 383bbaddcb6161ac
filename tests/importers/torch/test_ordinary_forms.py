"""Ordinary PyTorch code: imported whole, built back with the same outputs and the same numbers."""

from __future__ import annotations

import pytest
import torch

from archscope.analysis import analyze
from archscope.build import build
from archscope.folding.fold import readable
from archscope.importers.torch import from_module
from archscope.weights import state_dict_of
from tests.importers.torch.further_forms import FURTHER
from tests.importers.torch.held_forms import HELD
from tests.importers.torch.joined_forms import CHANGED_ELSEWHERE, CHANGED_LATER, JOINED, MIXED
from tests.importers.torch.model_forms import MODELS
from tests.importers.torch.module_forms import MODULES
from tests.importers.torch.ordinary_forms import FORMS, SHAPE
from tests.importers.torch.part_forms import OTHER_STEPS, PARTS
from tests.importers.torch.place_forms import PLACES
from tests.importers.torch.size_forms import SIZES
from tests.importers.torch.test_modules import flops

COUNTED = {"number_of_an_image"}
"""Forms that are counted, but no operators of ours."""
PRODUCTS_OF_WEIGHTS = {"spectral_norm"}
"""Forms that multiply weights alone, which a built network does not repeat."""
NOT_OF_TORCH = {"bilinear": 5 * 8 * 8, "matmul_vector": 12 * 8 * 8}
"""Macs of products that torch's counter has no formula for."""
ALL = FORMS | FURTHER | HELD | JOINED | MODELS | MODULES | PARTS | PLACES | SIZES


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ALL)
def test_form(name: str) -> None:
    torch.manual_seed(0)
    module = ALL[name].eval()
    found = from_module(module, SHAPE, "form")
    result = analyze(found.graph)
    assert result.totals.params == sum(parameter.numel() for parameter in module.parameters())
    assert bool(result.opaque) == (name in COUNTED)
    if name in COUNTED:
        return
    images = torch.rand(2, *SHAPE) - 0.5
    if name not in PRODUCTS_OF_WEIGHTS:
        macs = result.totals.macs - NOT_OF_TORCH.get(name, 0)
        with torch.backends.mkldnn.flags(enabled=False):  # type: ignore[attr-defined]
            assert 2 * macs == flops(module, (images[:1],))  # with those of LSTMs
    read = readable(found.graph)
    network = build(read.graph).eval()
    network.load_state_dict(state_dict_of(read.graph, found.weights(), read.names))
    with torch.no_grad():
        torch.testing.assert_close(network(images), module(images), rtol=1e-5, atol=1e-5)


def test_expansions_that_broadcast_are_left_out() -> None:
    read = readable(from_module(SIZES["expand_as"], SHAPE, "form").graph)
    assert [node.op.name for node in read.graph.nodes] == ["input", "scale"]


def test_products_of_all_joined_images_are_counted_for_a_batch() -> None:
    graph = from_module(MIXED.eval(), SHAPE, "form", batch=5).graph
    assert "aten.matmul.default" in [unknown.kind for unknown in analyze(graph).opaque]
    assert graph.about == "counted at batch 5: the cost of matmul is not proportional to the batch"


def test_batches_that_change_after_they_were_joined_are_not_followed() -> None:
    result = analyze(from_module(CHANGED_LATER.eval(), SHAPE, "form").graph)
    assert "aten.cat.default" in [unknown.kind for unknown in result.opaque]
    assert 2 * result.totals.macs == flops(CHANGED_LATER, (torch.rand(1, *SHAPE),))


@pytest.mark.parametrize("place", range(len(CHANGED_ELSEWHERE)))
def test_batches_that_change_under_another_name_are_not_followed(place: int) -> None:
    module = CHANGED_ELSEWHERE[place].eval()
    result = analyze(from_module(module, SHAPE, "form").graph)
    assert "aten.cat.default" in [unknown.kind for unknown in result.opaque]
    assert 2 * result.totals.macs == flops(module, (torch.rand(1, *SHAPE),))


def test_rows_of_other_steps_are_not_followed() -> None:
    result = analyze(from_module(OTHER_STEPS.eval(), SHAPE, "form").graph)
    assert "aten.view.default" in [unknown.kind for unknown in result.opaque]
    assert 2 * result.totals.macs == flops(OTHER_STEPS, (torch.rand(1, *SHAPE),))

"""torchvision's classifiers as judges of the import: its own numbers of params and GMACs."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import pytest
import torch

from archscope.analysis import Analysis, analyze
from archscope.importers.torch import from_module
from tests.zoo.oracle import torchvision

NAMES = torchvision().models.list_models(module=torchvision().models)
DAILY = {
    "alexnet", "googlenet", "inception_v3", "maxvit_t", "mnasnet0_5", "mobilenet_v2",
    "regnet_y_400mf", "resnet18", "resnext50_32x4d", "squeezenet1_1", "swin_v2_t", "vgg11_bn",
    "vit_b_16",
}  # fmt: skip
"""One of each family but those that test_weights has; others differ in size."""
SETTINGS: dict[str, dict[str, Any]] = {
    "vit_h_14": {"image_size": 518}, "googlenet": {"init_weights": True},
    "inception_v3": {"init_weights": True},
}  # fmt: skip
EVERY = bool(os.environ.get("ARCHSCOPE_EVERY_MODEL"))


def made(name: str, **settings: Any) -> torch.nn.Module:
    """Return a network without numbers, or with them where it computes as it is made."""
    models = torchvision().models
    place = "cpu" if name.startswith("regnet") else "meta"
    with torch.device(place):
        network: torch.nn.Module = models.get_model(name, **settings)
    return network


def test_there_are_eighty() -> None:
    assert len(NAMES) == 80
    assert set(NAMES) >= DAILY


@cache
def imported(name: str) -> tuple[Analysis, Any]:
    """Return the analysis of an import, and what torchvision says of the network."""
    weights = torchvision().models.get_model_weights(name).DEFAULT
    size = weights.transforms().crop_size[0]
    module = made(name, **SETTINGS.get(name, {}))
    return analyze(from_module(module, (3, size, size), name).graph), weights


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.xdist_group("vit")) if n == "vit_b_16" else n
        for n in NAMES
    ],
)
def test_params_and_macs_are_those_of_torchvision(name: str) -> None:
    if name not in DAILY and not EVERY:
        pytest.skip("runs where ARCHSCOPE_EVERY_MODEL is set; others of its family run")
    result, weights = imported(name)
    left_out = {"inception_v3": 3_326_696}.get(name, 0)  # its second head, which only trains
    assert result.totals.params + left_out == weights.meta["num_params"]
    assert round(result.totals.macs / 1e9, 3) == weights.meta["_ops"]
    assert result.unknown == ()
    assert ("are not used" in result.about) == bool(left_out or name == "googlenet")
    if not is_transformer(name):
        assert result.opaque == ()


def is_transformer(name: str) -> bool:
    """Return whether a network has what no operator of ours says."""
    return name.startswith(("vit", "swin", "maxvit"))


@pytest.mark.xdist_group("vit")
def test_attention_is_counted_and_whole() -> None:
    result, _ = imported("vit_b_16")
    assert result.opaque == ()
    layers = [layer for layer in result.layers if layer.op.endswith("attention")]
    assert [layer.macs for layer in layers] == [2 * 12 * 197 * 197 * 64] * 12

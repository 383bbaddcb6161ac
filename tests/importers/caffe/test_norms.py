"""Normalisation of Caffe, and learned factors and shifts along axes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional

import archscope
from archscope.build import build
from archscope.errors import ArchscopeError
from tests.importers.caffe.definitions import drawn, inputs, layer, load, result


def test_lrn_within_channels(tmp_path: Path) -> None:
    x = drawn(2, 3, 6, 5)
    param = "lrn_param { local_size: 3 alpha: 0.5 beta: 0.75 norm_region: WITHIN_CHANNEL }"
    wanted = x * (1 + 0.5 * functional.avg_pool2d(x * x, 3, 1, 1)) ** -0.75
    made = result(tmp_path, inputs(1, 3, 6, 5) + layer("LRN", "n", more=param), x)
    assert torch.allclose(made, wanted, atol=1e-6)


@pytest.mark.parametrize("across", ["true", "false"])
@pytest.mark.parametrize("scaled", ["true", "false"])
def test_mean_and_variance(across: str, scaled: str, tmp_path: Path) -> None:
    x = drawn(2, 3, 6, 5)
    axes = (1, 2, 3) if across == "true" else (2, 3)
    wanted = x - x.mean(axes, keepdim=True)
    if scaled == "true":
        wanted = wanted / ((wanted**2).mean(axes, keepdim=True).sqrt() + 1e-9)
    param = f"mvn_param {{ across_channels: {across} normalize_variance: {scaled} }}"
    made = result(tmp_path, inputs(1, 3, 6, 5) + layer("MVN", "n", more=param), x)
    assert torch.allclose(made, wanted, atol=1e-5)


@pytest.mark.parametrize("across", ["true", "false"])
@pytest.mark.parametrize("shared", ["true", "false"])
def test_normalize_of_ssd(across: str, shared: str, tmp_path: Path) -> None:
    param = f"norm_param {{ across_spatial: {across} channel_shared: {shared} }}"
    graph = load(tmp_path, inputs(1, 3, 6, 5) + layer("Normalize", "n", more=param))
    totals = archscope.analyze(graph).totals
    assert totals.params == (1 if shared == "true" else 3)
    network = build(graph).eval()
    (factor,) = network.parameters()
    with torch.no_grad():
        factor.copy_(drawn(*factor.shape))
    x = drawn(2, 3, 6, 5)
    norm = (x**2).sum((1, 2, 3) if across == "true" else 1, keepdim=True).sqrt()
    assert torch.allclose(network(x), x / norm * factor.reshape(-1, 1, 1), atol=1e-5)


@pytest.mark.parametrize(
    ("given", "size"),
    [("axis: 2", (1, 6, 1)), ("axis: 1 num_axes: -1", (3, 6, 5)), ("axis: -1", (1, 1, 5)),
     ("axis: 1 num_axes: 2", (3, 6, 1)), ("num_axes: 0", (1, 1, 1))],
)  # fmt: skip
def test_factors_and_shifts_along_axes(given: str, size: tuple[int, ...], tmp_path: Path) -> None:
    text = inputs(1, 3, 6, 5) + layer(
        "Scale", "s", more=f"scale_param {{ bias_term: true {given} }}"
    )
    network = build(load(tmp_path, text)).eval()
    factor, shift = network.parameters()
    with torch.no_grad():
        factor.copy_(drawn(*size))
        shift.copy_(drawn(*size) + 1)
    x = drawn(2, 3, 6, 5)
    assert torch.allclose(network(x), x * factor + shift, atol=1e-6)
    text = inputs(1, 3, 6, 5) + layer("Bias", "b", more=f"bias_param {{ {given} }}")
    assert [p.shape for p in build(load(tmp_path, text)).parameters()] == [size]


def test_values_for_images_are_refused(tmp_path: Path) -> None:
    text = inputs(1, 3, 6, 5) + layer("Scale", "s", more="scale_param { axis: 0 num_axes: 2 }")
    with pytest.raises(ArchscopeError, match="'s' learns values for each image of a batch"):
        load(tmp_path, text)

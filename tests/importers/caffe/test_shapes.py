"""Layers of Caffe that rearrange, cut and resize, against torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

import archscope
from archscope.build import build
from archscope.errors import ArchscopeError
from tests.importers.caffe.definitions import drawn, inputs, layer, load, result


def resized(x: Tensor, *size: int) -> Tensor:
    return functional.interpolate(x, size, mode="bilinear", align_corners=True)


@pytest.mark.parametrize(
    ("kind", "more", "formula"),
    [
        ("Permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }",
         lambda x: x.permute(0, 2, 3, 1)),
        ("Softmax", "softmax_param { axis: 2 }", lambda x: x.softmax(2)),
        ("Softmax", "softmax_param { axis: -1 }", lambda x: x.softmax(3)),
        ("Interp", "interp_param { height: 9 width: 7 }", lambda x: resized(x, 9, 7)),
        ("Interp", "interp_param { zoom_factor: 3 }", lambda x: resized(x, 16, 13)),
        ("Interp", "interp_param { shrink_factor: 2 pad_beg: -1 }", lambda x: resized(
            x[:, :, 1:, 1:], 3, 2)),
        ("Reduction", "reduction_param { axis: 1 operation: MEAN coeff: 2 }",
         lambda x: 2 * x.mean((1, 2, 3))[:, None]),
        ("Reduction", "reduction_param { axis: 2 operation: SUMSQ }",
         lambda x: (x**2).sum((2, 3))),
        ("Reduction", "reduction_param { axis: -1 operation: 2 }", lambda x: x.abs().sum(3)),
        ("Tile", "tile_param { axis: 1 tiles: 3 }", lambda x: x.repeat(1, 3, 1, 1)),
        ("Concat", "concat_param { per_fla_fuse: true }",
         lambda x: x.permute(0, 2, 3, 1).flatten(1)),
        ("Reorg", "reorg_param { stride: 1 }", lambda x: x),
        ("Flatten", "flatten_param { axis: 2 }", lambda x: x.flatten(2)),
        ("Reshape", "reshape_param { shape { dim: 0 dim: 2 dim: -1 dim: 0 } }",
         lambda x: x.reshape(len(x), 2, -1, 5)),
    ],
)  # fmt: skip
def test_functions(
    kind: str, more: str, formula: Callable[[Tensor], Tensor], tmp_path: Path
) -> None:
    x = drawn(2, 4, 6, 5)
    made = result(tmp_path, inputs(2, 4, 6, 5) + layer(kind, "f", "data", more), x)
    assert torch.allclose(made, formula(x), atol=1e-6)


def test_slices_along_an_axis(tmp_path: Path) -> None:
    x = drawn(2, 4, 6, 5)
    text = inputs(1, 4, 6, 5) + layer(
        "Slice", "s", more="slice_param { axis: 2 slice_point: 2 slice_point: 5 }", top="a b c"
    )
    outs = build(load(tmp_path, text)).eval()(x)
    assert isinstance(outs, dict)
    for made, part in zip(outs.values(), x.split([2, 3, 1], 2), strict=True):
        assert torch.equal(made, part)


@pytest.mark.parametrize(
    ("given", "start"), [("", (0, 0)), ("offset: 2", (2, 2)), ("offset: 1 offset: 0", (1, 0))]
)
def test_crop_to_the_size_of_another(given: str, start: tuple[int, int], tmp_path: Path) -> None:
    x = drawn(2, 4, 6, 5)
    pool = "pooling_param { pool: MAX kernel_size: 2 stride: 2 }"
    text = inputs(1, 4, 6, 5) + layer("Pooling", "half", more=pool)
    text += layer("Crop", "cut", "data half", f"crop_param {{ {given} }}")
    outs = build(load(tmp_path, text)).eval()(x)
    made = outs if isinstance(outs, Tensor) else [*outs.values()][-1]
    top, left = start
    assert torch.equal(made, x[:, :, top : top + 3, left : left + 3])
    with pytest.raises(ArchscopeError, match="cannot crop 4x6x5 to 4x3x3 at 3"):
        load(tmp_path, text.replace(given or "crop_param { ", f"{'' if given else 'crop_param { '}"
             "offset: 1 offset: 3 "))  # fmt: skip


def test_inner_products_at_each_place(tmp_path: Path) -> None:
    param = "inner_product_param { num_output: 7 axis: 2 }"
    graph = load(tmp_path, inputs(1, 4, 6, 5) + layer("InnerProduct", "fc", more=param))
    totals = archscope.analyze(graph).totals
    assert (totals.params, totals.macs) == (7 * 30 + 7, 4 * 7 * 30)
    network = build(graph).eval()
    weight, bias = network.parameters()
    x = drawn(2, 4, 6, 5)
    wanted = functional.linear(x.flatten(2), weight[..., 0], bias)
    assert torch.allclose(network(x), wanted, atol=1e-6)


def test_parameters_are_values_of_their_own(tmp_path: Path) -> None:
    text = inputs(1, 4, 6, 5)
    text += layer("Parameter", "p", "", "parameter_param { shape { dim: 1 dim: 4 dim: 6 dim: 5 } }")
    graph = load(tmp_path, text + layer("Eltwise", "sum", "data p"))
    assert archscope.analyze(graph).totals.params == 120
    network = build(graph).eval()
    (values,) = network.parameters()
    x = drawn(2, 4, 6, 5)
    assert torch.allclose(network(x), x + values)


def test_reorg_is_that_of_darknet(tmp_path: Path) -> None:
    c, h, w, step = 8, 4, 6, 2
    x = torch.arange(c * h * w, dtype=torch.float32)
    wanted = []
    for k in range(c):  # reorg_cpu, which views the map as one of twice the sides
        for j in range(h):
            for i in range(w):
                offset, place = divmod(k, c // step**2)
                row, column = j * step + offset // step, i * step + offset % step
                wanted.append(x[column + w * step * (row + h * step * place)])
    text = inputs(1, c, h, w) + layer("Reorg", "r", more="reorg_param { stride: 2 }")
    made = result(tmp_path, text, x.reshape(1, c, h, w))
    assert made.shape == (1, c * 4, h // 2, w // 2)
    assert torch.equal(made.flatten(), torch.stack(wanted))
    with pytest.raises(ArchscopeError, match="'r' needs a stride that divides both sides"):
        load(tmp_path, text.replace("stride: 2", "stride: 3"))


@pytest.mark.parametrize(("height", "width"), [(6, 4), (5, 7)])
def test_unpooling_returns_values_to_their_places(height: int, width: int, tmp_path: Path) -> None:
    x = drawn(2, 3, height, width).relu()  # with ties at 0, of which the first counts
    pool = "pooling_param { pool: MAX kernel_size: 2 stride: 2 }"
    text = inputs(1, 3, height, width) + layer("Pooling", "pool", "data", pool, "pool mask")
    size = f"upsample_param {{ scale: 2 upsample_h: {height} upsample_w: {width} }}"
    made = result(tmp_path, text + layer("Upsample", "up", "pool mask", size), x)
    most, at = functional.max_pool2d(x, 2, 2, ceil_mode=True, return_indices=True)
    wanted = functional.max_unpool2d(most, at, 2, 2, output_size=(height, width))
    assert torch.equal(made, wanted)

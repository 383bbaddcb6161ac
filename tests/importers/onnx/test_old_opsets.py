"""Opsets 7 to 10: networks shipped with the onnx package, and operators that changed meaning."""

from __future__ import annotations

import os
from math import prod
from pathlib import Path
from typing import Any

import numpy
import pytest

pytest.importorskip("onnx", reason="needs archscope[onnx]")

import onnx
from onnx import shape_inference, version_converter

from archscope import analyze
from archscope.errors import ArchscopeError
from archscope.importers.onnx import from_file
from tests.importers.onnx.models import model, numbers, outputs, saved
from tests.importers.onnx.test_onnx_ops import ints, node

LIGHT = sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("light_*.onnx"))
SMALL = ("light_inception_v1", "light_shufflenet", "light_squeezenet")
EVERY = bool(os.environ.get("ARCHSCOPE_EVERY_MODEL"))
LEARNED = {"Conv": (1, 2), "Gemm": (1, 2), "BatchNormalization": (1, 2), "Mul": (1,), "Add": (1,)}


def counted(path: Path) -> tuple[int, int]:
    """Return params and macs by ONNX's shape inference on the converted file."""
    made = shape_inference.infer_shapes(version_converter.convert_version(onnx.load(str(path)), 11))
    graph = made.graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    held = {*shapes}
    for info in (*graph.value_info, *graph.input, *graph.output):
        shapes[info.name] = tuple(axis.dim_value for axis in info.type.tensor_type.shape.dim)
    params, macs = {}, 0
    for part in graph.node:
        if part.op_type in ("ConstantOfShape", "Unsqueeze", "Reshape") and part.input[0] in held:
            held.add(part.output[0])
        for place in LEARNED.get(part.op_type, ()):
            if place < len(part.input) and part.input[place] in held:
                params[part.input[place]] = prod(shapes[part.input[place]])
        if part.op_type in ("Conv", "Gemm"):
            macs += prod(shapes[part.output[0]]) * prod(shapes[part.input[1]][1:])
    return sum(params.values()), macs


@pytest.mark.parametrize("path", LIGHT, ids=lambda path: path.stem)
def test_networks_of_the_onnx_package(path: Path) -> None:
    found = from_file(path)
    result = analyze(found.graph)
    assert (result.totals.params, result.totals.macs) == counted(path)
    assert result.opaque == ()
    if path.stem in SMALL or EVERY:
        ours, theirs = outputs(found, path)
        numpy.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * float(abs(theirs).max()))


def test_all_are_there() -> None:
    assert len(LIGHT) == 9


@pytest.mark.parametrize("opset", [7, 8, 9, 10])
def test_what_were_attributes(opset: int, tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x w", "a"), node("Clip", "a", "b", min=0.0, max=6.0),
        node("Dropout", "b", "c", ratio=0.5), node("ReduceMean", "c", "d", axes=[2, 3], keepdims=0),
        node("Unsqueeze", "d", "e", axes=[2]), node("Squeeze", "e", "f", axes=[2]),
        node("Gemm", "f m v"),
    ]  # fmt: skip
    weights = {"w": numbers(6, 4, 3, 3), "m": numbers(6, 5), "v": numbers(5)}
    path = saved(model(nodes, (1, 4, 8, 8), weights, opset), tmp_path)
    found = from_file(path)
    assert analyze(found.graph).totals.params == 216 + 35
    ours, theirs = outputs(found, path)
    numpy.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("opset", "kind", "mode", "scale"),
    [
        (7, "Upsample", "nearest", 2), (9, "Upsample", "nearest", 2), (9, "Upsample", "linear", 2),
        (10, "Resize", "linear", 2), (10, "Resize", "nearest", 3),
    ],
)  # fmt: skip
def test_resizing_was_asymmetric(
    opset: int, kind: str, mode: str, scale: int, tmp_path: Path
) -> None:
    """The converter of onnx does not say so in what it writes."""
    scales = [1.0, 1.0, float(scale), float(scale)]
    made = (
        [node(kind, "x", mode=mode, scales=scales)] if opset < 9 else [node(kind, "x s", mode=mode)]
    )
    weights = {"s": numpy.array(scales, "float32")} if opset >= 9 else {}
    path = saved(model(made, (1, 4, 8, 8), weights, opset), tmp_path)
    found = from_file(path)
    assert "upsample" in [one.op.name for one in found.graph.nodes]
    ours, theirs = outputs(found, path)
    numpy.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)


def test_older_ones_are_refused_in_one_line(tmp_path: Path) -> None:
    path = saved(model([node("Relu", "x")], (1, 4, 8, 8), opset=6), tmp_path)
    with pytest.raises(ArchscopeError, match="opset 6 is too old, expected 7 to") as caught:
        from_file(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(1, 4, 1, 1), (1, 4, 2, 2)])
def test_softmax_was_over_all_axes_from_one_on(shape: Any, tmp_path: Path) -> None:
    path = saved(model([node("Softmax", "x")], shape, opset=11), tmp_path)
    ours, theirs = outputs(from_file(path), path)
    numpy.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)


def test_pool_of_the_whole_map_with_padding_that_does_not_count(tmp_path: Path) -> None:
    nodes = [node("AveragePool", "x", "p", kernel_shape=[7, 7], pads=[0, 0, 1, 1]),
             node("Reshape", "p s")]  # fmt: skip
    path = saved(model(nodes, (1, 4, 6, 6), {"s": ints(1, 4)}, 9), tmp_path)
    found = from_file(path)
    assert [one.op.name for one in found.graph.nodes[1:]] == ["global_avgpool", "flatten"]
    ours, theirs = outputs(found, path)
    numpy.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)

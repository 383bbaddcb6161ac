"""Values at known places of ONNX files: read, written, repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

pytest.importorskip("onnx", reason="needs archscope[onnx]")

from archscope.importers.onnx import from_file
from tests.importers.onnx.models import Array, model, numbers, saved
from tests.importers.onnx.test_aten_forms import check
from tests.importers.onnx.test_onnx_ops import ints, node, num

OPSET = 20
RANDOM = numpy.random.default_rng(3)
Nodes, Weights = list[Any], dict[str, Array]


def grid(*axes: Any) -> Array:
    """Return the coordinates of all combinations of places along axes."""
    return numpy.stack(numpy.meshgrid(*axes, indexing="ij"), -1).astype(numpy.int64)


def part(*ends: int) -> Nodes:
    """Return nodes that make the values `u` of the beginning of each axis."""
    starts, stops, axes = ([0] * len(ends), ends, range(len(ends)))
    return [
        node("Sin", "x", "s"),
        *(node("Constant", "", name, value_ints=[*values])
          for name, values in (("b", starts), ("e", stops), ("a", axes))),
        node("Slice", "s b e a", "u"),
    ]  # fmt: skip


def written(ends: tuple[int, ...], index: Array, kind: str = "ScatterND", **words: Any) -> Any:
    return [*part(*ends), node(kind, "x i u", **words)], {"i": index}


SOME = RANDOM.permuted(numpy.broadcast_to(numpy.arange(8), (1, 4, 8, 8)), axis=3)[..., :3].copy()
READ: dict[str, tuple[Nodes, Weights]] = {
    "table": ([node("Gather", "x i", axis=2)], {"i": ints(1, -3, 3, 0).reshape(2, 2)}),
    "many channels": ([node("Gather", "x i", axis=1)],
                      {"i": RANDOM.integers(-4, 4, 90).astype("int64")}),
    "elements": ([node("GatherElements", "x i", axis=3)],
                 {"i": RANDOM.integers(-8, 8, (1, 4, 8, 3))}),
    "fewer elements": ([node("GatherElements", "x i", axis=3)],
                       {"i": RANDOM.integers(0, 8, (1, 2, 4, 3))}),
    "elements alike": ([node("GatherElements", "x i", axis=1)],
                       {"i": numpy.broadcast_to(ints(3, 1).reshape(1, 2, 1, 1), (1, 2, 8, 8))}),
    "points": ([node("GatherND", "x i", batch_dims=1)],
               {"i": ints(0, 1, 2, -3, 3, 7).reshape(1, 3, 2)}),
    "points of the only image": ([node("GatherND", "x i")],
                                 {"i": ints(0, 1, 2, 0, 3, 7).reshape(1, 2, 3)}),
    "points of all images": (
        [node("Transpose", "x", "t", perm=[1, 2, 0, 3]), node("GatherND", "t i", "g"),
         node("Transpose", "g", perm=[1, 0, 2])], {"i": ints(2, 0, 0, 5).reshape(2, 2)}),
    "sampled": ([node("GridSample", "x g")],
                {"g": RANDOM.uniform(-1.1, 1.1, (1, 5, 6, 2)).astype("float32")}),
    "channels reflected": ([node("Pad", "x p", mode="reflect")],
                           {"p": ints(0, 2, 0, 1, 0, 3, 2, 0)}),
    "channels repeated": ([node("Pad", "x p", mode="edge")], {"p": ints(0, 2, 0, 1, 0, 5, 2, 0)}),
    "channels around": ([node("Pad", "x p", mode="wrap")], {"p": ints(0, 2, 0, 1, 0, 3, 2, 0)}),
    "cut and padded": ([node("CenterCropPad", "x s", axes=[1, 2, 3])], {"s": ints(3, 5, 11)}),
    "a beginning reversed": ([node("ReverseSequence", "x n", batch_axis=0, time_axis=1)],
                             {"n": ints(3)}),
    "columns to a map": ([node("Reshape", "x s", "c"),
                          node("Col2Im", "c size block", strides=[2, 2], pads=[1, 1, 1, 1])],
                         {"s": ints(1, 16, 16), "size": ints(6, 6), "block": ints(2, 2)}),
    **{f"triangle {upper} {diagonal}": (
        [node("Softmax", "x", "p"), node("Log", "p", "l"), node("Trilu", "l d", upper=upper)],
        {"d": numpy.array(diagonal)}) for upper in (0, 1) for diagonal in (-2, 0, 1)},
}  # fmt: skip
WRITTEN: dict[str, tuple[Nodes, Weights]] = {
    **{f"elements {reduction}": written((1, 4, 8, 3), SOME, "ScatterElements", axis=3,
                                        reduction=reduction)
       for reduction in ("none", "add", "mul", "max", "min")},
    **{f"rows {reduction}": written((1, 2), ints(0, -1, 0, 1).reshape(1, 2, 2),
                                    reduction=reduction)
       for reduction in ("none", "add", "mul", "max", "min")},
    "channels": written((1, 2), ints(3, 0).reshape(1, 2, 1, 1) * numpy.ones((1, 2, 8, 8), "int64"),
                        "ScatterElements", axis=1),
    "box": written((1, 4, 4, 6), grid([0], range(4), range(2, 6), range(1, 7))),
    "every second column": written((1, 4, 8, 4), grid([0], range(4), range(8), range(1, 8, 2))),
    "everything": written((1, 4, 8, 8), grid([0], range(4), range(8), range(8))),
    "along an axis in front": (
        [*part(4, 2), node("Transpose", "x", "t", perm=[1, 0, 2, 3]),
         node("Transpose", "u", "v", perm=[1, 0, 2, 3]), node("ScatterND", "t i v", "w"),
         node("Transpose", "w", perm=[1, 0, 2, 3])], {"i": ints(1, 2).reshape(2, 1)}),
    "a number": ([node("ScatterND", "x i u")],
                 {"i": grid([0], [1], range(8), range(8)), "u": numpy.zeros((1, 1, 8, 8), "f")}),
    "constants": ([node("ScatterND", "x i u")],
                  {"i": ints(0, 3, 0, 1).reshape(1, 2, 2), "u": numbers(1, 2, 8, 8)}),
    "among constants": (
        [node("Reshape", "x s", "r"), node("ScatterElements", "d i r", axis=1)],
        {"d": numbers(1, 9, 64), "s": ints(1, 4, 64),
         "i": numpy.broadcast_to(ints(1, 3, 0, 8).reshape(1, 4, 1), (1, 4, 64)).copy()}),
}  # fmt: skip


@pytest.mark.parametrize("name", [*READ, *WRITTEN])
def test_known_places(name: str, tmp_path: Path) -> None:
    nodes, weights = (READ | WRITTEN)[name]
    check(saved(model(nodes, (1, 4, 8, 8), weights, OPSET), tmp_path))


@pytest.mark.parametrize("corners", [0, 1])
@pytest.mark.parametrize("sizes", [(5, 6), (3, 5, 4)])
def test_affine_grid(sizes: tuple[int, ...], corners: int, tmp_path: Path) -> None:
    rank = len(sizes)
    nodes = [
        node("ReduceMean", "x a", "m", keepdims=0), node("Gemm", "m w b", "l"),
        node("Reshape", "l s", "theta"), node("AffineGrid", "theta n", "g", align_corners=corners),
        node("GridSample", "x g", mode="linear"),
    ]  # fmt: skip
    weights = {
        "a": ints(*range(2, rank + 2)), "w": 0.1 * numbers(4, rank * (rank + 1)),
        "b": numbers(rank * (rank + 1)), "s": ints(-1, rank, rank + 1), "n": ints(1, 4, *sizes),
    }  # fmt: skip
    check(saved(model(nodes, (1, 4, *sizes), weights, OPSET), tmp_path))


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("where", ["half_pixel", "align_corners", "half_pixel_symmetric"])
@pytest.mark.parametrize("factors", [(2, 2), (0.5, 1.5)])
def test_resized(mode: str, where: str, factors: tuple[float, ...], tmp_path: Path) -> None:
    weights = {"s": num([1, 1, *factors])}
    for rounding in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil"):
        words = {"mode": mode, "coordinate_transformation_mode": where}
        if mode == "nearest":
            words["nearest_mode"] = rounding
        check(saved(model([node("Resize", "x  s", **words)], (1, 4, 8, 8), weights, 19), tmp_path))


def test_resized_axes_in_another_order(tmp_path: Path) -> None:
    weights = {"s": num([1.5, 2])}
    made = node("Resize", "x  s", axes=[3, 2], nearest_mode="ceil")
    check(saved(model([made], (1, 4, 8, 8), weights, OPSET), tmp_path))


@pytest.mark.parametrize(
    ("mode", "sizes"), [("linear", (3, 5)), ("cubic", (3, 5)), ("linear", (20, 3))]
)
def test_resized_with_means(mode: str, sizes: tuple[int, int], tmp_path: Path) -> None:
    words = {"mode": mode, "antialias": 1, "exclude_outside": 1, "cubic_coeff_a": -0.5}
    weights = {"s": ints(1, 4, *sizes)}
    path = saved(model([node("Resize", "x   s", **words)], (1, 4, 8, 8), weights, 19), tmp_path)
    check(path)


REPEATED = ints(0, 1, 0, 1).reshape(1, 2, 2)
OPAQUE: dict[str, tuple[Nodes, Weights]] = {
    "a place written twice": written((1, 2), REPEATED),
    "a place added to twice": written((1, 2), REPEATED, reduction="add"),
    "sizes of one factor": (
        [node("Resize", "x   s", axes=[2, 3], keep_aspect_ratio_policy="not_larger")],
        {"s": ints(5, 7)}),
    "places between two values": (
        [node("Resize", "x  s", coordinate_transformation_mode="asymmetric",
              nearest_mode="round_prefer_ceil")], {"s": num([1, 1, 2.4, 2.4])}),
    "sequences of several lengths": (
        [node("Transpose", "x", "t", perm=[3, 1, 0, 2]),
         node("ReverseSequence", "t n", batch_axis=0, time_axis=1)],
        {"n": ints(1, 2, 3, 4, 1, 2, 3, 4)}),
}  # fmt: skip


@pytest.mark.parametrize("name", OPAQUE)
def test_what_runtimes_decide_stays_opaque(name: str, tmp_path: Path) -> None:
    nodes, weights = OPAQUE[name]
    found = from_file(saved(model(nodes, (1, 4, 8, 8), weights, OPSET), tmp_path)).graph
    assert found.nodes[-1].op.name == "opaque"

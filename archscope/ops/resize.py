"""Operators that change the number of positions by resampling."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any

from archscope.axes import Resample
from archscope.errors import ShapeError
from archscope.ir import Call, Example, Shape, Windows, call
from archscope.onnx_form import Value, X, floats, ints, node
from archscope.ops.attributes import Size, choice
from archscope.ops.facts import Weightless, saves_nothing
from archscope.ops.foreign import Foreign, Recognised, Tensor, per_axis_or_one, recognises
from archscope.ops.geometry import per_axis, short, spatial
from archscope.ops.registry import op

Interpolation = Annotated[str, choice("nearest", "linear")]


@op("upsample")
class Upsample(Weightless, frozen=True, kw_only=True):
    """Resize by nearest-neighbour or linear interpolation."""

    principal = "scale"
    modules = ("nn.Upsample",)
    keeps_zero = True

    scale: Annotated[Size | None, "factor of the output size"] = None
    size: Annotated[Size | None, "output size, in place of a factor"] = None
    mode: Annotated[
        Interpolation, "nearest, or linear (bilinear in 2-D, trilinear in 3-D; half-pixel centres)"
    ] = "nearest"

    def is_identity(self, *ins: Shape) -> bool:
        return self.shape(*ins) == ins[0]

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        sizes = spatial(x, "upsample")
        if (self.scale is None) == (self.size is None):
            raise ShapeError("'upsample' needs either scale or size")
        if self.size is not None:
            return x[0], *per_axis(self.size, len(sizes), "size of 'upsample'")
        scales = per_axis(self.scale or 1, len(sizes), "scale of 'upsample'")
        return x[0], *(size * scale for size, scale in zip(sizes, scales, strict=True))

    def window(self, *ins: Shape) -> Windows:
        (x,) = ins
        read = _nearest if self.mode == "nearest" else _linear
        return tuple(read(a, b) for a, b in zip(x[1:], self.shape(x)[1:], strict=True))

    def elementwise(self, *ins: Shape) -> int:
        """Count the multiplications and additions of a linear mix of two values on each axis."""
        if self.mode == "nearest":
            return 0
        return ((1 << len(ins[0])) - 1) * prod(self.shape(*ins))

    saved = saves_nothing

    def torch(self, *ins: Shape) -> Call:
        out = self.shape(*ins)[1:]
        modes = {1: "linear", 2: "bilinear", 3: "trilinear"}
        mode = modes[len(out)] if self.mode == "linear" else "nearest"
        return call("nn.Upsample", size=short(out), mode=mode)

    def onnx(self, *ins: Shape) -> Value:
        sizes, out = ins[0][1:], self.shape(*ins)[1:]
        words: dict[str, Any] = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
        if self.mode == "nearest":
            words = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        if all(b % a == 0 for a, b in zip(sizes, out, strict=True)):
            scales = floats(1, 1, *(b // a for a, b in zip(sizes, out, strict=True)))
            return node("Resize", X, None, scales, **words)
        axes = tuple(range(2, 2 + len(sizes)))  # for the batch has no size to be stated
        return node("Resize", X, None, None, ints(*out), axes=axes, **words)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(scale=2), ((8, 6, 6),)),
            Example(cls(scale=2, mode="linear"), ((8, 6, 6),)),
            Example(cls(size=(9, 10), mode="linear"), ((4, 6, 15),)),
            Example(cls(size=7), ((4, 5),)),
        )


def _nearest(size: int, out: int) -> Resample:
    return Resample.between(size, out, lambda u: range(u * size // out, u * size // out + 1))


def _linear(size: int, out: int) -> Resample:
    def read(u: int) -> range:
        # The source stands at (u + 1/2) * size / out - 1/2; a whole one needs no neighbour.
        low, rest = divmod((2 * u + 1) * size - out, 2 * out)
        return range(low, low + (2 if rest else 1))

    return Resample.between(size, out, read)


@recognises("onnx.Resize", "onnx.Upsample")
def onnx_resize(foreign: Foreign) -> Recognised | None:
    """Recognise nearest and linear resizing that ask for the positions that torch asks for."""
    x = foreign.ins[0]
    sizes, outs = x.shape[2:], foreign.out[2:]
    mode = foreign.get("mode", "nearest")
    where = foreign.get("coordinate_transformation_mode", "half_pixel")
    axes = foreign.get("axes") or [*range(2, len(x.shape))]
    if foreign.out[1] != x.shape[1] or foreign.get("antialias"):
        return None
    if sorted(axis % len(x.shape) for axis in axes) != [*range(2, len(x.shape))]:
        return None
    if not 1 <= len(sizes) <= 3 or not _whole_scales(foreign.get("scales"), x.shape, foreign.out):
        return None
    grows = all(out % size == 0 for size, out in zip(sizes, outs, strict=True))
    if foreign.target == "onnx.Upsample":
        where = "asymmetric"
    if mode == "nearest":
        rounds = foreign.get("nearest_mode", "round_prefer_floor")
        floor = where == "asymmetric" and rounds == "floor"
        # Whole factors repeat each value, whether counted from edges or from centres.
        centres = where in ("half_pixel", "pytorch_half_pixel") and rounds == "round_prefer_floor"
        if not (floor or (grows and (centres or foreign.target == "onnx.Upsample"))):
            return None
    elif mode == "linear":
        many = min(outs) > 1
        if where != "half_pixel" and not (where == "pytorch_half_pixel" and many):
            return None
    else:
        return None
    kind = "nearest" if mode == "nearest" else "linear"
    if grows:
        factors = short(out // size for size, out in zip(sizes, outs, strict=True))
        return Recognised(Upsample(scale=factors, mode=kind), (x,))
    return Recognised(Upsample(size=short(outs), mode=kind), (x,))


def _whole_scales(scales: Tensor | None, size: Shape, out: Shape) -> bool:
    """Return whether the factors are those of the sizes; others shift what is read."""
    if scales is None or scales.value is None or not scales.value:
        return scales is None or scales.shape == (0,)
    return all(
        abs(factor * a - b) < 1e-4 for factor, a, b in zip(scales.value, size, out, strict=True)
    )


@recognises(
    "aten.upsample_nearest1d.vec", "aten.upsample_nearest2d.vec", "aten.upsample_nearest3d.vec",
    "aten.upsample_linear1d.vec", "aten.upsample_bilinear2d.vec", "aten.upsample_trilinear3d.vec",
)  # fmt: skip
def upsample_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's resizing with half-pixel centres."""
    if foreign.get("align_corners"):
        return None
    (x,) = foreign.ins
    sizes = foreign.out[2:]
    scales = foreign.get("scale_factors")
    if scales and any(n * s != out for n, s, out in zip(x.shape[2:], scales, sizes, strict=True)):
        return None  # torch resizes by the factor, which then is not the ratio of the sizes
    mode = "nearest" if "nearest" in foreign.target else "linear"
    return Recognised(Upsample(size=per_axis_or_one(sizes), mode=mode), (x,))

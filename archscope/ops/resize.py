"""Operators that change the number of positions by resampling."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from struct import pack, unpack
from typing import Annotated, Any

from archscope.axes import Resample
from archscope.errors import ShapeError
from archscope.ir import Call, Example, Shape, Windows, call, text_of
from archscope.onnx_form import Value, X, floats, ints, node
from archscope.ops.attributes import NUMBER, WIDEST, Flag, Kind, Size, array_schema, choice
from archscope.ops.facts import Weightless, saves_nothing
from archscope.ops.foreign import Foreign, Recognised, Tensor, per_axis_or_one, recognises
from archscope.ops.geometry import per_axis, short, spatial
from archscope.ops.registry import op

MODES = ("nearest", "nearest_exact", "linear", "cubic")
Interpolation = Annotated[str, choice(*MODES)]


def _factors(value: Any) -> float | tuple[float, ...]:
    if isinstance(value, list | tuple) and 1 <= len(value) <= 3:
        return tuple(map(_factor, value))
    return _factor(value)


def _factor(value: Any) -> float:
    number = NUMBER.read(value)
    if not 1e-3 <= number <= WIDEST:
        raise ValueError
    return float(number)


_POSITIVE_NUMBER = {"type": "number", "minimum": 1e-3, "maximum": WIDEST}
Factor = Annotated[
    float | tuple[float, ...],
    Kind(
        "a number above 0, or one for each axis",
        _factors,
        {"anyOf": [_POSITIVE_NUMBER, array_schema(_POSITIVE_NUMBER)]},
    ),
]


@op("upsample")
class Upsample(Weightless, frozen=True, kw_only=True):
    """Resize by nearest-neighbour, linear or cubic interpolation."""

    principal = "scale"
    modules = ("nn.Upsample", "archscope.nn.AntialiasedResize")
    keeps_zero = True

    scale: Annotated[Size | None, "factor of the output size"] = None
    size: Annotated[Size | None, "output size, in place of a factor"] = None
    factor: Annotated[
        Factor | None, "fractional factor; positions are computed from it, as in torch"
    ] = None
    mode: Annotated[
        Interpolation,
        "nearest (by the corner of a position) or nearest_exact (by its centre), linear (bilinear"
        " in 2-D, trilinear in 3-D), or cubic (bicubic, 2-D only)",
    ] = "nearest"
    align_corners: Annotated[
        Flag, "align the outermost positions instead of the borders of the map"
    ] = False
    antialias: Annotated[
        Flag,
        "each position is a mean of all that it covers, as Pillow makes maps smaller; 2-D,"
        " linear or cubic, to a whole size",
    ] = False

    @property
    def known_to_tools(self) -> bool:  # type: ignore[override]
        usual = self.mode in ("nearest", "linear") and not self.antialias
        return usual and self.factor is None and not self.align_corners

    def is_identity(self, *ins: Shape) -> bool:
        return self.factor is None and self.shape(*ins) == ins[0]

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        sizes = spatial(x, "upsample")
        if sum(given is not None for given in (self.scale, self.size, self.factor)) != 1:
            raise ShapeError("'upsample' needs either scale, size or factor")
        if self.align_corners and self.mode.startswith("nearest"):
            raise ShapeError(f"'upsample' of mode '{self.mode}' cannot align corners")
        if self.mode == "cubic" and len(sizes) != 2:
            raise ShapeError(f"'upsample' of mode 'cubic' needs 2 spatial axes, got {text_of(x)}")
        if self.antialias and (self.mode.startswith("nearest") or len(sizes) != 2 or self.factor):
            raise ShapeError(
                "'upsample' with 'antialias' needs 2 spatial axes, mode linear or cubic, and scale"
                f" or size, got {text_of(x)}"
            )
        if self.size is not None:
            return x[0], *per_axis(self.size, len(sizes), "size of 'upsample'")
        if self.factor is not None:
            factors = per_axis(self.factor, len(sizes), "factor of 'upsample'")
            outs = tuple(int(size * factor) for size, factor in zip(sizes, factors, strict=True))
            if not all(outs):
                raise ShapeError(f"'upsample' leaves no positions of {text_of(x)}")
            return x[0], *outs
        scales = per_axis(self.scale or 1, len(sizes), "scale of 'upsample'")
        return x[0], *(size * scale for size, scale in zip(sizes, scales, strict=True))

    def window(self, *ins: Shape) -> Windows:
        (x,) = ins
        if self.antialias:
            sizes = zip(x[1:], self.shape(x)[1:], strict=True)
            return tuple(covered(self.mode, a, b, self.align_corners) for a, b in sizes)
        factors: tuple[float | None, ...] = (None,) * (len(x) - 1)
        if self.factor is not None and not self.align_corners:
            factors = per_axis(self.factor, len(x) - 1, "factor of 'upsample'")
        return tuple(
            reads(self.mode, a, b, self.align_corners, factor)
            for a, b, factor in zip(x[1:], self.shape(x)[1:], factors, strict=True)
        )

    def elementwise(self, *ins: Shape) -> int:
        """Count the multiplications and additions of the mixes of 2 or 4 values on each axis.

        Against aliasing the mixes are of all values that count, along one axis and then the other.
        """
        if self.antialias:
            return self._covering(ins[0])
        if self.mode.startswith("nearest"):
            return 0
        each = (1 << len(ins[0])) - 1 if self.mode == "linear" else 7 * (4 + 1)
        return each * prod(self.shape(*ins))

    def _covering(self, x: Shape) -> int:
        """Return the operations of two passes, over the width and then over the height."""
        _, height, width = self.shape(x)
        rows, columns = (
            covered(self.mode, a, b, self.align_corners)
            for a, b in zip(x[1:], (height, width), strict=True)
        )
        across = sum(2 * len(seen) - 1 for seen in columns.reads) * (width // columns.period)
        down = sum(2 * len(seen) - 1 for seen in rows.reads) * (height // rows.period)
        return x[0] * (across * x[1] + down * width)

    saved = saves_nothing

    def torch(self, *ins: Shape) -> Call:
        out = self.shape(*ins)[1:]
        linear = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(out)]
        names = {"linear": linear, "cubic": "bicubic", "nearest_exact": "nearest-exact"}
        words: dict[str, Any] = {"mode": names.get(self.mode, self.mode)}
        if self.align_corners:
            words["align_corners"] = True
        if self.antialias:
            return call("archscope.nn.AntialiasedResize", out, words["mode"], self.align_corners)
        if self.factor is not None:
            return call("nn.Upsample", scale_factor=self.factor, **words)
        return call("nn.Upsample", size=short(out), **words)

    def onnx(self, *ins: Shape) -> Value:
        sizes, out = ins[0][1:], self.shape(*ins)[1:]
        where = "align_corners" if self.align_corners else "half_pixel"
        words: dict[str, Any] = {"mode": self.mode, "coordinate_transformation_mode": where}
        if self.mode == "nearest":
            words = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        if self.mode == "nearest_exact":
            words |= {"mode": "nearest", "nearest_mode": "round_prefer_ceil"}
        if self.mode == "cubic":
            words["cubic_coeff_a"] = -0.5 if self.antialias else -0.75
        if self.antialias:
            words |= {"antialias": 1, "exclude_outside": 1}
        if self.factor is not None:
            factors = per_axis(self.factor, len(sizes), "factor of 'upsample'")
            scales = floats(1, 1, *map(_scale_of, sizes, out, factors))
            return node("Resize", X, None, scales, **words)
        if all(b % a == 0 for a, b in zip(sizes, out, strict=True)):
            scales = floats(1, 1, *(b // a for a, b in zip(sizes, out, strict=True)))
            return node("Resize", X, None, scales, **words)
        if not self.mode.startswith("nearest"):  # which a last digit would move
            ratios = (b / a for a, b in zip(sizes, out, strict=True))
            scales = floats(1, 1, *map(_scale_of, sizes, out, ratios))
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
            Example(cls(size=7, mode="nearest_exact"), ((4, 5),)),
            Example(cls(scale=2, mode="cubic"), ((2, 12, 11),)),
            Example(cls(size=(9, 7), mode="linear", align_corners=True), ((2, 5, 6),)),
            Example(cls(size=(9, 13), mode="cubic", align_corners=True), ((2, 8, 7),)),
            Example(cls(factor=1.3), ((2, 9, 10),)),
            Example(cls(factor=(1.3, 0.7), mode="linear"), ((2, 9, 10),)),
            Example(cls(size=(5, 4), mode="linear", antialias=True), ((2, 12, 13),)),
            Example(cls(size=(7, 4), mode="cubic", antialias=True), ((2, 12, 24),)),
        )


def reads(mode: str, size: int, out: int, corners: bool, factor: float | None) -> Resample:
    """Return which positions each output reads along an axis.

    The pattern repeats where positions follow from the sizes alone; it is all outputs where the
    corners are aligned or a factor is given.
    """
    if factor is not None:
        pattern = tuple(_near(_place(mode, u, factor), mode, size) for u in range(out))
        return Resample(size, pattern)
    if corners:
        return Resample(size, tuple(_on_corners(u, mode, size, out) for u in range(out)))
    if mode == "nearest":
        return Resample.between(size, out, lambda u: range(u * size // out, u * size // out + 1))
    if mode == "nearest_exact":
        centre = 2 * out
        return Resample.between(
            size,
            out,
            lambda u: range((2 * u + 1) * size // centre, (2 * u + 1) * size // centre + 1),
        )
    more = 0 if mode == "linear" else 1

    def read(u: int) -> range:
        # The source stands at (u + 1/2) * size / out - 1/2; a whole one needs no neighbour.
        low, rest = divmod((2 * u + 1) * size - out, 2 * out)
        return range(low - more, low + 2 + more) if rest else range(low, low + 1)

    return Resample.between(size, out, read)


def covered(mode: str, size: int, out: int, corners: bool) -> Resample:
    """Return which positions each output is a mean of along an axis, against aliasing.

    The filter, a triangle or a cubic, is as wide as the step from output to output; positions
    where it is 0 are left out.
    """
    step = size / out
    if corners:
        step = (size - 1) / (out - 1) if out > 1 else 0.0
    wide = max(step, 1.0)
    reach = (1 if mode == "linear" else 2) * wide

    def read(place: int) -> range:
        centre = step * (place + 0.5)
        first = max(int(centre - reach + 0.5), 0)
        stop = min(int(centre + reach + 0.5), size)
        ends = [at for at in range(first, stop) if _is_inside(abs(at + 0.5 - centre) / wide, mode)]
        return range(ends[0], ends[-1] + 1)

    return Resample(size, tuple(read(place) for place in range(out)))


def _is_inside(distance: float, mode: str) -> bool:
    """Return whether a filter is not 0 at a distance, in steps; a cubic is 0 at 1 and 2."""
    last = 1 if mode == "linear" else 2
    return distance < last - 1e-6


def _on_corners(u: int, mode: str, size: int, out: int) -> range:
    low, rest = divmod(u * (size - 1), out - 1) if out > 1 else (0, 0)
    more = 0 if mode == "linear" else 1
    if not rest:
        return range(low, low + 1)
    return range(max(0, low - more), min(size, low + 2 + more))


def _place(mode: str, u: int, factor: float) -> float:
    """Return where torch looks for an output, in single precision as it does."""
    step = _single(1 / factor)
    if mode == "nearest":
        return _single(u * step)
    return _single(step * (u + 0.5)) if mode == "nearest_exact" else _single(step * (u + 0.5) - 0.5)


def _scale_of(size: int, out: int, factor: float) -> float:
    """Return a factor in single precision that gives the same number of outputs."""
    scale = _single(factor)
    while scale * size < out:  # onnx multiplies in double precision, runtimes in single
        scale = _single(scale * (1 + 2**-23))
    return scale


def _single(value: float) -> float:
    return float(unpack("f", pack("f", value))[0])


def _near(place: float, mode: str, size: int) -> range:
    """Return the positions around a place, as far as there are any."""
    low = int(place // 1)
    if mode.startswith("nearest"):
        low = min(low, size - 1)
        return range(low, low + 1)
    more = 0 if mode == "linear" else 1
    if place <= 0 and mode == "linear":
        return range(1)
    return range(max(0, low - more), min(size, low + 2 + more))


@recognises("onnx.Resize", "onnx.Upsample")
def onnx_resize(foreign: Foreign) -> Recognised | None:
    """Recognise nearest and linear resizing with the same positions as in torch."""
    x = foreign.ins[0]
    sizes, outs = x.shape[2:], foreign.out[2:]
    mode = foreign.get("mode", "nearest")
    where = foreign.get("coordinate_transformation_mode", "half_pixel")
    axes = foreign.get("axes") or [*range(2, len(x.shape))]
    if foreign.out[1] != x.shape[1] or foreign.get("antialias"):
        return None
    if foreign.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        return None  # by one factor, of which the sizes are rounded
    if sorted(axis % len(x.shape) for axis in axes) != [*range(2, len(x.shape))]:
        return None
    scaled = [(x.shape[axis], foreign.out[axis]) for axis in axes]
    if foreign.get("axes") is None:
        scaled = [*zip(x.shape, foreign.out, strict=True)]
    if not 1 <= len(sizes) <= 3 or not _whole_scales(foreign.get("scales"), scaled):
        return None
    grows = all(out % size == 0 for size, out in zip(sizes, outs, strict=True))
    if foreign.target == "onnx.Upsample":
        where = "asymmetric"
    if mode == "nearest":
        rounds = foreign.get("nearest_mode", "round_prefer_floor")
        floor = where == "asymmetric" and rounds == "floor"
        # Integer factors repeat each value, whether counted from edges or from centres.
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


def _whole_scales(scales: Tensor | None, sizes: Sequence[tuple[int, int]]) -> bool:
    """Return whether the factors are the ratios of the sizes; others shift positions."""
    if scales is None or scales.value is None or not scales.value:
        return scales is None or scales.shape == (0,)
    return all(
        abs(factor * a - b) < 1e-4 for factor, (a, b) in zip(scales.value, sizes, strict=True)
    )


TARGETS = {
    "nearest": ("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d"),
    "nearest_exact": (
        "_upsample_nearest_exact1d", "_upsample_nearest_exact2d", "_upsample_nearest_exact3d",
    ),
    "linear": ("upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d"),
    "cubic": ("upsample_bicubic2d",),
}  # fmt: skip
ANTIALIASED = {"linear": ("_upsample_bilinear2d_aa",), "cubic": ("_upsample_bicubic2d_aa",)}
MODE_OF = {
    f"aten.{name}.{kind}": mode
    for table in (TARGETS, ANTIALIASED)
    for mode, names in table.items()
    for name in names
    for kind in ("vec", "default")
}


@recognises(*MODE_OF)
def upsample_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's resizing to a size, or by a factor from which positions are computed."""
    (x,) = foreign.ins
    sizes, mode = foreign.out[2:], MODE_OF[foreign.target]
    factors = foreign.get("scale_factors")
    if factors is None:
        factors = [foreign.args[word] for word in foreign.args if word.startswith("scales")]
    corners, smooth = bool(foreign.get("align_corners")), "_aa." in foreign.target
    ratios = [*zip(x.shape[2:], factors or (), sizes, strict=False)]
    if any(factor is not None and size * factor != out for size, factor, out in ratios):
        if corners or smooth or None in factors:
            return None
        factor = per_axis_or_one(tuple(float(value) for value in factors))
        return Recognised(Upsample(factor=factor, mode=mode), (x,))
    found = Upsample(
        size=per_axis_or_one(sizes), mode=mode, align_corners=corners, antialias=smooth
    )
    return Recognised(found, (x,))

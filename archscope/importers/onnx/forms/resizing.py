"""Resizing to a size, in ways that torch's own functions compute alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archscope.importers.onnx.forms.applied import Applied, Chain, Steps, form, last, single
from archscope.ir import Shape
from archscope.ops.foreign import Foreign, round_float

RESIZED = {
    ("linear", "align_corners"): (
        "upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d",
    ),
    ("linear", "half_pixel"): ("upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d"),
    ("cubic", "half_pixel"): ("", "upsample_bicubic2d"),
    ("cubic", "align_corners"): ("", "upsample_bicubic2d"),
}  # fmt: skip
"""torch's functions for 1, 2 and 3 spatial axes, by the mode and how positions are computed."""


@form("Resize")
def _resize(applied: Applied) -> Steps:
    """Resize to a size, in ways that only torch's own function computes alike."""
    x, out, mode = applied.x, applied.out, applied.attribute("mode", "nearest")
    where = applied.attribute("coordinate_transformation_mode", "half_pixel")
    sizes = x.shape[2:]
    if applied.attribute("keep_aspect_ratio_policy", "stretch") != "stretch":
        return ()  # by one factor, of which the sizes are rounded
    if where == "pytorch_half_pixel" and min(out[2:]) > 1:
        where = "half_pixel"
    if mode == "linear" and where == "asymmetric" and not applied.attribute("antialias"):
        return _resized_from_corners(applied)
    if applied.attribute("antialias"):
        return _smoothed(applied, where)
    plain = {"cubic_coeff_a": -0.75, "exclude_outside": 0}
    if any(applied.attribute(word, usual) != usual for word, usual in plain.items()):
        return ()
    if mode == "nearest":
        return _nearest(applied)
    factors = _factors(applied)
    words: dict[str, Any] = {"align_corners": where == "align_corners"}
    if where != "align_corners" and not _whole(factors, sizes, out[2:]):
        if where != "half_pixel":
            return ()
        words["scale_factors"] = tuple(map(round_float, factors))
    where = "half_pixel" if where == "half_pixel_symmetric" else where  # the same for whole sizes
    return single(applied, f"{RESIZED[mode, where][len(sizes) - 1]}.vec", input=x, **words)


def _smoothed(applied: Applied, where: str) -> Steps:
    """Resize with means of the values that a smaller map has for each of its own."""
    mode, out = applied.attribute("mode"), applied.out[2:]
    fits = len(out) == 2 and _whole(_factors(applied), applied.x.shape[2:], out)
    cubic = mode == "cubic" and applied.attribute("cubic_coeff_a", -0.75) == -0.5
    if not fits or where not in ("half_pixel", "align_corners") or not (cubic or mode == "linear"):
        return ()
    if not applied.attribute("exclude_outside"):
        return ()
    name = "bicubic" if cubic else "bilinear"
    return single(applied, f"_upsample_{name}2d_aa.vec", input=applied.x,
                  align_corners=where == "align_corners")  # fmt: skip


def _whole(factors: Sequence[float], sizes: Shape, made: Shape) -> bool:
    """Return whether factors are the ratios of the sizes."""
    pairs = zip(factors, sizes, made, strict=True)
    return all(abs(factor * size - count) <= 1e-4 for factor, size, count in pairs)


NEAREST = {
    0.0: ("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d"),
    0.5: ("_upsample_nearest_exact1d", "_upsample_nearest_exact2d", "_upsample_nearest_exact3d"),
}  # fmt: skip
"""torch's functions by the shift of places, which are divided by the factor and rounded down."""


def _nearest(applied: Applied) -> Steps:
    """Take the nearest values: by torch's own function, or at a list of places along each axis."""
    x, out = applied.x, applied.out
    rank = len(x.shape) - 2
    tables = [_places(applied, axis, factor) for axis, factor in enumerate(_factors(applied), 2)]
    sizes = [*zip(x.shape[2:], out[2:], strict=True)]
    for shift, names in NEAREST.items():
        if rank <= len(names) and tables == [_floors(*pair, shift) for pair in sizes]:
            return single(applied, f"{names[rank - 1]}.vec", input=x)
    chain = Chain()
    for axis, (table, (size, made)) in enumerate(zip(tables, sizes, strict=True), 2):
        if table != [*range(size)]:
            index = applied.places(f"|axis {axis}", table)
            shape = *x.shape[:axis], made, *x.shape[axis + 1 :]
            x = chain.add("index_select.default", shape, self=x, dim=axis, index=index)
    return chain.steps


def _floors(size: int, made: int, shift: float) -> list[int]:
    import numpy

    step = numpy.float32(size / made)
    places = numpy.floor((numpy.arange(made, dtype=numpy.float32) + numpy.float32(shift)) * step)
    return [*map(int, numpy.minimum(places, size - 1))]


def _places(applied: Applied, axis: int, factor: float) -> list[int]:
    """Return the place along an axis that each result is taken from.

    Raises LookupError where it depends on how a runtime rounds.
    """
    import numpy

    where = applied.attribute("coordinate_transformation_mode", "half_pixel")
    size, made = applied.x.shape[axis], applied.out[axis]
    if size == made and factor != 1:
        raise LookupError("runtimes copy the input")
    one, half = numpy.float32, 0.5  # a Python number keeps the precision of an array
    scale = one(factor)
    found = []
    kind: Any
    for kind, multiplied in ((one, False), (one, True), (numpy.float64, False)):
        place, divisor = numpy.arange(made, dtype=kind), kind(scale)
        at, shifted = (
            value * (kind(1) / divisor) if multiplied else value / divisor
            for value in (place, place + half)
        )
        centred = shifted - half
        if where == "half_pixel_symmetric":
            centred = centred + size / 2 * (1 - made / (scale * size))
        at = {
            "asymmetric": at, "half_pixel": centred, "half_pixel_symmetric": centred,
            "pytorch_half_pixel": centred if made > 1 else 0 * at,
            "tf_half_pixel_for_nn": shifted,
            "align_corners": numpy.arange(made, dtype=one) * one(size - 1) / one(max(made - 1, 1)),
        }[where]  # fmt: skip
        found.append(numpy.clip(_rounded(applied, at), 0, size - 1).astype(int).tolist())
    if found[1:] != found[:-1]:
        raise LookupError("places between two values")
    return [*found[0]]


def _rounded(applied: Applied, at: Any) -> Any:
    """Return places as whole numbers."""
    import numpy

    away = numpy.where(at < 0, -1, 1) * numpy.floor(numpy.abs(at) + 0.5)  # C's rounding
    below = numpy.trunc(at)
    return {
        "floor": numpy.floor(at), "ceil": numpy.ceil(at), "round_prefer_ceil": away,
        "round_prefer_floor": numpy.where(at == below + 0.5, below, away),
    }[applied.attribute("nearest_mode", "round_prefer_floor")]  # fmt: skip


def _resized_from_corners(applied: Applied) -> Steps:
    """Resize so that the corners before all positions are aligned, as those of TensorFlow 1 were.

    With the last values repeated once, the next position of either map is aligned as well.
    """
    x, out = applied.x, applied.out
    rank = len(x.shape) - 2
    if not _whole(_factors(applied), x.shape[2:], out[2:]):
        return ()
    longer, more = ((*shape[:2], *(size + 1 for size in shape[2:])) for shape in (x.shape, out))
    pad = {"self": x, "pad": (0, 1) * rank, "mode": "replicate", "value": 0.0}
    steps = [Foreign("aten.pad.default", pad, longer)]
    name = RESIZED["linear", "align_corners"][rank - 1]
    resize = {"input": last(longer), "align_corners": True}
    steps.append(Foreign(f"aten.{name}.vec", resize, more))
    shape = more
    for axis in range(2, rank + 2):
        cut = {"self": last(shape), "dim": axis, "start": 0, "end": out[axis], "step": 1}
        shape = *shape[:axis], out[axis], *shape[axis + 1 :]
        steps.append(Foreign("aten.slice.Tensor", cut, shape))
    return steps


def _factors(applied: Applied) -> Sequence[float]:
    """Return the stated factors of the spatial axes, or those of the sizes.

    Raises LookupError if the batch or the channels are resized.
    """
    x, out = applied.x.shape, applied.out
    factors = [made / size for made, size in zip(out, x, strict=True)]
    if applied.given(2) is not None and applied.array(2).size:
        given = applied.array(2).reshape(-1).tolist()
        axes = applied.attribute("axes") or range(len(x))
        stated = {at % len(x): factor for at, factor in zip(axes, given, strict=True)}
        factors = [stated.get(axis, 1.0) for axis in range(len(x))]
    if any(factor != 1 for factor in factors[:2]):
        raise LookupError("channels")
    return factors[2:]

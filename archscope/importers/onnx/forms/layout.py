"""Operators that move values: slices, permutations, padding, resizing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archscope.importers.onnx.forms.applied import Applied, Steps, form, last, single
from archscope.ops.foreign import Foreign, Tensor


@form("Range")
def _range(applied: Applied) -> Steps:
    """A part along one axis, as the patterns write slices and splits."""
    words = {word: applied.attribute(word) for word in ("start", "stop")}
    return single(applied, "slice.Tensor", self=applied.x, dim=applied.attribute("axis"),
                start=words["start"], end=words["stop"], step=1)  # fmt: skip


@form("Slice")
def _slice(applied: Applied) -> Steps:
    starts, ends = applied.integers(1, "starts") or (), applied.integers(2, "ends") or ()
    axes = applied.integers(3, "axes") or tuple(range(len(starts)))
    strides = applied.integers(4) or (1,) * len(starts)
    shape, x = list(applied.x.shape), applied.x
    steps: list[Foreign] = []
    for start, end, at, step in zip(starts, ends, axes, strides, strict=True):
        axis = at % len(shape)
        places = range(shape[axis])[start:end:step]
        args: dict[str, Any] = {"self": last(tuple(shape)) if steps else x}
        if places == range(shape[axis]):
            continue
        shape[axis] = len(places)
        if step < 0:  # of the axis in the other direction
            whole = args["self"].shape
            steps.append(Foreign("aten.flip.default", {**args, "dims": (axis,)}, whole))
            args["self"], most = last(whole), whole[axis] - 1
            places = range(most - places.start, most - places.stop, -step)
        if places != range(args["self"].shape[axis]):
            args |= {"dim": axis, "start": places.start, "end": places.stop, "step": abs(step)}
            steps.append(Foreign("aten.slice.Tensor", args, tuple(shape)))
    return steps or single(applied, "alias.default", self=x)


@form("Concat")
def _concat(applied: Applied) -> Steps:
    return single(applied, "cat.default", tensors=applied.tensors, dim=applied.attribute("axis"))


@form("Transpose")
def _transpose(applied: Applied) -> Steps:
    order = applied.attribute("perm") or [*range(len(applied.out))][::-1]
    return single(applied, "permute.default", self=applied.x, dims=tuple(order))


@form("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def _reshape(applied: Applied) -> Steps:
    return single(applied, "reshape.default", self=applied.x)


@form("Expand")
def _expand(applied: Applied) -> Steps:
    return single(applied, "expand.default", self=applied.x, size=applied.out)


@form("Tile")
def _tile(applied: Applied) -> Steps:
    return single(applied, "repeat.default", self=applied.x, repeats=applied.integers(1))


@form("Gather")
def _gather(applied: Applied) -> Steps:
    x, index, axis = applied.x, applied.input(1), applied.attribute("axis", 0)
    if x.constant:
        return single(applied, "embedding.default", weight=x, indices=index) if axis == 0 else ()
    places = applied.array(1)
    if places.ndim == 0:
        return single(applied, "select.int", self=x, dim=axis, index=int(places))
    if places.ndim > 1:
        return ()
    value = tuple(map(int, places))
    at = Tensor(index.name, index.shape, constant=True, value=value)
    return single(applied, "index_select.default", self=x, dim=axis, index=at)


@form("GatherElements")
def _gather_elements(applied: Applied) -> Steps:
    axis = applied.attribute("axis", 0)
    return single(applied, "gather.default", self=applied.x, dim=axis, index=applied.input(1))


@form("Pad")
def _pad(applied: Applied) -> Steps:
    modes = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    pads, rank = applied.integers(1, "pads") or (), len(applied.x.shape)
    axes = applied.integers(3) or tuple(range(rank))
    pairs = {at % rank: (pads[i], pads[len(axes) + i]) for i, at in enumerate(axes)}
    value = applied.attribute("value", 0.0)
    if applied.given(2) is not None:
        value = float(applied.array(2).reshape(()))
    flat = tuple(n for at in range(rank)[::-1] for n in pairs.get(at, (0, 0)))
    mode = modes[applied.attribute("mode", "constant")]
    return single(applied, "pad.default", self=applied.x, pad=flat, mode=mode, value=value)


@form("SpaceToDepth")
def _space_to_depth(applied: Applied) -> Steps:
    args = {"X": applied.x, "block": applied.attribute("blocksize"), "order": "row"}
    return (Foreign("onnx.Unshuffle", args, applied.out),)


@form("GridSample")
def _grid_sample(applied: Applied) -> Steps:
    modes = {"linear": 0, "bilinear": 0, "nearest": 1, "cubic": 2, "bicubic": 2}
    paddings = ("zeros", "border", "reflection")
    return single(applied, "grid_sampler.default", input=applied.x, grid=applied.input(1),
                interpolation_mode=modes[applied.attribute("mode", "linear")],
                padding_mode=paddings.index(applied.attribute("padding_mode", "zeros")),
                align_corners=bool(applied.attribute("align_corners", 0)))  # fmt: skip


RESIZED = {
    ("linear", "align_corners"): (
        "upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d",
    ),
    ("cubic", "half_pixel"): ("", "upsample_bicubic2d"),
    ("cubic", "align_corners"): ("", "upsample_bicubic2d"),
    ("nearest", "half_pixel"): (
        "_upsample_nearest_exact1d", "_upsample_nearest_exact2d", "_upsample_nearest_exact3d",
    ),
}  # fmt: skip
"""torch's functions for 1, 2 and 3 spatial axes, by the mode and how positions are computed."""


@form("Resize")
def _resize(applied: Applied) -> Steps:
    """Resize to a size, in ways that only torch's own function computes alike."""
    x, out, mode = applied.x, applied.out, applied.attribute("mode", "nearest")
    where = applied.attribute("coordinate_transformation_mode", "half_pixel")
    sizes = x.shape[2:]
    if where == "pytorch_half_pixel" and min(out[2:]) > 1:
        where = "half_pixel"
    if mode == "linear" and where == "asymmetric" and not applied.attribute("antialias"):
        return _resized_from_corners(applied)
    plain = {"cubic_coeff_a": -0.75, "exclude_outside": 0, "antialias": 0}
    if any(applied.attribute(word, usual) != usual for word, usual in plain.items()):
        return ()
    if mode == "nearest" and applied.attribute("nearest_mode") != "round_prefer_ceil":
        return ()
    pairs = zip(_factors(applied), sizes, out[2:], strict=True)
    if any(abs(factor * size - made) > 1e-4 for factor, size, made in pairs):
        return ()
    name = RESIZED[mode, where][len(sizes) - 1]
    return single(applied, f"{name}.vec", input=x, align_corners=where == "align_corners")


def _resized_from_corners(applied: Applied) -> Steps:
    """Resize so that the corners before all positions are aligned, as those of TensorFlow 1 were.

    With the last values repeated once, the next position of either map is aligned as well.
    """
    x, out = applied.x, applied.out
    rank, pairs = len(x.shape) - 2, zip(_factors(applied), x.shape[2:], out[2:], strict=True)
    if any(abs(factor * size - made) > 1e-4 for factor, size, made in pairs):
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
    """Return the stated factors of the spatial axes, or those of the sizes."""
    sizes = applied.x.shape[2:]
    if applied.given(2) is not None and applied.array(2).size:
        return [float(factor) for factor in applied.array(2).reshape(-1)[-len(sizes) :]]
    return [made / size for made, size in zip(applied.out[2:], sizes, strict=True)]


@form("DepthToSpace")
def _depth_to_space(applied: Applied) -> Steps:
    """Move blocks of channels to positions, where the channels of a position are not adjacent."""
    images, channels, height, width = applied.x.shape
    block = applied.attribute("blocksize")
    if applied.attribute("mode", "DCR") != "DCR":
        return ()
    apart = (images, block, block, channels // block**2, height, width)
    turned = tuple(apart[axis] for axis in (0, 3, 4, 1, 5, 2))
    order = {"self": last(apart), "dims": (0, 3, 4, 1, 5, 2)}
    return (
        Foreign("aten.reshape.default", {"self": applied.x}, apart),
        Foreign("aten.permute.default", order, turned),
        Foreign("aten.reshape.default", {"self": last(turned)}, applied.out),
    )

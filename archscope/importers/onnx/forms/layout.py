"""Operators that move values: slices, permutations, padding, resizing."""

from __future__ import annotations

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
        if step < 0:
            if len(places) != args["self"].shape[axis] or step != -1:
                return ()
            steps.append(Foreign("aten.flip.default", {**args, "dims": (axis,)}, tuple(shape)))
        else:
            args |= {"dim": axis, "start": places.start, "end": places.stop, "step": step}
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


@form("OneHot")
def _one_hot(applied: Applied) -> Steps:
    (classes,), ends = applied.integers(1) or (0,), applied.array(2).tolist()
    behind = applied.attribute("axis", -1) in (-1, len(applied.out) - 1)
    if ends != [0, 1] or not behind:
        return ()
    return single(applied, "one_hot.default", self=applied.x, num_classes=classes)


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
    plain = {"cubic_coeff_a": -0.75, "exclude_outside": 0, "antialias": 0}
    if any(applied.attribute(word, usual) != usual for word, usual in plain.items()):
        return ()
    if mode == "nearest" and applied.attribute("nearest_mode") != "round_prefer_ceil":
        return ()
    if applied.given(2) is not None and applied.array(2).size:
        factors = applied.array(2).reshape(-1)[-len(sizes) :]
        if any(abs(f * n - m) > 1e-4 for f, n, m in zip(factors, sizes, out[2:], strict=True)):
            return ()
    name = RESIZED[mode, where][len(sizes) - 1]
    return single(applied, f"{name}.vec", input=x, align_corners=where == "align_corners")


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

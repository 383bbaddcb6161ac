"""Operators that move values: slices, permutations, padding, resizing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archscope.importers.onnx.forms.applied import Applied, Chain, Steps, form, last, single
from archscope.ops.foreign import Foreign


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
        if step == 1 and applied.out[axis] == shape[axis]:  # as of the axis of a single image
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


@form("Pad")
def _pad(applied: Applied) -> Steps:
    modes = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    pads, rank = applied.integers(1, "pads") or (), len(applied.x.shape)
    axes = applied.integers(3) or tuple(range(rank))
    pairs = {at % rank: (pads[i], pads[len(axes) + i]) for i, at in enumerate(axes)}
    value = applied.attribute("value", 0.0)
    if applied.given(2) is not None:
        value = float(applied.array(2).reshape(()))
    mode = modes[applied.attribute("mode", "constant")]
    if mode != "constant" and any(pairs.get(1, ())):
        return _repeated_values(applied, mode, pairs)
    return padded(applied, pairs, mode, value)


def padded(
    applied: Applied, pairs: Mapping[int, tuple[int, int]], mode: str, value: float
) -> Steps:
    """Return padding before and after each axis; negative padding crops."""
    axes = range(len(applied.x.shape))[::-1]
    flat = tuple(n for at in axes for n in pairs.get(at, (0, 0)))
    return single(applied, "pad.default", self=applied.x, pad=flat, mode=mode, value=value)


def _repeated_values(applied: Applied, mode: str, pairs: Mapping[int, tuple[int, int]]) -> Steps:
    """Return padding with values of the input, along the channels too, as selections of these."""
    chain, x = Chain(), applied.x
    for axis, (before, after) in sorted(pairs.items()):
        size = x.shape[axis]
        if not before and not after:
            continue
        places = [_place(at, size, mode) for at in range(-before, size + after)]
        index = applied.places(f"|axis {axis}", places)
        shape = *x.shape[:axis], len(places), *x.shape[axis + 1 :]
        x = chain.add("index_select.default", shape, self=x, dim=axis, index=index)
    return chain.steps


def _place(at: int, size: int, mode: str) -> int:
    """Return the place whose value stands at one outside of the input."""
    if mode == "replicate":
        return min(max(at, 0), size - 1)
    if mode == "circular":
        return at % size
    period = max(2 * size - 2, 1)
    return min(at % period, period - at % period)


@form("CenterCropPad")
def _centred(applied: Applied) -> Steps:
    """Pad with zeros or crop around the middle, up to the shape of the result."""
    pairs = {}
    for axis, (size, made) in enumerate(zip(applied.x.shape, applied.out, strict=True)):
        cut, added = max(size - made, 0), max(made - size, 0)
        before = added // 2 - cut // 2
        pairs[axis] = (before, made - size - before)
    return padded(applied, pairs, "constant", 0.0)


@form("Trilu")
def _triangle(applied: Applied) -> Steps:
    """Fill what is on the other side of a diagonal with zeros."""
    import numpy

    (diagonal,) = applied.integers(1) or (0,)
    x, out = applied.x, applied.out
    rows, columns = out[-2:]
    upper = bool(applied.attribute("upper", 1))
    kept = (
        numpy.tri(rows, columns, diagonal)
        if not upper
        else 1 - numpy.tri(rows, columns, diagonal - 1)
    )
    shape = (*(1 for _ in out[:-2]), rows, columns)
    gone = applied.made("|mask", (1 - kept).astype(numpy.float32).reshape(shape))
    return single(applied, "masked_fill.Scalar", self=x, mask=gone, value=0.0)


@form("ReverseSequence")
def _reversed(applied: Applied) -> Steps:
    """Reverse the beginning of each sequence, where all beginnings have the same length."""
    x, axis = applied.x, applied.attribute("time_axis", 0)
    lengths = set(applied.array(1).reshape(-1).tolist())
    if len(lengths) != 1:
        return ()
    (length,) = map(int, lengths)
    places = applied.places("|order", [*range(length)[::-1], *range(length, x.shape[axis])])
    return single(applied, "index_select.default", self=x, dim=axis, index=places)


@form("Col2Im")
def _columns(applied: Applied) -> Steps:
    """Add up windows that are columns to a map."""
    size, kernel = applied.integers(1) or (), applied.integers(2) or ()
    rank = len(size)
    pads = applied.attribute("pads") or [0] * 2 * rank
    if rank != 2 or pads[:rank] != pads[rank:]:
        return ()
    words = {
        word: tuple(applied.attribute(f"{word}s") or (1, 1)) for word in ("stride", "dilation")
    }
    return single(applied, "col2im.default", self=applied.x, output_size=size, kernel_size=kernel,
                padding=tuple(pads[:rank]), **words)  # fmt: skip


@form("SpaceToDepth")
def _space_to_depth(applied: Applied) -> Steps:
    order = {"DCR": "row", "CRD": "channel"}[applied.attribute("mode", "DCR")]
    args = {"X": applied.x, "block": applied.attribute("blocksize"), "order": order}
    return (Foreign("onnx.Unshuffle", args, applied.out),)


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

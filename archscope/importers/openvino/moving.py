"""Layers that move, part and join values, and compute with shapes."""

from __future__ import annotations

from itertools import permutations
from typing import Any

from archscope.errors import UnavailableError
from archscope.importers.openvino.translation import Translation, layer
from archscope.importers.openvino.weights_file import onnx_type

END = 2**31 - 1
"""Where slices end that have no end."""

PADDING = {"constant": "constant", "edge": "edge", "reflect": "reflect"}
"""ONNX's modes of padding."""

DIRECT = {"Tile": "Tile", "GatherND": "GatherND", "ScatterNDUpdate": "ScatterND", "Range": "Range"}
"""Layers with the inputs of ONNX's operators."""


@layer("Reshape")
def reshape(t: Translation) -> str:
    """Write another shape, in which a zero may stand for the size of the input's axis."""
    target = t.value_of(1)
    keeps = t.flag("special_zero")
    if t.weights.missing:
        target, keeps = t.constant(_open(t.out().dims)), True
    return str(t.op("Reshape", t.value_of(0), target, allowzero=int(not keeps)))


def _open(dims: list[int]) -> list[int]:
    """Return a shape with the only axis of any size open. Raises UnavailableError for several."""
    if dims.count(-1) > 1:
        raise UnavailableError("a shape is in the file of weights, which is missing")
    return dims


@layer("Squeeze", "Unsqueeze")
def squeeze(t: Translation) -> str:
    """Write axes of size 1 that come or go."""
    if t.weights.missing:
        return t.reshaped(t.value_of(0), _open(t.out().dims))
    axes = [t.constant(t.list_of(1))] if len(t.layer.inputs) > 1 else []
    return str(t.op(t.layer.kind, t.value_of(0), *axes))


@layer("Transpose")
def transpose(t: Translation) -> str:
    """Write another order of axes."""
    rank = len(t.dims())
    order = _order_by_shape(t) if t.weights.missing else t.list_of(1)
    return t.turned(t.value_of(0), order or range(rank)[::-1])


def _order_by_shape(t: Translation) -> list[int]:
    """Return the order of axes that shapes tell, for a file without its numbers.

    Raises UnavailableError if several fit.
    """
    dims, out = t.dims(), t.out().dims
    if len(dims) <= 6:
        fitting = [
            order
            for order in permutations(range(len(dims)))
            if [dims[axis] for axis in order] == out and order[0] == 0
        ]
        if len(fitting) == 1:
            return list(fitting[0])
        # Two axes of the same size: the order in which groups of channels are shuffled.
        if (0, 2, 1, *range(3, len(dims))) in fitting and len(dims) == 5:
            return [0, 2, 1, 3, 4]
    return t.list_of(1)


@layer("Concat")
def concat(t: Translation) -> str:
    """Write values one after another."""
    return str(t.op("Concat", *t.inputs, axis=t.integer("axis")))


@layer("Split")
def split(t: Translation) -> list[str]:
    """Write equal parts."""
    if t.weights.missing:
        (axis,) = [at for at, size in enumerate(t.dims()) if size != t.out().dims[at]]
    else:
        (axis,) = t.list_of(1)
    count = t.integer("num_splits")
    if count == 1:
        return [t.value_of(0)]
    return list(t.op("Split", t.value_of(0), outputs=count, axis=axis, num_outputs=count))


@layer("VariadicSplit")
def variadic_split(t: Translation) -> list[str]:
    """Write parts of given sizes, of which one may be the rest."""
    outs = [port.dims for port in t.layer.outputs.values()]
    if t.weights.missing:
        (axis,) = {at for out in outs for at, size in enumerate(out) if size != t.dims()[at]}
    else:
        (axis,) = t.list_of(1)
    rank = len(t.dims())
    axis %= rank
    if len(outs) == 1:
        return [t.value_of(0)]
    sizes = [out[axis] for out in outs]
    lengths = t.value_of(2)
    if min(sizes) >= 0:
        lengths = t.constant(sizes)
    elif t.known(2) is not None:
        lengths = t.constant(_lengths(t, t.list_of(2), axis))
    return list(t.op("Split", t.value_of(0), lengths, outputs=len(outs), axis=axis))


def _lengths(t: Translation, lengths: list[int], axis: int) -> list[int]:
    """Return the sizes of parts, of which one may be -1 for the rest."""
    rest = t.dims()[axis] - sum(size for size in lengths if size > 0)
    return [rest if size < 0 else size for size in lengths]


@layer("StridedSlice")
def strided_slice(t: Translation) -> str:
    """Write a slice with masks for the ends that are open, and axes that come or go."""
    masks = {
        word: t.integers_of(f"{word}_mask")
        for word in ("begin", "end", "new_axis", "shrink_axis", "ellipsis")
    }
    (count,) = t.dims(1)
    if any(masks["ellipsis"]) or any(masks["new_axis"]):
        return _known_slice(t, masks, count)
    steps = t.list_of(3) if len(t.layer.inputs) > 3 else [1] * count
    shrunk = [at for at in range(count) if masks["shrink_axis"][at : at + 1] == [1]]
    axes = [at for at in range(count) if at not in shrunk]
    x = t.value_of(0)
    if axes:
        begin, end = (
            _ends(t, place, mask, steps, axes)
            for place, mask in ((1, masks["begin"]), (2, masks["end"]))
        )
        step = t.constant([steps[at] for at in axes])
        x = str(t.op("Slice", x, begin, end, t.constant(axes), step))
    for at in reversed(shrunk):
        index = t.op("Gather", t.value_of(1), t.constant(at), axis=0)
        x = str(t.op("Gather", x, index, axis=at))
    return x


def _ends(t: Translation, place: int, mask: list[int], steps: list[int], axes: list[int]) -> str:
    """Write where the slices of some axes begin or end."""
    import numpy

    first = place == 1
    is_open = [mask[at : at + 1] != [0] if mask[at:] else False for at in axes]
    value = t.op("Gather", t.value_of(place), t.constant(axes), axis=0)
    if not any(is_open):
        return str(value)
    limits = [0 if (steps[at] > 0) == first else END if steps[at] > 0 or first else -END
              for at in axes]  # fmt: skip
    masked = t.constant(is_open, numpy.bool_)
    return str(t.op("Where", masked, t.constant(limits), value))


def _known_slice(t: Translation, masks: dict[str, list[int]], count: int) -> str:
    """Write a slice that adds axes, or names only the first and last ones."""
    begin, end = t.list_of(1), t.list_of(2)
    steps = t.list_of(3) if len(t.layer.inputs) > 3 else [1] * count
    has = {word: [*mask, *[0] * count][:count] for word, mask in masks.items()}
    named = sum(not has["new_axis"][at] and not has["ellipsis"][at] for at in range(count))
    x, axis, out = t.value_of(0), 0, 0
    new: list[int] = []
    gone: list[int] = []
    starts, ends, axes, strides = (list[int]() for _ in range(4))
    for at in range(count):
        if has["ellipsis"][at]:
            skipped = len(t.dims()) - named
            axis, out = axis + skipped, out + skipped
        elif has["new_axis"][at]:
            new.append(out)
            out += 1
        else:
            last = begin[at] + 1 if begin[at] != -1 else END
            if has["shrink_axis"][at]:
                gone.append(axis)
            axes.append(axis)
            starts.append(0 if has["begin"][at] and steps[at] > 0 else begin[at])
            opened = END if has["end"][at] else end[at]
            ends.append(last if has["shrink_axis"][at] else opened)
            strides.append(steps[at])
            axis, out = axis + 1, out + (not has["shrink_axis"][at])
    if axes:
        x = str(t.op("Slice", x, *map(t.constant, (starts, ends, axes, strides))))
    if gone:
        x = str(t.op("Squeeze", x, t.constant(gone)))
    return str(t.op("Unsqueeze", x, t.constant(new))) if new else x


@layer("Slice")
def slice_(t: Translation) -> str:
    """Write a slice."""
    x, begin, end, step, *axes = t.inputs
    given = axes[0] if axes else t.constant(range(t.dims(1)[0]))
    return str(t.op("Slice", x, begin, end, given, step))


@layer("Gather")
def gather(t: Translation) -> str:
    """Write elements at places along an axis."""
    (axis,) = t.list_of(2)
    if t.integer("batch_dims", 0):
        return t.unknown()[0]
    return str(t.op("Gather", t.value_of(0), t.value_of(1), axis=axis))


@layer("GatherElements")
def gather_elements(t: Translation) -> str:
    """Write elements at places along an axis, for each element."""
    return str(t.op("GatherElements", *t.inputs, axis=t.integer("axis")))


@layer(*DIRECT)
def direct(t: Translation) -> str:
    """Write a layer with the inputs of ONNX's operator."""
    given: dict[str, Any] = (
        {"batch_dims": t.integer("batch_dims", 0)} if t.layer.kind == "GatherND" else {}
    )
    return str(t.op(DIRECT[t.layer.kind], *t.inputs, **given))


@layer("ScatterElementsUpdate")
def scatter_elements(t: Translation) -> str:
    """Write values at places along an axis."""
    x, places, values, _ = t.inputs
    if t.word("reduction", "none") != "none":
        return t.unknown()[0]
    return str(t.op("ScatterElements", x, places, values, axis=t.list_of(3)[0]))


@layer("Broadcast")
def broadcast(t: Translation) -> str:
    """Write repeated values."""
    if t.word("mode", "numpy") == "explicit":
        return t.unknown()[0]
    return str(t.op("Expand", t.value_of(0), t.value_of(1)))


@layer("Pad")
def pad(t: Translation) -> str:
    """Write padding."""
    mode = PADDING.get(t.word("pad_mode"))
    if mode is None:
        return t.unknown()[0]
    x, begin, end, *value = t.inputs
    return str(t.op("Pad", x, t.op("Concat", begin, end, axis=0), *value, mode=mode))


@layer("ShapeOf")
def shape_of(t: Translation) -> str:
    """Write a shape."""
    return str(t.op("Shape", t.value_of(0)))


@layer("ShuffleChannels")
def shuffle_channels(t: Translation) -> str:
    """Write groups whose elements alternate."""
    dims, group = t.dims(), t.integer("group", 1)
    axis = t.integer("axis", 1) % len(dims)
    apart = [*dims[:axis], group, dims[axis] // group, *dims[axis + 1 :]]
    order = [*range(len(apart))]
    order[axis], order[axis + 1] = axis + 1, axis
    turned = t.turned(t.reshaped(t.value_of(0), _open(apart)), order)
    return t.reshaped(turned, dims)


@layer("Roll")
def roll(t: Translation) -> str:
    """Write a shift along axes, in which the end comes first."""
    x, dims = t.value_of(0), t.dims()
    for shift, axis in zip(t.list_of(1), t.list_of(2), strict=True):
        at, size = t.constant([axis]), dims[axis]
        start = -shift % size if size > 0 else -shift
        last = t.op("Slice", x, t.constant([start]), t.constant([END]), at)
        first = t.op("Slice", x, t.constant([0]), t.constant([start]), at)
        x = str(t.op("Concat", last, first, axis=axis)) if start else x
    return x


@layer("TopK")
def top(t: Translation) -> list[str]:
    """Write the largest or smallest elements and their places."""
    largest = int(t.word("mode", "max") == "max")
    k = t.reshaped(t.value_of(1), [1])
    values = t.op("TopK", t.value_of(0), k, outputs=2, axis=t.integer("axis"), largest=largest)
    return list(values)


@layer("CumSum")
def cumulative_sum(t: Translation) -> str:
    """Write sums of all elements up to each."""
    given: dict[str, Any] = {word: int(t.flag(word)) for word in ("exclusive", "reverse")}
    return str(t.op("CumSum", *t.inputs, **given))


@layer("Eye")
def eye(t: Translation) -> str:
    """Write ones on a diagonal."""
    rows, columns = (t.list_of(place)[0] for place in (0, 1))
    shape = t.op("ConstantOfShape", t.constant([rows, columns]))
    return str(t.op("EyeLike", shape, k=t.list_of(2)[0], dtype=onnx_type(t.word("output_type"))))

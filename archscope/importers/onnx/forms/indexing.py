"""Values read from known places and written to them."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from archscope.importers.onnx.forms.applied import Applied, Chain, Steps, form, single
from archscope.ir import Shape
from archscope.ops.foreign import Tensor
from archscope.ops.index_select import MOST

FUNCTIONS = {
    "add": "add.Tensor", "mul": "mul.Tensor", "max": "maximum.default", "min": "minimum.default",
}  # fmt: skip
"""What ScatterElements and ScatterND may compute of a value and the one written to its place."""


@form("Gather")
def _gather(applied: Applied) -> Steps:
    x, index, axis = applied.x, applied.input(1), applied.attribute("axis", 0)
    if x.constant:
        return single(applied, "embedding.default", weight=x, indices=index) if axis == 0 else ()
    places = applied.array(1)
    if places.ndim == 0:
        return single(applied, "select.int", self=x, dim=axis, index=int(places))
    axis %= len(x.shape)
    return _selected(applied, x, axis, places.reshape(-1) % x.shape[axis])


@form("GatherElements")
def _gather_elements(applied: Applied) -> Steps:
    x, axis = applied.x, applied.attribute("axis", 0) % len(applied.out)
    if not applied.input(1).constant:
        return single(applied, "gather.default", self=x, dim=axis, index=applied.input(1))
    index = _of_one_image(applied.array(1)) % x.shape[axis]
    line = _line(index, x.shape, axis)
    if line is not None:
        return _selected(applied, x, axis, line)
    places = applied.made("|places", index)
    return single(applied, "gather.default", self=x, dim=axis, index=places)


@form("GatherND")
def _gather_nd(applied: Applied) -> Steps:
    merged = _merged(applied, applied.x.shape, applied.attribute("batch_dims", 0))
    chain = Chain()
    x = chain.add("reshape.default", merged.shape, self=applied.x)
    return _selected(applied, x, merged.axis, merged.places, chain)


@form("ScatterElements")
def _scatter_elements(applied: Applied) -> Steps:
    shape, axis = applied.out, applied.attribute("axis", 0) % len(applied.out)
    index = _of_one_image(applied.array(1)) % shape[axis]
    line = _line(index, shape, axis)
    if line is not None:
        return _written(applied, _Places(axis, shape, [*map(int, line)]))
    import numpy

    at = numpy.indices(index.shape)
    at[axis] = index
    flat = numpy.ravel_multi_index([*at[1:]], shape[1:]).reshape(-1)
    merged = shape[0], prod(shape[1:])
    return _written(applied, _Places(1, merged, [*map(int, flat)]))


@form("ScatterND")
def _scatter_nd(applied: Applied) -> Steps:
    merged = _merged(applied, applied.out)
    if merged.ranges and applied.attribute("reduction", "none") == "none":
        return _assigned(applied, merged)
    return _written(applied, merged)


class _Places(Struct, frozen=True):
    """Known places along an axis of a value, several axes of which are merged into this one."""

    axis: int
    shape: Shape  # of the value with its axes merged
    places: list[int]
    ranges: dict[int, range] = {}  # by axis of the value before, if the places are a box of it


def _of_one_image(index: Any) -> Any:
    """Return the index of one image where all images have the same. Raises ValueError."""
    if (index != index[:1]).any():
        raise ValueError("places differ between images")
    return index[:1]


def _line(index: Any, shape: Shape, axis: int) -> Any:
    """Return the places along an axis that are the same along all others, else None."""
    import numpy

    whole = all(
        count == size or at in (0, axis)
        for at, (count, size) in enumerate(zip(index.shape, shape, strict=True))
    )
    first = numpy.moveaxis(index, axis, 0).reshape(index.shape[axis], -1)
    return first[:, 0] if whole and axis and (first == first[:, :1]).all() else None


def _merged(applied: Applied, shape: Shape, batch_dims: int = 0) -> _Places:
    """Return the places that ONNX gives by one number for each of several axes.

    The batch is either behind these axes or the first of them, which counts the images.
    Raises LookupError or ValueError for other places.
    """
    index, images = applied.array(1), applied.images
    depth, first = index.shape[-1], 0
    if batch_dims or shape[0] == images:
        if shape[0] != images or batch_dims > 1 or index.ndim < 2:
            raise LookupError("images")
        if not batch_dims:
            counts = index[..., 0].reshape(len(index), -1)
            if any((row != number).any() for number, row in enumerate(counts)):
                raise LookupError("images")
            index, depth = index[..., 1:], depth - 1
        index, first = _of_one_image(index)[0], 1
    sizes, rest = shape[first : first + depth], shape[first + depth :]
    if not depth or any(size % images == 0 for size in sizes):
        raise LookupError("images")
    index = index % sizes
    places = [0] * (index.size // depth)
    for along, size in enumerate(sizes):
        numbers = index[..., along].reshape(-1).tolist()
        places = [place * size + number for place, number in zip(places, numbers, strict=True)]
    merged = (*shape[:first], prod(sizes), *rest)
    return _Places(first, merged, places, _box(index, first))


def _box(index: Any, first: int) -> dict[int, range]:
    """Return the range along each axis of which the places are all combinations, else none."""
    depth, found = index.shape[-1], {}
    for along in range(depth if index.ndim == depth + 1 else 0):
        numbers = index[..., along]
        start = tuple(slice(None) if axis == along else slice(1) for axis in range(depth))
        line = numbers[start].reshape(-1).tolist()
        step = line[1] - line[0] if len(line) > 1 else 1
        expected = range(line[0], line[0] + step * len(line), step or 1)
        shape = tuple(-1 if axis == along else 1 for axis in range(depth))
        if [*expected] != line or step < 1 or (numbers != numbers[start].reshape(shape)).any():
            return {}
        found[first + along] = expected
    return found


def _selected(
    applied: Applied, x: Tensor, axis: int, places: Sequence[int], chain: Chain | None = None
) -> Steps:
    """Return the values at places along an axis, in the shape of the result."""
    chain = chain or Chain()
    if len(places) > MOST:
        return ()
    shape = *x.shape[:axis], len(places), *x.shape[axis + 1 :]
    index = applied.places("|places", places)
    chosen = chain.add("index_select.default", shape, self=x, dim=axis, index=index)
    if shape != applied.out:
        chain.add("reshape.default", applied.out, self=chosen)
    return chain.steps


def _written(applied: Applied, at: _Places) -> Steps:
    """Return a value with others written to different places of an axis.

    These are appended to it, and selected in place of its own.
    """
    axis = at.axis
    reduction, count = applied.attribute("reduction", "none"), len(at.places)
    size = at.shape[axis]
    if len({*at.places}) < count or size > MOST:
        return ()
    chain, shape = Chain(), (*at.shape[:axis], count, *at.shape[axis + 1 :])

    def reshaped(place: int, shape: Shape) -> Tensor:
        value = applied.input(place)
        if value.constant and axis:
            array = _of_one_image(applied.array(place)).reshape(1, *shape[1:])
            return replace(applied.constant(place, "|rows", array), learned=value.learned)
        if value.shape == shape:
            return value
        return chain.add("reshape.default", shape, self=value)

    x, part = reshaped(0, at.shape), reshaped(2, shape)
    if reduction != "none":
        index = applied.places("|read", at.places)
        old = chain.add("index_select.default", shape, self=x, dim=axis, index=index)
        part = chain.add(FUNCTIONS[reduction], shape, self=old, other=part)
    order = [*range(size)]
    for number, place in enumerate(at.places):
        order[place] = size + number
    both = (*at.shape[:axis], size + count, *at.shape[axis + 1 :])
    joined = chain.add("cat.default", both, tensors=(x, part), dim=axis)
    index = applied.places("|order", order)
    made = chain.add("index_select.default", at.shape, self=joined, dim=axis, index=index)
    if made.shape != applied.out:
        chain.add("reshape.default", applied.out, self=made)
    return chain.steps


def _assigned(applied: Applied, at: _Places) -> Steps:
    """Return a value a box of which is overwritten, one axis in another."""
    x, part = (_filled(applied, place) for place in (0, 2))
    cut = [axis for axis, places in at.ranges.items() if places != range(applied.out[axis])]
    if not cut:
        return single(applied, "alias.default", self=part)
    chain, parts = Chain(), [x]
    for axis in cut[:-1]:
        places, outer = at.ranges[axis], parts[-1]
        shape = *outer.shape[:axis], len(places), *outer.shape[axis + 1 :]
        if outer.constant:
            parts.append(replace(outer, shape=shape))
            continue
        inner = chain.add("slice.Tensor", shape, self=outer, dim=axis, start=places.start,
                          end=places.stop, step=places.step)  # fmt: skip
        parts.append(inner)
    for axis, outer in zip(cut[::-1], parts[::-1], strict=True):
        places = at.ranges[axis]
        part = chain.add("slice_scatter.default", outer.shape, self=outer, src=part, dim=axis,
                         start=places.start, end=places.stop, step=places.step)  # fmt: skip
    return chain.steps


def _filled(applied: Applied, place: int) -> Tensor:
    """Return an input; a constant that one number fills has this number as its value."""
    found = applied.input(place)
    if not found.constant:
        return found
    array = applied.array(place)
    number = array.reshape(-1)[0].item()
    return replace(found, value=number) if (array == number).all() else found

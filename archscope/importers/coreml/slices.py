"""Slices between ends that are computed, as both kinds of models have them."""

from __future__ import annotations

from collections.abc import Sequence

from archscope.importers.coreml.writing import END, Writing


def computed_slice(
    t: Writing, x: str, begin: str, end: str, steps: Sequence[int], first: Sequence[int],
    last: Sequence[int], gone: Sequence[int],
) -> str:  # fmt: skip
    """Write a slice of all axes, with masks for the ends that are open, and axes that go."""
    import numpy

    axes = [*range(len(steps))]
    for axis in reversed(axes):
        if gone[axis]:
            index = t.op("Gather", begin, t.constant(axis), axis=0)
            x = str(t.op("Gather", x, index, axis=axis))
    left = [axis for axis in axes if not gone[axis]]
    kept = [axis for axis in left if not first[axis] or not last[axis] or steps[axis] != 1]
    ends = []
    for value, mask, opened in ((begin, first, 0), (end, last, END)):
        place = t.op("Gather", value, t.constant(kept), axis=0)
        if any(mask[axis] for axis in kept):
            masked = t.constant([bool(mask[axis]) for axis in kept], numpy.bool_)
            place = t.op("Where", masked, t.constant([opened] * len(kept)), place)
        ends.append(str(place))
    step = t.constant([steps[axis] for axis in kept])
    places = t.constant([left.index(axis) for axis in kept])
    return str(t.op("Slice", x, *ends, places, step)) if kept else x

"""Operations that move, part and join values, and compute with shapes."""

from __future__ import annotations

from typing import Any

from archscope.importers.coreml.program import Program, operation
from archscope.importers.coreml.slices import computed_slice
from archscope.importers.coreml.stored import TYPES
from archscope.importers.coreml.writing import END, MOST_FILLED, scattered

SCATTERED = {"update": "none", "add": "add", "mul": "mul", "max": "max", "min": "min"}
"""What ONNX calls the ways to write values at places."""


@operation("reshape")
def reshape(t: Program) -> str:
    """Write another shape, in which a zero stands for the size of the input's axis."""
    return str(t.op("Reshape", t.value("x"), t.value("shape")))


@operation("transpose")
def transpose(t: Program) -> str:
    """Write another order of axes."""
    x = t.value("x")
    rank = t.rank(x)
    return t.turned(x, [axis % rank for axis in t.integers("perm")])


@operation("expand_dims")
def expand(t: Program) -> str:
    """Write axes of size 1 that come."""
    return str(t.op("Unsqueeze", t.value("x"), t.constant(t.integers("axes"))))


@operation("squeeze")
def squeeze(t: Program) -> str:
    """Write axes of size 1 that go."""
    axes = [t.constant(t.integers("axes"))] if t.has("axes") else []
    return str(t.op("Squeeze", t.value("x"), *axes))


@operation("flatten2d")
def flatten(t: Program) -> str:
    """Write axes that are joined to two."""
    return t.flat(t.value("x"), t.integer("axis", 1))


@operation("reshape_like")
def reshape_like(t: Program) -> str:
    """Write the shape that the file states."""
    return t.reshaped(t.value("x"), t.out())


@operation("concat")
def concat(t: Program) -> str | list[str]:
    """Write values one after another."""
    values = [value if t.rank(value) else t.reshaped(value, [1]) for value in t.all_of("values")]
    if t.flag("interleave"):
        axis = t.integer("axis") % t.rank(values[0])
        dims = t.known_dims(values[0])
        each = [t.op("Unsqueeze", value, t.constant([axis + 1])) for value in values]
        joined = t.op("Concat", *each, axis=axis + 1)
        dims[axis] *= len(values)
        return t.reshaped(joined, dims)
    return str(t.op("Concat", *values, axis=t.integer("axis")))


@operation("stack")
def stack(t: Program) -> str:
    """Write values along a new axis."""
    axis = t.integer("axis")
    parts = [t.op("Unsqueeze", value, t.constant([axis])) for value in t.all_of("values")]
    return str(t.op("Concat", *parts, axis=axis))


@operation("split")
def split(t: Program) -> list[str]:
    """Write parts of equal or of given sizes."""
    x, axis = t.value("x"), t.integer("axis")
    count = len(t.entry.outputs)
    if count == 1:
        return [x]
    if t.has("split_sizes"):
        sizes = t.constant(t.integers("split_sizes"))
        return list(t.op("Split", x, sizes, outputs=count, axis=axis))
    return list(t.op("Split", x, outputs=count, axis=axis, num_outputs=count))


@operation("slice_by_index")
def slice_by_index(t: Program) -> str | list[str]:
    """Write a slice with masks for the ends that are open, and axes that go."""
    x = t.value("x")
    rank = t.rank(x)
    steps = t.integers("stride", [1] * rank)
    first, last, gone = (
        t.integers(word, [0] * rank) for word in ("begin_mask", "end_mask", "squeeze_mask")
    )
    if not (t.is_constant("begin") and t.is_constant("end")):
        return computed_slice(t, x, t.value("begin"), t.value("end"), steps, first, last, gone)
    begin, end = t.integers("begin"), t.integers("end")
    starts, stops, axes = list[int](), list[int](), list[int]()
    for axis in range(rank):
        forward = steps[axis] > 0
        if gone[axis]:
            start, stop = begin[axis], begin[axis] + 1 if begin[axis] != -1 else END
        else:
            start = (0 if forward else END) if first[axis] else begin[axis]
            stop = (END if forward else -END) if last[axis] else end[axis]
        if gone[axis] or steps[axis] != 1 or start != 0 or stop < t.dims(x)[axis] or stop < 0:
            axes.append(axis)
            starts.append(start)
            stops.append(stop)
    if axes:
        step = [1 if gone[axis] else steps[axis] for axis in axes]
        x = str(t.op("Slice", x, *map(t.constant, (starts, stops, axes, step))))
    dropped = [axis for axis in range(rank) if gone[axis]]
    return str(t.op("Squeeze", x, t.constant(dropped))) if dropped else x


@operation("slice_by_size")
def slice_by_size(t: Program) -> str:
    """Write a slice of given sizes, -1 for all that is left."""
    begin, size = t.integers("begin"), t.integers("size")
    ends = [END if count < 0 else start + count for start, count in zip(begin, size, strict=True)]
    axes = [*range(len(begin))]
    return str(t.op("Slice", t.value("x"), *map(t.constant, (begin, ends, axes))))


@operation("reverse")
def reverse(t: Program) -> str:
    """Write axes in reverse."""
    x = t.value("x")
    axes = t.integers("axes", range(t.rank(x)))
    count = len(axes)
    ends = ([-1] * count, [-END] * count, axes, [-1] * count)
    return str(t.op("Slice", x, *map(t.constant, ends)))


@operation("pad")
def pad(t: Program) -> str:
    """Write padding of the last axes."""
    x, amounts = t.value("x"), t.integers("pad")
    mode = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}[
        t.word("mode", "constant")
    ]
    count = len(amounts) // 2
    axes = [*range(t.rank(x) - count, t.rank(x))]
    places = t.constant([*amounts[::2], *amounts[1::2]])
    value = t.number(t.real("constant_val"), x) if mode == "constant" else ""
    return str(t.op("Pad", x, places, value, t.constant(axes), mode=mode))


@operation("tile")
def tile(t: Program) -> str:
    """Write repeated values."""
    return str(t.op("Tile", t.value("x"), t.constant(t.integers("reps"))))


@operation("gather")
def gather(t: Program) -> str | list[str]:
    """Write elements at places along an axis."""
    if t.integer("batch_dims"):
        return t.unknown()
    return str(t.op("Gather", t.value("x"), t.value("indices"), axis=t.integer("axis")))


@operation("gather_along_axis")
def gather_along_axis(t: Program) -> str:
    """Write elements at places along an axis, for each element."""
    return str(t.op("GatherElements", t.value("x"), t.value("indices"), axis=t.integer("axis")))


@operation("gather_nd")
def gather_nd(t: Program) -> str:
    """Write parts at places."""
    batch = t.integer("batch_dims")
    return str(t.op("GatherND", t.value("x"), t.value("indices"), batch_dims=batch))


@operation("shape")
def shape(t: Program) -> str:
    """Write a shape."""
    return str(t.op("Shape", t.value("x")))


@operation("fill")
def fill(t: Program) -> str:
    """Write a number in a shape."""
    kind = TYPES[t.entry.outputs[0][1]].numpy
    kind = "int64" if kind.startswith(("int", "uint")) else kind
    return str(t.op("Expand", t.constant(t.real("value"), kind), t.value("shape")))


@operation("fill_like")
def fill_like(t: Program) -> str:
    """Write a number in the shape of another value."""
    x = t.value("ref_tensor")
    return str(t.op("Expand", t.number(t.real("value"), x), t.op("Shape", x)))


@operation("range_1d")
def range_(t: Program) -> str:
    """Write a row of numbers."""
    return str(t.op("Range", t.value("start"), t.value("end"), t.value("step")))


@operation("topk")
def top(t: Program) -> list[str]:
    """Write the largest or smallest elements and their places."""
    k = t.constant([t.integer("k", 1)])
    largest = int(not t.flag("ascending"))
    return list(
        t.op("TopK", t.value("x"), k, outputs=2, axis=t.integer("axis", -1), largest=largest)
    )


@operation("cumsum")
def cumulative_sum(t: Program) -> str:
    """Write sums of all elements up to each."""
    given: dict[str, Any] = {word: int(t.flag(word)) for word in ("exclusive", "reverse")}
    return str(t.op("CumSum", t.value("x"), t.constant(t.integer("axis")), **given))


@operation("band_part")
def band(t: Program) -> str | list[str]:
    """Write a triangle of a matrix."""
    lower, upper = t.integer("lower", -1), t.integer("upper", -1)
    if lower < 0 <= upper:
        return str(t.op("Trilu", t.value("x"), t.constant(upper), upper=0))
    if upper < 0 <= lower:
        return str(t.op("Trilu", t.value("x"), t.constant(-lower), upper=1))
    return t.unknown()


@operation("one_hot")
def one_hot(t: Program) -> str:
    """Write places as ones among zeros."""
    kind = TYPES[t.entry.outputs[0][1]]
    numbers = t.constant([t.real("off_value"), t.real("on_value", 1)], kind.numpy)
    depth = t.constant(t.integer("one_hot_vector_size"))
    return str(t.op("OneHot", t.value("indices"), depth, numbers, axis=t.integer("axis", -1)))


@operation("sliding_windows")
def sliding_windows(t: Program) -> str | list[str]:
    """Write windows along an axis as an axis of their own."""
    import numpy

    x, size, step = t.value("x"), t.integer("size"), t.integer("stride", 1)
    axis = t.integer("axis") % t.rank(x)
    count = (t.known_dims(x)[axis] - size) // step + 1
    if count * size > MOST_FILLED:
        return t.unknown()
    places = numpy.arange(count)[:, None] * step + numpy.arange(size)
    return str(t.op("Gather", x, t.constant(places), axis=axis))


@operation("read_state", "write_state", "coreml_update_state")
def state(t: Program) -> str | list[str]:
    """Write a state, which is an input whose new value is not followed."""
    if t.entry.kind != "read_state":
        return t.value("value") if t.entry.outputs else []
    return t.value("input")


@operation("scatter", "scatter_along_axis", "scatter_nd")
def scatter(t: Program) -> str | list[str]:
    """Write values at places."""
    mode = t.word("mode", "add")
    if mode not in SCATTERED:
        return t.unknown()
    parts = (t.value("data"), t.value("indices"), t.value("updates"))
    if t.entry.kind == "scatter_nd":
        return str(t.op("ScatterND", *parts, reduction=SCATTERED[mode]))
    along = t.entry.kind == "scatter_along_axis"
    made = scattered(t, parts, t.integer("axis"), SCATTERED[mode], along)
    return made or t.unknown()

"""Layers that part, join, repeat and pick values."""

from __future__ import annotations

from math import prod

from archscope.errors import DataError
from archscope.importers.coreml.neural_network import NeuralNetwork, layer
from archscope.importers.coreml.slices import computed_slice
from archscope.importers.coreml.writing import END, MOST_FILLED, scattered

MASKS = ("beginMasks", "endMasks", "squeezeMasks")

SCATTERED = {0: "none", 1: "add", 3: "mul", 5: "max", 6: "min"}
"""What ONNX calls the ways to write values at places."""


@layer("concat")
def concat(t: NeuralNetwork) -> str:
    """Write the channels of values one after another."""
    if t.settings.flag("sequenceConcat"):
        raise DataError(f"{t.layer} joins sequences, which is not supported")
    return str(t.op("Concat", *t.alike(), axis=-3 if t.exact else 1))


@layer("concatND")
def concat_nd(t: NeuralNetwork) -> str:
    """Write values one after another, or in turns."""
    s = t.settings
    values = [t.whole(place) for place in range(len(t.layer.inputs))]
    axis = t.axis(s.integer("axis")) % t.rank(values[0])
    if not s.flag("interleave"):
        return str(t.op("Concat", *values, axis=axis))
    dims = t.known_dims(values[0])
    each = [t.op("Unsqueeze", value, t.constant([axis + 1])) for value in values]
    dims[axis] *= len(values)
    return t.reshaped(str(t.op("Concat", *each, axis=axis + 1)), dims)


@layer("stack")
def stack(t: NeuralNetwork) -> str:
    """Write values along a new axis."""
    axis = t.settings.integer("axis")
    parts = [t.op("Unsqueeze", value, t.constant([axis])) for value in t.inputs]
    return str(t.op("Concat", *parts, axis=axis))


@layer("split")
def split(t: NeuralNetwork) -> list[str]:
    """Write equal parts of the channels."""
    return _parts(t, t.value(), -3 if t.exact else 1, t.settings.integer("nOutputs"), [])


@layer("splitND")
def split_nd(t: NeuralNetwork) -> list[str]:
    """Write equal parts, or parts of given sizes."""
    s = t.settings
    return _parts(
        t, t.whole(), t.axis(s.integer("axis")), s.integer("numSplits"), s.integers("splitSizes")
    )


def _parts(t: NeuralNetwork, x: str, axis: int, count: int, sizes: list[int]) -> list[str]:
    count = len(t.layer.outputs) or count
    if count == 1:
        return [x]
    if sizes:
        return list(t.op("Split", x, t.constant(sizes), outputs=count, axis=axis))
    return list(t.op("Split", x, outputs=count, axis=axis, num_outputs=count))


@layer("slice")
def slice_(t: NeuralNetwork) -> str:
    """Write a slice of channels, rows or columns."""
    s = t.settings
    axis = (-3, -2, -1)[s.integer("axis")]
    x = t.whole()
    ends = ([s.integer("startIndex")], [s.integer("endIndex")], [axis], [s.integer("stride", 1)])
    return str(t.op("Slice", x, *map(t.constant, ends)))


@layer("sliceStatic")
def slice_static(t: NeuralNetwork) -> str:
    """Write a slice with masks for the ends that are open, and axes that go."""
    s = t.settings
    x = t.whole()
    count = t.rank(x)
    begin, end, steps = (s.integers(word)[-count:] for word in ("beginIds", "endIds", "strides"))
    first, last, gone = ((s.integers(word) or [0] * count)[-count:] for word in MASKS)
    starts, stops, strides = list[int](), list[int](), list[int]()
    for axis in range(count):
        forward = steps[axis] > 0
        start = (0 if forward else END) if first[axis] else begin[axis]
        stop = (END if forward else -END) if last[axis] else end[axis]
        if gone[axis]:
            start, stop = begin[axis], begin[axis] + 1 if begin[axis] != -1 else END
        starts.append(start)
        stops.append(stop)
        strides.append(1 if gone[axis] else steps[axis])
    cut = [
        axis for axis in range(count)
        if (starts[axis], strides[axis]) != (0, 1) or stops[axis] < t.dims(x)[axis]
    ]  # fmt: skip
    if cut:
        parts = (starts, stops, [*range(count)], strides)
        x = str(t.op("Slice", x, *(t.constant([part[axis] for axis in cut]) for part in parts)))
    dropped = [axis for axis in range(count) if gone[axis]]
    return str(t.op("Squeeze", x, t.constant(dropped))) if dropped else x


@layer("sliceDynamic")
def slice_dynamic(t: NeuralNetwork) -> str | list[str]:
    """Write a slice whose ends are computed."""
    s = t.settings
    x = t.value()
    count = t.rank(x)
    if len(t.layer.inputs) not in (2, 3) or not t.exact:
        return t.unknown()
    begin = t.whole_number(t.value(1))
    stated = len(t.layer.inputs) == 2
    end = t.constant(s.integers("endIds")) if stated else t.whole_number(t.value(2))
    steps = s.integers("strides") or [1] * count
    masks = (s.integers(word) or [0] * count for word in MASKS)
    return computed_slice(t, x, begin, end, steps, *masks)


@layer("sequenceRepeat")
def repeat(t: NeuralNetwork) -> str:
    """Write a sequence that is repeated once."""
    if t.settings.integer("nRepetitions", 1) != 1:
        raise DataError(f"{t.layer} makes a sequence, which is not supported")
    return str(t.op("Identity", t.value()))


@layer("tile")
def tile(t: NeuralNetwork) -> str:
    """Write repeated values."""
    reps = t.settings.integers("reps")
    return str(t.op("Tile", t.whole(), t.constant(reps if t.exact else reps[-4:])))


@layer("reverse")
def reverse(t: NeuralNetwork) -> str:
    """Write axes in reverse."""
    x = t.whole()
    given = t.settings.integers("reverseDim")[-t.rank(x) :]
    axes = [axis for axis, turned in enumerate(given) if turned]
    count = len(axes)
    ends = ([-1] * count, [-END] * count, axes, [-1] * count)
    return str(t.op("Slice", x, *map(t.constant, ends))) if axes else x


@layer("gather")
def gather(t: NeuralNetwork) -> str:
    """Write elements at places along an axis."""
    places = t.whole_number(t.value(1))
    return str(t.op("Gather", t.whole(), places, axis=t.axis(t.settings.integer("axis"))))


@layer("gatherAlongAxis")
def gather_along_axis(t: NeuralNetwork) -> str:
    """Write elements at places along an axis, for each element."""
    places = t.whole_number(t.value(1))
    return str(t.op("GatherElements", t.whole(), places, axis=t.axis(t.settings.integer("axis"))))


@layer("gatherND")
def gather_nd(t: NeuralNetwork) -> str:
    """Write parts at places."""
    return str(t.op("GatherND", t.value(), t.whole_number(t.value(1))))


@layer("constantPad")
def pad(t: NeuralNetwork) -> str | list[str]:
    """Write borders of a number."""
    s = t.settings
    x, amounts = t.whole(), s.integers("padAmounts")
    if s.flag("padToGivenOutputSizeMode") or not amounts:
        return t.unknown()
    amounts = amounts[-2 * t.rank(x) :]
    places = t.constant([*amounts[::2], *amounts[1::2]])
    return str(t.op("Pad", x, places, t.number(s.number("value"), x), mode="constant"))


@layer("loadConstant", "loadConstantND")
def constant(t: NeuralNetwork) -> str:
    """Write weights that are a value of their own."""
    shape = t.settings.integers("shape")
    if t.layer.kind == "loadConstant" and not t.exact:
        shape = [1, *shape]
    if prod(shape) == 1:  # a single number is a setting
        t.layer.name = f"const_{t.layer.name}"
    return t.weight("data", shape)


@layer("fillLike", "fillStatic")
def fill(t: NeuralNetwork) -> str:
    """Write a number in a shape."""
    import numpy

    s = t.settings
    like = t.layer.kind == "fillLike"
    shape = t.known_dims(t.whole()) if like else s.integers("targetShape")
    return str(t.op("Expand", t.constant(s.number("value"), numpy.float32), t.constant(shape)))


@layer("matrixBandPart")
def band(t: NeuralNetwork) -> str | list[str]:
    """Write a triangle of a matrix."""
    lower, upper = t.settings.integer("numLower"), t.settings.integer("numUpper")
    if lower < 0 <= upper:
        return str(t.op("Trilu", t.whole(), t.constant(upper), upper=0))
    if upper < 0 <= lower:
        return str(t.op("Trilu", t.whole(), t.constant(-lower), upper=1))
    return t.unknown()


@layer("lowerTriangular", "upperTriangular")
def triangle(t: NeuralNetwork) -> str:
    """Write a triangle of a matrix."""
    upper = int(t.layer.kind == "upperTriangular")
    return str(t.op("Trilu", t.whole(), t.constant(t.settings.integer("k")), upper=upper))


@layer("oneHot")
def one_hot(t: NeuralNetwork) -> str:
    """Write places as ones among zeros."""
    import numpy

    s = t.settings
    numbers = t.constant([s.number("offValue"), s.number("onValue", 1)], numpy.float32)
    depth = t.constant(s.integer("oneHotVectorSize"))
    return str(t.op("OneHot", t.whole_number(t.value()), depth, numbers, axis=s.integer("axis")))


@layer("slidingWindows")
def sliding_windows(t: NeuralNetwork) -> str | list[str]:
    """Write windows along an axis as an axis of their own."""
    import numpy

    s = t.settings
    x, size, step = t.whole(), s.integer("windowSize"), s.integer("step", 1)
    axis = t.axis(s.integer("axis")) % t.rank(x)
    count = (t.known_dims(x)[axis] - size) // step + 1
    if count * size > MOST_FILLED:
        return t.unknown()
    places = numpy.arange(count)[:, None] * step + numpy.arange(size)
    return str(t.op("Gather", x, t.constant(places), axis=axis))


@layer("scatter", "scatterAlongAxis", "scatterND")
def scatter(t: NeuralNetwork) -> str | list[str]:
    """Write values at places."""
    mode = SCATTERED.get(t.settings.integer("mode"))
    if mode is None:
        return t.unknown()
    parts = (t.whole(), t.whole_number(t.value(1)), t.whole(2))
    if t.layer.kind == "scatterND":
        return str(t.op("ScatterND", *parts, reduction=mode))
    along = t.layer.kind == "scatterAlongAxis"
    made = scattered(t, parts, t.axis(t.settings.integer("axis")), mode, along)
    return made or t.unknown()

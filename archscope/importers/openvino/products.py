"""Matrix products, attention, norms and reductions."""

from __future__ import annotations

from math import sqrt
from typing import Any

from archscope.importers.openvino.ir_file import Layer
from archscope.importers.openvino.translation import Translation, layer
from archscope.importers.openvino.weights_file import TYPES

REDUCED = {
    "ReduceMean": "ReduceMean", "ReduceSum": "ReduceSum", "ReduceMax": "ReduceMax",
    "ReduceMin": "ReduceMin", "ReduceProd": "ReduceProd", "ReduceL1": "ReduceL1",
    "ReduceL2": "ReduceL2",
}  # fmt: skip
"""ONNX's reductions, by the type of layer."""


@layer("MatMul")
def matmul(t: Translation) -> str:
    """Write a product of matrices, one of which may be transposed."""
    values = t.inputs
    turns = [t.flag("transpose_a"), t.flag("transpose_b")]
    ranks = [len(t.dims(place)) for place in (0, 1)]
    if ranks == [2, 2] and values[1] in t.arrays:
        return str(t.op("Gemm", *values, transA=int(turns[0]), transB=int(turns[1])))
    for place, rank in enumerate(ranks):
        if turns[place] and rank > 1:
            order = (*range(rank - 2), rank - 1, rank - 2)
            values[place] = t.turned(values[place], order)
    return str(t.op("MatMul", *values))


@layer("Einsum")
def einsum(t: Translation) -> str:
    """Write a sum of products."""
    return str(t.op("Einsum", *t.inputs, equation=t.layer.attributes["equation"]))


@layer("ScaledDotProductAttention")
def attention(t: Translation) -> str:
    """Write attention as its products and softmax."""
    import numpy

    query, key, value, *rest = t.inputs
    rank, width = len(t.dims()), t.dims()[-1]
    scale = t.known(4)
    if width < 1 or t.flag("causal") or (len(rest) > 1 and scale is None):
        return t.unknown()[0]
    factor = 1 / sqrt(width) if scale is None else float(scale.reshape(-1)[0])
    order = (*range(rank - 2), rank - 1, rank - 2)
    scores = t.op("MatMul", query, t.turned(key, order))
    scores = t.op("Mul", scores, t.constant(factor, numpy.float32))
    mask = t.known(3)
    if rest and not (mask is not None and mask.size == 1 and not mask.any()):
        scores = t.op("Add", scores, rest[0])
    return str(t.op("MatMul", t.op("Softmax", scores, axis=-1), value))


@layer(*REDUCED)
def reduction(t: Translation) -> str:
    """Write a reduction of some axes."""
    kept = int(t.flag("keep_dims"))
    axes = t.value_of(1)
    if t.weights.missing:
        axes = t.constant(_axes_by_shape(t, kept))
    elif len(t.dims(1)) == 0:
        axes = t.constant(t.list_of(1))
    return str(t.op(REDUCED[t.layer.kind], t.value_of(0), axes, keepdims=kept))


def _axes_by_shape(t: Translation, kept: int) -> list[int]:
    """Return the axes that a reduction must have had, for a file without its numbers.

    Raises UnavailableError if its shapes do not tell.
    """
    dims, out = t.dims(), t.out().dims
    if kept:
        return [axis for axis, size in enumerate(out) if size == 1 and dims[axis] != 1]
    fitting = [
        [*range(at, at + len(dims) - len(out))]
        for at in range(len(out) + 1)
        if dims[:at] == out[:at] and dims[at + len(dims) - len(out) :] == out[at:]
    ]
    return fitting[0] if len(fitting) == 1 else t.list_of(1)


@layer("MVN")
def mean_variance(t: Translation) -> str | list[str]:
    """Write a norm with the mean and variance of an image, and its factors and addends."""
    import numpy

    rank, dims = len(t.dims()), t.dims()
    if t.layer.opset in ("opset1", "opset2"):
        across = t.flag("across_channels", True)
        given = t.integers_of("reduction_axes", range(1 if across else 2, rank))
        axes = sorted(axis % rank for axis in given)
    else:
        axes = sorted(axis % rank for axis in t.list_of(1))
    inside = t.word("eps_mode", "inside_sqrt") == "inside_sqrt"
    if not (t.flag("normalize_variance", True) and inside and axes):
        return t.unknown()
    epsilon = t.number("eps", 1e-9)
    x, sizes = t.value_of(0), [dims[axis] for axis in axes]
    if axes == [*range(axes[0], rank)] and axes[0] >= 1 and min(sizes) > 0:
        factors, ends = _factors(t, sizes, [])
        if axes == [*range(2, rank)] and rank > 2 and dims[1] > 0 and not ends:
            factors, ends = _factors(t, [dims[1]], [1] * (rank - 2))
            # Rows of a matrix are the positions of a sequence, unless each has its factors.
            if rank > 3 or ends:
                weights = _weights(t, factors, [dims[1]])
                name = t.op("InstanceNormalization", x, *weights, epsilon=epsilon)
                return _ended(t, ends, str(name))
        weights = _weights(t, factors, sizes)
        name = t.op("LayerNormalization", x, *weights, axis=axes[0], epsilon=epsilon)
        return _ended(t, ends, str(name))
    places = t.constant(axes)
    centred = t.op("Sub", x, t.op("ReduceMean", x, places, keepdims=1))
    variance = t.op("ReduceMean", t.op("Mul", centred, centred), places, keepdims=1)
    deviation = t.op("Sqrt", t.op("Add", variance, t.constant(epsilon, numpy.float32)))
    return str(t.op("Div", centred, deviation))


def _factors(t: Translation, sizes: list[int], after: list[int]) -> tuple[list[str], list[Layer]]:
    """Return the constant factors and addends of a norm, and the layers that apply them."""
    found: list[str] = []
    ends: list[Layer] = []
    entry = t.layer
    for kind in ("Multiply", "Add"):
        port = next(iter(entry.outputs))
        readers = t.readers.get((entry.id, port), [])
        if len(readers) != 1 or readers[0].kind != kind:
            break
        (reader,) = readers
        place = next(
            (at for at in (0, 1) if t.source(at, reader)[0] != entry.id
             and t.values.get(t.source(at, reader)) in t.arrays), None
        )  # fmt: skip
        if place is None:
            break
        dims = [*reader.inputs.values()][place].dims
        leading = len(dims) - len(sizes) - len(after)
        if dims[max(leading, 0) :] != [*sizes, *after] or any(n != 1 for n in dims[:leading]):
            break
        value = t.values[t.source(place, reader)]
        found.append(value if dims == sizes else t.reshaped(value, sizes))
        ends.append(reader)
        entry = reader
    return found, ends


def _weights(t: Translation, factors: list[str], sizes: list[int]) -> list[str]:
    """Return the factors and addends of a norm, ones and zeros if it has none."""
    import numpy

    plain = (numpy.ones(sizes, numpy.float32), numpy.zeros(sizes, numpy.float32))
    return factors + [t.constant(array, numpy.float32) for array in plain[len(factors) :]]


def _ended(t: Translation, ends: list[Layer], value: str) -> str:
    """Let a value be the result of further layers, which are done with it."""
    for entry in ends:
        t.done.add(entry.id)
        t.values[entry.id, next(iter(entry.outputs))] = value
    return value


@layer("GroupNormalization")
def group_norm(t: Translation) -> str:
    """Write a norm of groups of channels."""
    groups, epsilon = t.integer("num_groups"), t.number("epsilon", 1e-5)
    return str(t.op("GroupNormalization", *t.inputs, num_groups=groups, epsilon=epsilon))


@layer("BatchNormInference")
def batch_norm(t: Translation) -> str:
    """Write a norm with fixed statistics."""
    x, scale, bias, mean, variance = t.inputs
    if t.layer.opset == "opset1":
        scale, bias, x, mean, variance = t.inputs
    return str(
        t.op("BatchNormalization", x, scale, bias, mean, variance, epsilon=t.number("epsilon"))
    )


@layer("LRN")
def local_response_norm(t: Translation) -> str:
    """Write a norm over neighbouring channels."""
    if t.list_of(1) != [1]:
        return t.unknown()[0]
    given: dict[str, Any] = {
        "alpha": t.number("alpha"),
        "beta": t.number("beta"),
        "bias": t.number("bias"),
    }
    return str(t.op("LRN", t.value_of(0), size=t.integer("size"), **given))


@layer("NormalizeL2")
def normalize(t: Translation) -> str:
    """Write the division by a Euclidean norm."""
    import numpy

    x, epsilon = t.value_of(0), t.number("eps")
    axes = t.constant(t.list_of(1))
    if t.word("eps_mode") == "max":
        norm = t.op("ReduceL2", x, axes, keepdims=1)
        norm = t.op("Clip", norm, t.constant(sqrt(epsilon), numpy.float32))
    else:
        squares = t.op("ReduceSumSquare", x, axes, keepdims=1)
        norm = t.op("Sqrt", t.op("Add", squares, t.constant(epsilon, numpy.float32)))
    return str(t.op("Div", x, norm))


@layer("LSTMSequence", "GRUSequence", "RNNSequence")
def recurrent(t: Translation) -> str | list[str]:
    """Write a recurrent layer, whose batch comes first and whose gates have another order."""
    import numpy

    kind = t.layer.kind.removesuffix("Sequence")
    states = 2 if kind == "LSTM" else 1
    x, *given = t.inputs
    starts, (lengths, weight, back, bias) = given[:states], given[states : states + 4]
    hidden, direction = t.integer("hidden_size"), t.word("direction", "forward")
    plain = t.number("clip", 0) == 0 and not t.layer.attributes.get("activations_alpha")
    if not plain:
        return t.unknown()
    words = t.layer.attributes.get("activations", "").lower()
    usual = {"LSTM": "sigmoid,tanh,tanh", "GRU": "sigmoid,tanh", "RNN": "tanh"}[kind]
    words = words.replace(" ", "") or usual
    if words not in (usual, "relu"):
        return t.unknown()
    sides = 2 if direction == "bidirectional" else 1
    reset = kind == "GRU" and t.flag("linear_before_reset")
    if kind == "LSTM":
        weight, back, bias = (_gates(t, value, hidden, (1, 3, 0, 2))
                              for value in (weight, back, bias))  # fmt: skip
    rows = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind] * hidden
    if reset:  # the last of the four is the bias of the recurrent product
        first, last = (
            t.op("Slice", bias, t.constant([start]), t.constant([end]), t.constant([1]))
            for start, end in ((0, rows), (rows, rows + hidden))
        )
        zeros = t.constant(numpy.zeros((sides, rows - hidden)), numpy.float32)
        bias = t.op("Concat", first, zeros, last, axis=1)
    else:
        bias = t.op("Concat", bias, t.constant(numpy.zeros((sides, rows)), numpy.float32), axis=1)
    attributes: dict[str, Any] = {"hidden_size": hidden, "direction": direction}
    if words == "relu":
        attributes["activations"] = ["Relu"] * sides
    if reset:
        attributes["linear_before_reset"] = 1
    lengths = t.op("Cast", lengths, to=TYPES["i32"].onnx)
    inputs = [t.turned(x, (1, 0, 2)), weight, back, bias, lengths]
    inputs += [t.turned(start, (1, 0, 2)) for start in starts]
    made = t.op(kind, *inputs, outputs=1 + states, **attributes)
    return [t.turned(made[0], (2, 1, 0, 3)), *(t.turned(state, (1, 0, 2)) for state in made[1:])]


def _gates(t: Translation, value: str, hidden: int, order: tuple[int, ...]) -> str:
    """Write weights with their gates in ONNX's order."""
    places = [gate * hidden + row for gate in order for row in range(hidden)]
    return str(t.op("Gather", value, t.constant(places), axis=1))

"""Constants in few bits, and rounding to the levels of a quantized network."""

from __future__ import annotations

from math import prod
from typing import Any

from archscope.importers.openvino.translation import Translation, constant_name, layer
from archscope.importers.openvino.weights_file import QUANTIZED, TYPES, onnx_type

SIGNED = {"i8": -128, "u8": 0}
"""The lowest value of types of 256 values."""


@layer("Const", "Constant")
def constant(t: Translation) -> str:
    """Refer to numbers in the file of weights."""
    name = t.fresh(constant_name(t.layer))
    tensor, read = t.weights.tensor(t.layer, name)
    t.tensors.append(tensor)
    t.arrays[name] = read
    word = t.word("element_type")
    if word in QUANTIZED:
        t.integers[name] = word
    return name


@layer("Convert")
def convert(t: Translation) -> str:
    """Write a cast; quantized numbers keep their type until they are real ones."""
    (x,) = t.inputs
    word = t.word("destination_type")
    if t.integers.get(x) == word:
        return x
    name = str(t.op("Cast", x, to=onnx_type(word)))
    read = t.arrays.get(x)
    if read is not None:
        dtype = t.onnx.helper.tensor_dtype_to_np_dtype(onnx_type(word))
        t.arrays[name] = lambda: read().astype(dtype)
    return name


@layer("Multiply")
def multiply(t: Translation) -> str:
    """Write a product; that of quantized numbers and their scale is the real numbers."""
    for place in (0, 1):
        found = _dequantized(t, place)
        if found is not None:
            return found
    return str(t.op("Mul", *t.inputs))


def _dequantized(t: Translation, place: int) -> str | None:
    """Write a product of quantized numbers, without their zero point, and a constant scale."""
    source, zero = t.producer(place), None
    if t.value_of(1 - place) not in t.arrays:
        return None
    if source.kind == "Subtract":
        zero = t.arrays.get(t.values[t.source(1, source)])
        source = t.producer(0, source)
        if zero is None:
            return None
    if source.kind != "Convert":
        return None
    x = t.values[t.source(0, source)]
    kind = t.integers.get(x)
    scale = t.known(1 - place)
    if kind is None or scale.dtype.kind not in "fV":
        return None
    return _inverse(t, x, kind, next(iter(source.inputs.values())).dims, scale, zero and zero())


def _inverse(
    t: Translation, x: str, kind: str, dims: list[int], scale: Any, zero: Any
) -> str | None:
    """Write the inverse of a quantization with one scale, or one for each of the first axes."""
    import numpy

    if zero is None:
        zero = numpy.zeros(1)
    if scale.size == zero.size == 1:
        return str(t.op("DequantizeLinear", x, t.constant(scale.reshape(()), scale.dtype),
                        _zero_point(t, zero.reshape(()), kind)))  # fmt: skip
    shape = numpy.broadcast_shapes(scale.shape, zero.shape)
    leading = max(axis + 1 for axis, size in enumerate(shape) if size > 1)
    leading += len(dims) - len(shape)
    if -1 in dims or len(shape) > len(dims):
        return None
    rows = prod(dims[:leading])
    full = (*(1,) * (len(dims) - len(shape)), *shape)
    across = (*dims[:leading], *(1,) * (len(dims) - leading))
    scales, zeros = (
        numpy.broadcast_to(part.reshape((1,) * (len(full) - part.ndim) + part.shape), across)
        for part in (scale, zero)
    )
    flat = x if leading == 1 else t.reshaped(x, [rows, prod(dims[leading:])])
    made = t.op("DequantizeLinear", flat, t.constant(scales.reshape(-1), scale.dtype),
                _zero_point(t, zeros.reshape(-1), kind), axis=0)  # fmt: skip
    return str(made) if leading == 1 else t.reshaped(made, dims)


def _zero_point(t: Translation, zero: Any, kind: str) -> str:
    """Write a zero point in the type of the quantized numbers."""
    import numpy

    values = numpy.rint(numpy.asarray(zero, numpy.float64)).astype(numpy.int64)
    name = t.fresh("const")
    t.tensors.append(
        t.onnx.helper.make_tensor(name, TYPES[kind].onnx, values.shape, values.reshape(-1).tolist())
    )
    return name


@layer("FakeQuantize")
def fake_quantize(t: Translation) -> str:
    """Write rounding to levels: of activations, of weights, or to quantized numbers."""
    import numpy

    x = t.value_of(0)
    ranges = [t.known(place) for place in range(1, 5)]
    levels = t.integer("levels")
    if any(array is None for array in ranges):
        return t.unknown()[0]
    low, high, out_low, out_high = (array.astype(numpy.float64) for array in ranges)
    step = (high - low) / (levels - 1)
    if (step <= 0).any():
        return t.unknown()[0]
    zero = -low / step
    whole = bool((abs(zero - numpy.rint(zero)) < 0.02).all())
    reader = t.only_reader()
    if whole and levels == 256 and reader is not None and reader.kind == "Convert":
        word = reader.attributes.get("destination_type", "").lower()
        lowest = SIGNED.get(word)
        if lowest is not None and (out_low == lowest).all() and (out_high == lowest + 255).all():
            return _quantized(t, x, word, step, zero + lowest)
    same = numpy.allclose(low, out_low, 1e-5) and numpy.allclose(high, out_high, 1e-5)
    if whole and same and x in t.arrays and levels <= 256:
        # Weights: the lowest level is the lowest number of a type of as many values.
        codes = _quantized(t, x, "i8", step, zero - 128)
        return _inverse(t, codes, "i8", t.dims(), step.astype(numpy.float32), zero - 128) or codes
    if whole and same and step.size == 1:
        return t.prepared(
            "FakeQuantize", x, scale=float(step.reshape(-1)[0]),
            zero=round(float(zero.reshape(-1)[0])), levels=levels,
        )  # fmt: skip
    return _opaque(t, x)


def _opaque(t: Translation, x: str) -> str:
    """Write rounding that no operator of ours equals; its limits are no weights."""
    name = t.op("FakeQuantize", x, domain="openvino")
    t.declare(name, t.out())
    return str(name)


def _quantized(t: Translation, x: str, kind: str, step: Any, zero: Any) -> str:
    """Write quantization to a type of 256 values, with a scale for all or for the first axis."""
    import numpy

    shape = () if step.size == 1 else (-1,)
    scale = t.constant(step.reshape(shape), numpy.float32)
    name = str(t.op("QuantizeLinear", x, scale, _zero_point(t, zero.reshape(shape), kind), axis=0))
    t.integers[name] = kind
    return name

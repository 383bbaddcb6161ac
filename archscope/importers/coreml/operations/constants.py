"""Constants and compressed constants."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from archscope.errors import DataError
from archscope.importers.coreml.program import Program, operation, weight_name
from archscope.importers.coreml.stored import TYPES, Stored, of_array, unpacked

DECODED = "weights compressed by tables or masks count as the numbers that they stand for"


@operation("const")
def const(t: Program) -> list[str]:
    """Remember a constant, which is written where something reads it."""
    ((name, _, _),) = t.entry.outputs
    (given,) = t.entry.inputs["val"]
    if isinstance(given, str):
        raise ValueError
    t.constants[name] = given
    return []


def _keep(t: Program, read: Callable[[], Any], place: int = 0) -> list[str]:
    """Remember a constant that is computed when something reads it."""
    name, element, dims = t.entry.outputs[place]
    found: list[Any] = []

    def once() -> Any:
        if not found:
            t.weights.take(prod(dims) * 4)
            array = read()
            if tuple(array.shape) != dims:
                raise DataError(f"the constant '{name[-60:]}' has not the shape that it states")
            found.append(array)
        return found[0]

    t.constants[name] = Stored(TYPES[element], dims, once)
    return []


def _numbers(t: Program, word: str) -> Stored:
    """Return an input that is constant numbers."""
    found = t.constant_of(word)
    if not isinstance(found, Stored):
        raise ValueError
    return found


@operation("constexpr_cast")
def cast(t: Program) -> list[str]:
    """Remember a constant of another type, which counts as stored."""
    source = _numbers(t, "source_val")
    name, element, _ = t.entry.outputs[0]
    onnx = TYPES[element].onnx

    def write() -> str:
        return str(t.op("Cast", t.stored(source, weight_name(name, source.size)), to=onnx))

    t.compressed[name] = write
    return _keep(t, lambda: source.read().astype(TYPES[element].numpy))


@operation("constexpr_affine_dequantize")
def affine(t: Program) -> list[str]:
    """Remember bytes with a scale, or one for each position of an axis."""
    codes, axis = _numbers(t, "quantized_data"), t.integer("axis")
    axis %= len(codes.shape)
    return _scaled(t, codes, *(_along(t.array(word), axis, len(codes.shape))
                               for word in ("scale", "zero_point")))  # fmt: skip


def _along(array: Any, axis: int, rank: int) -> Any:
    """Return numbers for the positions of an axis with axes of size 1 around it."""
    return (
        array.reshape([-1 if at == axis else 1 for at in range(rank)]) if array.size > 1 else array
    )


@operation("constexpr_blockwise_shift_scale")
def blockwise(t: Program) -> list[str]:
    """Remember small numbers with a scale for each block."""
    codes = _numbers(t, "data")
    return _scaled(t, codes, t.array("scale"), t.array("offset"))


def _scaled(t: Program, codes: Stored, scale: Any, zero: Any) -> list[str]:
    """Remember codes as `(codes - zero) * scale`, which count as stored."""
    name, element, _ = t.entry.outputs[0]
    kind = TYPES[element]

    def full(part: Any) -> Any:
        """Repeat the numbers of blocks along axes that have several."""
        import numpy

        part = numpy.asarray(part)
        if part.ndim == len(codes.shape):
            for axis, (size, blocks) in enumerate(zip(codes.shape, part.shape, strict=True)):
                if 1 < blocks < size:
                    part = numpy.repeat(part, size // blocks, axis)
        return part

    def read() -> Any:
        numbers = codes.read().astype(kind.numpy)
        if zero is not None:
            numbers = numbers - full(zero).astype(kind.numpy)
        return (numbers * full(scale)).astype(kind.numpy)

    def write() -> str:
        if codes.place is None:  # they were computed themselves
            return t.stored(of_array(read(), kind), weight_name(name, codes.size))
        point = None if zero is None else full(zero)
        stored = weight_name(name, codes.size)
        return t.dequantized(codes, full(scale), point, stored, kind.onnx)

    t.compressed[name] = write
    return _keep(t, read)


@operation("constexpr_lut_to_dense")
def palettized(t: Program) -> list[str]:
    """Remember numbers of a table, given by their places in it."""
    import numpy

    codes, table = _numbers(t, "indices"), _numbers(t, "lut")
    t.note(DECODED)
    if t.has("shape"):  # the first form has one table, and its places packed into bytes
        shape = tuple(t.integers("shape"))
        bits = (table.size - 1).bit_length()
        if min(shape, default=0) < 0 or codes.size != -(-prod(shape) * bits // 8):
            raise ValueError

        def read() -> Any:
            places = unpacked(codes.read().tobytes(), bits, prod(shape))
            return table.read().reshape(-1)[places].reshape(shape)

        return _keep(t, read)
    axis = t.integer("vector_axis") if t.has("vector_axis") else 0
    *groups, _, width = table.shape
    axis %= len(codes.shape)
    made = [size * (width if at == axis else 1) for at, size in enumerate(codes.shape)]
    if len(groups) != len(codes.shape) or made != t.out():
        raise ValueError

    def from_tables() -> Any:
        places, numbers = codes.read().astype(numpy.int64), table.read()
        index: list[Any] = []
        for at, (size, count) in enumerate(zip(codes.shape, groups, strict=True)):
            block = numpy.arange(size) // (size // count)
            index.append(block.reshape([-1 if at == other else 1 for other in range(len(groups))]))
        vectors = numbers[(*index, places)]  # with the vector last
        if width == 1:
            return vectors[..., 0]
        return numpy.moveaxis(vectors, -1, axis + 1).reshape(made)

    return _keep(t, from_tables)


@operation("constexpr_sparse_to_dense")
def sparse(t: Program) -> list[str]:
    """Remember numbers that are zero where a mask is."""
    import numpy

    values, mask = _numbers(t, "nonzero_data"), _numbers(t, "mask")
    shape = tuple(t.integers("shape")) if t.has("shape") else mask.shape
    packed = t.has("shape")
    t.note(DECODED)

    def read() -> Any:
        bits = mask.read()
        if packed:
            bits = unpacked(bits.tobytes(), 1, prod(shape))
        numbers = values.read()
        made = numpy.zeros(prod(shape), numbers.dtype)
        made[bits.reshape(-1) != 0] = numbers.reshape(-1)
        return made.reshape(shape)

    return _keep(t, read)


@operation("constexpr_lut_to_sparse")
def sparse_places(t: Program) -> list[str]:
    """Remember the numbers of a table of those that are not zero, and the mask of these."""
    import numpy

    mask, codes, table = (
        _numbers(t, word) for word in ("indices_mask", "indices_nonzero_data", "lut")
    )
    if table.shape[-1] != 1:
        raise ValueError
    t.note(DECODED)

    def read() -> Any:
        places = numpy.argwhere(mask.read())
        blocks = [size // count for size, count in zip(mask.shape, table.shape[:-2], strict=True)]
        index = (*(places // numpy.array(blocks)).T, codes.read().astype(numpy.int64))
        return table.read()[..., 0][index]

    _keep(t, mask.read)
    return _keep(t, read, 1)


@operation("constexpr_sparse_blockwise_shift_scale")
def sparse_scaled(t: Program) -> list[str]:
    """Remember the scaled numbers of those that are not zero, and the mask of these."""
    import numpy

    mask, codes = _numbers(t, "data_mask"), _numbers(t, "nonzero_data")
    scale, zero = t.array("scale"), t.array("offset")
    kind = TYPES[t.entry.outputs[1][1]].numpy
    t.note(DECODED)

    def read() -> Any:
        places = numpy.argwhere(mask.read())
        blocks = [size // count for size, count in zip(mask.shape, scale.shape, strict=True)]
        index = tuple((places // numpy.array(blocks)).T)
        numbers = codes.read().astype(kind)
        if zero is not None:
            numbers = numbers - zero[index].astype(kind)
        return (numbers * scale[index]).astype(kind)

    _keep(t, mask.read)
    return _keep(t, read, 1)

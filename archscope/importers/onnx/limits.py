"""Limits on what an ONNX file may ask for, so that a small one cannot take all memory or time."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, prod
from typing import Any

from archscope.errors import LimitError

OPERATORS = 10_000
"""Operators once functions, loops and branches are written out; more for files that have many."""

TURNS = 2_000
"""Turns of all loops together."""

DEPTH = 64
"""Functions and graphs inside one another."""

COMPUTED_BYTES = 1 << 26
"""Bytes of all constants that are computed, and of what functions are written out to."""

FILLED_BYTES = 1 << 30
"""Bytes that constants of one number would take, which are kept as that number."""

GROWTH = 8
"""Bytes that may be computed for each byte of the file and of what is beside it."""

WORK = 1 << 28
"""Multiply-accumulates that constants may cost together."""

EXPANDING = frozenset({
    "Expand", "Tile", "ConstantOfShape", "Pad", "Resize", "Upsample", "OneHot", "Einsum",
    "MatMul", "Gemm", "GridSample", "AffineGrid", "MaxUnpool", "Col2Im", "CenterCropPad",
    "HannWindow", "HammingWindow", "BlackmanWindow", "MelWeightMatrix", "DFT", "STFT",
    "TfIdfVectorizer", "ImageDecoder", "StringSplit", "ConcatFromSequence", "Optional",
})  # fmt: skip
"""Operators whose results may be larger than what they read."""

PRODUCTS = {
    "Conv": 1, "ConvTranspose": 1, "ConvInteger": 1, "QLinearConv": 3, "DeformConv": 1,
    "MatMul": 1, "Gemm": 1, "MatMulInteger": 1, "QLinearMatMul": 3, "LSTM": 1, "GRU": 1,
    "RNN": 1, "Einsum": 1,
}  # fmt: skip
"""Operators that multiply, and the input that each result reads a part of."""


class Allowance:
    """What is left of the limits while a file is read."""

    def __init__(self, file_bytes: int) -> None:
        self.bytes = self.most_bytes = max(COMPUTED_BYTES, GROWTH * file_bytes)
        self.work = WORK
        self.filled = FILLED_BYTES

    def spend(
        self, what: str, kind: str, outputs: Iterable[Any], inputs: Iterable[Any], library: Any
    ) -> None:
        """Count a constant before it is computed, by the types of results. Raises LimitError."""
        arrays = list(inputs)
        read = sum(array.nbytes for array in arrays)
        for output in outputs:
            size = _bytes_of(output.tensor_type, library)
            if size is None:
                size = _unknown_bytes(what, kind, arrays, read)
            self.take_bytes(what, size)
        place = PRODUCTS.get(kind)
        if place is not None and place < len(arrays):
            self.work -= _work(kind, outputs, arrays, place)
            if self.work < 0:
                raise LimitError(
                    f"{what} makes constants cost more than the limit of {WORK:,}"
                    " multiply-accumulates"
                )  # fmt: skip

    def fill(self, what: str, size: int) -> None:
        """Count the bytes that a constant of one number stands for. Raises LimitError."""
        self.filled -= size
        if self.filled < 0:
            raise LimitError(
                f"{what} makes constants of one number take more than the limit of"
                f" {FILLED_BYTES:,} bytes"
            )

    def take_bytes(self, what: str, size: int) -> None:
        """Count bytes. Raises LimitError."""
        self.bytes -= size
        if self.bytes < 0:
            raise LimitError(
                f"{what} makes constants take more than the limit of {self.most_bytes:,} bytes"
            )


def check_functions(model: Any) -> None:
    """Raise LimitError if functions would be written out to too much."""
    functions = {(entry.domain, entry.name): entry for entry in model.functions}
    inside = (len(function.node) for function in model.functions)
    most = max(OPERATORS, GROWTH * (len(model.graph.node) + sum(inside)))
    known: dict[tuple[str, str], tuple[int, int]] = {}

    def size(nodes: Iterable[Any], depth: int) -> tuple[int, int]:
        """Return the operators and bytes that nodes are written out to."""
        if depth > DEPTH:
            raise LimitError(f"its functions are nested deeper than the limit of {DEPTH}")
        count = total = 0
        for node in nodes:
            key = node.domain, node.op_type
            if key in functions:
                if key not in known:
                    known[key] = size(functions[key].node, depth + 1)
                inner = known[key]
            else:
                inner = 1, node.ByteSize()
            graphs = (graph for given in node.attribute for graph in (given.g, *given.graphs))
            parts = [inner, *(size(graph.node, depth + 1) for graph in graphs if graph.node)]
            count += sum(part[0] for part in parts)
            total += sum(part[1] for part in parts)
            if count > most:
                raise LimitError(
                    "its functions would be written out to more operators than the limit of"
                    f" {most:,}"
                )
        return count, total

    _, total = size(model.graph.node, 0)
    limit = max(COMPUTED_BYTES, GROWTH * model.ByteSize())
    if total > limit:
        raise LimitError(f"its functions would take more than the limit of {limit:,} bytes")


def _bytes_of(tensor: Any, library: Any) -> int | None:
    """Return the bytes of a tensor type, None where it leaves sizes open."""
    if not tensor.HasField("shape"):
        return None
    dims = [axis.dim_value if axis.HasField("dim_value") else None for axis in tensor.shape.dim]
    if None in dims:
        return None
    try:
        item = library.helper.tensor_dtype_to_np_dtype(tensor.elem_type).itemsize
    except KeyError:
        item = 8
    return int(prod(size for size in dims if size is not None) * item)


def _unknown_bytes(what: str, kind: str, arrays: list[Any], read: int) -> int:
    """Return the most bytes of a result whose size is not inferred. Raises LimitError."""
    if kind == "Range":
        start, limit, delta = (float(array.reshape(-1)[0]) for array in arrays)
        steps = (limit - start) / delta if delta else 0
        return 8 * max(ceil(min(steps, 2.0**60)), 0)
    if kind in EXPANDING:
        raise LimitError(f"{what} asks for a constant whose size is not known")
    return 8 * read  # indices of 8 bytes for each number of 1


def _work(kind: str, outputs: Iterable[Any], arrays: list[Any], place: int) -> int:
    """Return a bound of the multiply-accumulates of an operator on constants."""
    if kind in ("Conv", "ConvInteger", "QLinearConv", "DeformConv", "MatMul", "Gemm"):
        shape = arrays[place].shape
        each = prod(shape[1:]) if "Conv" in kind else max(shape, default=1)
        elements = [prod(a.dim_value for a in out.tensor_type.shape.dim) for out in outputs]
        return int(sum(elements) * each)
    sizes = sorted((int(array.size) for array in arrays), reverse=True)
    return int(prod(sizes[:2]))

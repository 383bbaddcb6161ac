"""Limits on the resources that an ONNX file may require, against small malicious files."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, prod
from typing import Any

from archscope.errors import LimitError

OPERATORS = 10_000
"""Operators after unrolling functions, loops and branches; more for files that have many."""

TURNS = 2_000
"""Total iterations of all loops."""

DEPTH = 64
"""Nesting depth of functions and graphs."""

COMPUTED_BYTES = 1 << 26
"""Bytes of all computed constants, and of inlined functions."""

FILLED_BYTES = 1 << 30
"""Bytes that constants filled with one value would take, which are stored as this value."""

GROWTH = 8
"""Bytes that may be computed per byte of the file and of its external data."""

WORK = 1 << 28
"""Total multiply-accumulates to compute constants."""

EXPANDING = frozenset({
    "Expand", "Tile", "ConstantOfShape", "Pad", "Resize", "Upsample", "OneHot", "Einsum",
    "MatMul", "Gemm", "GridSample", "AffineGrid", "MaxUnpool", "Col2Im", "CenterCropPad",
    "HannWindow", "HammingWindow", "BlackmanWindow", "MelWeightMatrix", "DFT", "STFT",
    "TfIdfVectorizer", "ImageDecoder", "StringSplit", "ConcatFromSequence", "Optional",
})  # fmt: skip
"""Operators whose results may be larger than their inputs."""

PRODUCTS = {
    "Conv": 1, "ConvTranspose": 1, "ConvInteger": 1, "QLinearConv": 3, "DeformConv": 1,
    "MatMul": 1, "Gemm": 1, "MatMulInteger": 1, "QLinearMatMul": 3, "LSTM": 1, "GRU": 1,
    "RNN": 1, "Einsum": 1,
}  # fmt: skip
"""Operators that multiply, and the input of which each result reads a part."""


class Allowance:
    """The remaining budget of the limits while a file is read."""

    def __init__(self, file_bytes: int) -> None:
        self.bytes = self.most_bytes = max(COMPUTED_BYTES, GROWTH * file_bytes)
        self.work = WORK
        self.filled = FILLED_BYTES

    def spend(
        self, what: str, kind: str, outputs: Iterable[Any], inputs: Iterable[Any], library: Any
    ) -> None:
        """Count a constant before it is computed, by its output types. Raises LimitError."""
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
        """Count the bytes that a constant filled with one value represents. Raises LimitError."""
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
    """Raise LimitError if inlining the functions would exceed the limits."""
    functions = {(entry.domain, entry.name): entry for entry in model.functions}
    inside = (len(function.node) for function in model.functions)
    most = max(OPERATORS, GROWTH * (len(model.graph.node) + sum(inside)))
    known: dict[tuple[str, str], tuple[int, int]] = {}

    def size(nodes: Iterable[Any], depth: int) -> tuple[int, int]:
        """Return the operators and bytes of nodes after inlining."""
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
                    f"its inlined functions have more operators than the limit of {most:,}"
                )
        return count, total

    _, total = size(model.graph.node, 0)
    limit = max(COMPUTED_BYTES, GROWTH * model.ByteSize())
    if total > limit:
        raise LimitError(f"its inlined functions take more than the limit of {limit:,} bytes")


def _bytes_of(tensor: Any, library: Any) -> int | None:
    """Return the bytes of a tensor type, None if it leaves sizes open."""
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
    """Return the maximum bytes of a result whose size is not inferred. Raises LimitError."""
    if kind == "Range":
        start, limit, delta = (float(array.reshape(-1)[0]) for array in arrays)
        steps = (limit - start) / delta if delta else 0
        return 8 * max(ceil(min(steps, 2.0**60)), 0)
    if kind in EXPANDING:
        raise LimitError(f"{what} computes a constant of unknown size")
    return 8 * read  # indices of 8 bytes for each value of 1 byte


def _work(kind: str, outputs: Iterable[Any], arrays: list[Any], place: int) -> int:
    """Return a bound on the multiply-accumulates of an operator on constants."""
    if kind in ("Conv", "ConvInteger", "QLinearConv", "DeformConv", "MatMul", "Gemm"):
        shape = arrays[place].shape
        each = prod(shape[1:]) if "Conv" in kind else max(shape, default=1)
        elements = [prod(a.dim_value for a in out.tensor_type.shape.dim) for out in outputs]
        return int(sum(elements) * each)
    sizes = sorted((int(array.size) for array in arrays), reverse=True)
    return int(prod(sizes[:2]))

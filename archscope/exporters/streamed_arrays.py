"""Large weights that are computed block by block while they are written, and never as a whole.

For networks of some hundred megabytes, memory that is filled once and read once dominates the time
of an export. A block fits in the cache.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archscope.ir import Shape

BLOCK = 2**16
"""Elements of a block; smaller arrays are not streamed."""


class StreamedArray(ABC):
    """An array in single precision whose values are computed in blocks along its first axis."""

    dtype = np.dtype(np.float32)

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    @property
    def nbytes(self) -> int:
        """The bytes of all values."""
        return prod(self.shape) * self.dtype.itemsize

    @property
    def rows(self) -> int:
        """The number of rows in a block, all but the last."""
        return min(self.shape[0], max(1, BLOCK // prod(self.shape[1:])))

    @abstractmethod
    def blocks(self) -> Iterator[NDArray[Any]]:
        """Yield the values; the next block may overwrite the one before."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all values."""
        whole, start = np.empty(self.shape, self.dtype), 0
        for block in self.blocks():
            whole[start : start + len(block)] = block
            start += len(block)
        return whole if dtype is None else whole.astype(dtype, copy=False)


class RandomArray(StreamedArray):
    """Uniform random numbers within `spread` of `centre`, in steps of 2 ** -15 of `spread`.

    They are the same for the same shape and key.
    """

    def __init__(self, shape: Shape, centre: float, spread: float, key: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.centre, self.spread, self.key = centre, spread, key

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Yield the values. Each draw of the generator gives four numbers."""
        generator = np.random.Generator(np.random.SFC64(self.key))
        step, centre = np.float32(self.spread / 2**15), np.float32(self.centre)
        block = np.empty((self.rows, *self.shape[1:]), self.dtype)
        for start in range(0, self.shape[0], self.rows):
            part = block[: self.shape[0] - start]
            bits = generator.integers(2**64, size=-(-part.size // 4), dtype=np.uint64)
            np.multiply(bits.view(np.int16)[: part.size], step, out=part.reshape(-1))
            if centre:
                part += centre
            yield part


class ScaledArray(StreamedArray):
    """The product of an array and factors for parts of it, computed in double precision.

    `factors` has the same number of rows, and broadcasts over the other axes.
    """

    def __init__(self, array: NDArray[Any] | StreamedArray, factors: NDArray[Any]) -> None:
        super().__init__(array.shape)
        self.array, self.factors = array, factors

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Yield the values."""
        product = np.empty((self.rows, *self.shape[1:]), self.dtype)
        start = 0
        for block in blocks_of(self.array, self.rows):
            out = product[: len(block)]
            factors = self.factors[start : start + len(block)]
            np.multiply(block, factors, out=out, dtype=np.float64, casting="same_kind")
            start += len(block)
            yield out


def blocks_of(array: NDArray[Any] | StreamedArray, rows: int) -> Iterator[NDArray[Any]]:
    """Yield an array in blocks of a number of rows, those of its own if it is streamed."""
    if isinstance(array, StreamedArray):
        yield from array.blocks()
        return
    for start in range(0, len(array), rows):
        yield array[start : start + rows]


def scaled(array: NDArray[Any] | StreamedArray, factors: NDArray[Any]) -> Any:
    """Return the product of an array and its factors, streamed if it is large."""
    product = ScaledArray(array, factors)
    return product if prod(array.shape) >= BLOCK else np.asarray(product)

"""Constants that are computed when their values are first read; shape and type are known."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any


class Deferred:
    """A proxy of a numpy array, computed once, when more than its shape and type is read."""

    __hash__ = None  # type: ignore[assignment] # as that of an array

    def __init__(self, shape: tuple[int, ...], dtype: Any, compute: Callable[[], Any]) -> None:
        self.shape, self.dtype = shape, dtype
        self.size, self.ndim = prod(shape), len(shape)
        self.itemsize = dtype.itemsize
        self.nbytes = self.size * self.itemsize
        self._compute, self._value = compute, None

    def _array(self) -> Any:
        if self._value is None:
            self._value = self._compute()
        return self._value

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        array = self._array()
        return array if dtype is None else array.astype(dtype, copy=False)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._array(), name)

    def __getitem__(self, key: Any) -> Any:
        return self._array()[key]

    def __len__(self) -> int:
        return self.shape[0]

    def __eq__(self, other: object) -> Any:
        return self._array() == other

    def __mul__(self, other: Any) -> Any:
        return self._array() * other

    def __sub__(self, other: Any) -> Any:
        return self._array() - other

"""Find the learned constants of a model, and the operator at which each of them counts.

Files that archscope wrote tell how many numbers of each initializer were learned. Others do not
mark learned constants: their params are the distinct initializers that reach an operator as
weights, each counted once, however often and in whatever form it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from archscope.importers.onnx.resolved_model import OnnxOperator, ResolvedModel
from archscope.importers.onnx.weight_inputs import HOLDING, NORMS, STATES, STATISTICS, weight_inputs

SCALED = frozenset({"Add", "Mul"})
"""Operators by which a single number may be learned, such as the gain of a branch."""

GENERATED = re.compile(r"onnx::|/|val_|const|\d+$|.*(Constant|_output_\d+$|:0$)", re.IGNORECASE)
"""How exporters name constants that are not parameters of a module."""


class LearnedWeights:
    """Counts the learned constants of operators, each where it is first read."""

    def __init__(self, model: ResolvedModel) -> None:
        self.model = model
        self.counted: set[str] = set()
        self.bytes = 0  # of everything counted so far, as stored
        self.largest: Any = None  # the largest array counted since it was reset
        self.alike: dict[tuple[Any, ...], dict[bytes, str]] = {}  # by content, if requested twice

    def params(self, operator: OnnxOperator) -> int:
        """Return how many params of an operator were not counted before."""
        usual = weight_inputs(operator.kind, len(operator.inputs))
        told = (
            place for place, name in enumerate(operator.inputs)
            if place not in usual and self.model.is_told(name)
        )  # fmt: skip
        return self._new(operator, (*usual, *told)) + self._states(operator)

    def statistics(self, operator: OnnxOperator) -> int:
        """Return how many statistics of an operator were not counted before."""
        names = self._names(operator, STATISTICS.get(operator.kind, ()))
        return sum(
            self._count(source, self.model.constants[source].size)
            for name in names
            for source in self._behind(operator, name)
        )

    def learns(self, operator: OnnxOperator, name: str) -> bool:
        """Return whether an input of an operator is a constant that counts as learned."""
        return bool(self._learned(operator, name))

    def same(self, name: str) -> str:
        """Return the first requested constant that equals this one and has the same origin."""
        value, sources = self.model.constants[name], self.model.sources.get(name)
        if not sources:
            return name
        known = self.alike.setdefault((sources, value.shape), {})
        if not known or known.get(b"") == name:
            return known.setdefault(b"", name)
        if b"" in known:
            first = known.pop(b"")
            known[_content(self.model.constants[first])] = first
        return known.setdefault(_content(value), name)

    def _new(self, operator: OnnxOperator, places: Iterable[int]) -> int:
        return sum(
            self._count(source, size)
            for name in self._names(operator, places)
            for source, size in self._learned(operator, name).items()
        )

    def _names(self, operator: OnnxOperator, places: Iterable[int]) -> list[str]:
        inputs = operator.inputs
        return [inputs[place] for place in places if place < len(inputs) and inputs[place]]

    def _count(self, source: str, size: int) -> int:
        """Return the size of a constant if it was not counted before, and count its bytes."""
        if source in self.counted:
            return 0
        self.counted.add(source)
        array = self.model.constants[source]
        self.bytes += stored_bytes(array)
        if self.largest is None or array.size > self.largest.size:
            self.largest = array
        return size

    def _states(self, operator: OnnxOperator) -> int:
        constants, inputs = self.model.constants, operator.inputs
        places = STATES.get(operator.kind, ())
        given = [place for place in places if place < len(inputs) and inputs[place] in constants]
        learned = tuple(
            place
            for place in given
            if self._initializers(inputs[place]) and constants[inputs[place]].any()
        )
        return self._new(operator, learned)

    def _initializers(self, name: str) -> list[str]:
        sources = self.model.sources.get(name, ())
        return sorted(source for source in sources if source in self.model.initializers)

    def _learned(self, operator: OnnxOperator, name: str) -> dict[str, int]:
        """Return how many numbers were learned of each constant of the file behind an input."""
        sizes = {
            source: self._size(operator, source, self.model.constants[source])
            for source in self._behind(operator, name)
        }
        return {source: size for source, size in sizes.items() if size}

    def _behind(self, operator: OnnxOperator, name: str) -> list[str]:
        """Return the constants of the file behind an input that may be learned."""
        value = self.model.constants.get(name)
        if value is None:
            return []
        holds = operator.kind in HOLDING
        found = self._initializers(name)
        if not found and holds:
            found = (
                [] if _fills(operator, value) else sorted(self.model.sources.get(name) or [name])
            )
        arrays = {source: self.model.constants[source] for source in found}
        if len(arrays) > 1:  # scalars among them, such as an epsilon, are settings
            arrays = {
                source: array
                for source, array in arrays.items()
                if array.size > 1 or source in self.model.learned
            } or arrays
        return list(arrays)

    def _size(self, operator: OnnxOperator, source: str, array: Any) -> int:
        """Return how many numbers of a constant were learned."""
        counts = self._counts(operator, source, array)
        told = self.model.learned.get(source)
        return int(array.size) * counts if told is None else min(told, int(array.size))

    def _counts(self, operator: OnnxOperator, source: str, array: Any) -> bool:
        if operator.kind in HOLDING:
            return array.dtype.kind in "fViu"
        if array.size == 1:
            named = operator.kind in SCALED and not GENERATED.match(source)
            return named and array.dtype.kind in "fV"
        # Quantized weights are bytes; other integers are shapes and indices.
        integers = array.dtype.itemsize == 1 and array.dtype.kind in "iu" and array.ndim > 1
        return integers or array.dtype.kind in "fV"


def _content(array: Any) -> bytes:
    return blake2b(array.tobytes()).digest()


def stored_bytes(array: Any) -> int:
    """Return the bytes of an array in a file, in which two 4-bit numbers share a byte."""
    return -(-int(array.size) * stored_bits(array) // 8)


def stored_bits(array: Any) -> int:
    """Return the bits of an element of an array in a file."""
    packed = array.dtype.name in ("int4", "uint4", "float4_e2m1fn")
    return 4 if packed else 8 * int(array.dtype.itemsize)


def _fills(operator: OnnxOperator, value: Any) -> bool:
    """Return whether a constant holds the ones or zeros of a norm without learned weights."""
    return operator.kind in NORMS and bool((value == 0).all() or (value == 1).all())

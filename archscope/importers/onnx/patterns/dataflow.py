"""The producer and the readers of each value of an ONNX graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from archscope.importers.onnx.resolved_model import OnnxOperator, ResolvedModel

FLAT, TRANSPOSED, KERNEL = "|flat", "|turned", "|kernel"
"""Suffixes to the names of weights that are kept in another shape."""

Replacement = tuple[list[OnnxOperator], list[OnnxOperator]]
"""The operators of a pattern, and the operators that replace them."""


class NoMatchError(LookupError):
    """The operators do not match the pattern."""


def require(condition: bool) -> None:
    """Raise NoMatchError unless a condition of a pattern holds."""
    if not condition:
        raise NoMatchError


class Dataflow:
    """The operators of a model by the values that they produce and read."""

    def __init__(self, model: ResolvedModel) -> None:
        self.model = model
        self.producers = {
            name: operator for operator in model.operators for name in operator.outputs if name
        }
        self.readers = model.readers()

    def find(self, name: str, *kinds: str, readers: int = 1) -> OnnxOperator | None:
        """Return the operator of one of these kinds that produces a value.

        None if there is no such operator, or if the value is an output of the model or has
        another number of readers, so that a pattern cannot absorb it.
        """
        operator = self.producers.get(name)
        if operator is None or (kinds and operator.kind not in kinds):
            return None
        private = name not in self.model.outputs and len(self.readers.get(name, ())) == readers
        return operator if private else None

    def match(self, name: str, *kinds: str, readers: int = 1) -> OnnxOperator:
        """Return the result of `find`. Raises NoMatchError if it is None."""
        operator = self.find(name, *kinds, readers=readers)
        if operator is None:
            raise NoMatchError(name)
        return operator

    def constant(self, name: str) -> Any:
        """Return the array of a constant. Raises NoMatchError for a value that is computed."""
        if name not in self.model.constants:
            raise NoMatchError(name)
        return self.model.constants[name]

    def number(self, name: str) -> float | None:
        """Return the number of a constant with a single element, None for anything else."""
        value = self.model.constants.get(name)
        if value is None or value.size != 1 or value.dtype.kind not in "fiu":
            return None
        return float(value.reshape(()))

    def value_and_number(self, operator: OnnxOperator) -> tuple[str, float]:
        """Return the computed and the constant input of an operator. Raises NoMatchError."""
        for value, other in (operator.inputs, operator.inputs[::-1]):
            number = self.number(other)
            if number is not None and value not in self.model.constants:
                return value, number
        raise NoMatchError(operator.name)

    def derive(self, name: str, suffix: str, value: Any) -> str:
        """Store a constant in another shape under a name of its own, and return that name."""
        return self.model.derive(name, suffix, value)

    def per_channel(self, name: str, shape: tuple[int, ...]) -> str:
        """Return the flat constant with one number per channel of a shape. Raises NoMatchError."""
        value = self.constant(name)
        require(len(shape) > 1 and value.ndim <= len(shape))
        aligned = (1,) * (len(shape) - value.ndim) + tuple(value.shape)
        require(aligned == (1, shape[1], *(1 for _ in shape[2:])))
        return self.derive(name, FLAT, value.reshape(-1))

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a value, with the batch."""
        return self.model.shapes[name]


Pattern = Callable[[Dataflow, OnnxOperator], Replacement]


def in_either_order(inputs: Sequence[str], match: Callable[[str, str], Replacement]) -> Replacement:
    """Return the result of `match` for two inputs in either order. Raises NoMatchError."""
    first, second = inputs
    with suppress(NoMatchError):
        return match(first, second)
    return match(second, first)


def fuse(
    operators: list[OnnxOperator], kind: str, inputs: tuple[str, ...], **attributes: Any
) -> Replacement:
    """Replace several operators by one, which takes the name and outputs of the last."""
    return operators, [replace(operators[-1], kind=kind, inputs=inputs, attributes=attributes)]

"""What the forms of ONNX operators read, and what they return: operators of torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from archscope.importers.onnx.descriptions import numbers_of
from archscope.importers.onnx.resolved_model import OnnxOperator
from archscope.ir import Shape
from archscope.ops.foreign import Foreign, Tensor


class Applied(Struct, frozen=True):
    """An ONNX operator with its inputs as tensors, and the place of the result to compute."""

    operator: OnnxOperator
    tensors: tuple[Tensor | None, ...]
    out: Shape  # of the result
    place: int  # of the result among the outputs
    arrays: Mapping[str, Any]  # the values of constants
    derive: Callable[[str, str, Any], str]  # keeps a constant made of another one
    results: Mapping[int, Tensor] = {}  # earlier results of the same operator
    images: int = 0  # the size of the batch in all shapes

    @property
    def x(self) -> Tensor:
        """The first input."""
        return self.input(0)

    def input(self, place: int) -> Tensor:
        """Return an input that must be given. Raises LookupError."""
        found = self.tensors[place]
        if found is None:
            raise LookupError(place)
        return found

    def given(self, place: int) -> Tensor | None:
        """Return an input, None if it is left out."""
        return self.tensors[place] if place < len(self.tensors) else None

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return an attribute, or the default."""
        return self.operator.attributes.get(name, default)

    def array(self, place: int) -> Any:
        """Return the array of a constant input. Raises LookupError for any other."""
        return self.arrays[self.input(place).name]

    def integers(self, place: int, name: str = "") -> tuple[int, ...] | None:
        """Return integers from a constant input, or from the attribute of older opsets."""
        stated = self.attribute(name) if name else None
        if stated is not None:
            return tuple(map(int, stated))
        if self.given(place) is None:
            return None
        return tuple(map(int, self.array(place).reshape(-1)))

    def made(self, suffix: str, array: Any) -> Tensor:
        """Return a constant that follows from attributes and shapes."""
        name = self.derive(self.operator.outputs[self.place], suffix, array)
        return Tensor(name, tuple(array.shape), constant=True, value=numbers_of(array))

    def places(self, suffix: str, numbers: Sequence[int]) -> Tensor:
        """Return a constant list of places, with all its numbers."""
        import numpy

        name = self.derive(
            self.operator.outputs[self.place], suffix, numpy.array(numbers, numpy.int64)
        )
        return Tensor(name, (len(numbers),), constant=True, value=tuple(map(int, numbers)))

    def constant(self, place: int, suffix: str, array: Any) -> Tensor:
        """Return a learned constant that is computed from a constant input."""
        name = self.derive(self.input(place).name, suffix, array)
        return Tensor(name, tuple(array.shape), constant=True, learned=True)


Steps = Sequence[Foreign]
"""Operators of torch, in order. `last` stands for the results of earlier ones."""

LAST = "<result>"
"""The beginning of the names of earlier results, before how many steps ago they were."""

STEP = "<step>"
"""The beginning of the names of results in a `Chain`, before the number of the step."""


def last(shape: Shape, ago: int = 1) -> Tensor:
    """Return the result of the step before, or of one that is longer ago."""
    return Tensor(f"{LAST}{ago}", shape)


def single(applied: Applied, target: str, **args: Any) -> Steps:
    """Return one operator of torch."""
    return (Foreign(f"aten.{target}", args, applied.out),)


class Chain:
    """Operators of torch one after another, each of which may read the result of any before it."""

    def __init__(self) -> None:
        self.steps: list[Foreign] = []

    def add(self, target: str, out: Shape, /, **args: Any) -> Tensor:
        """Add an operator and return its result."""
        placed = {name: self._placed(value) for name, value in args.items()}
        self.steps.append(Foreign(f"aten.{target}", placed, out))
        return self.result

    @property
    def result(self) -> Tensor:
        """The last result."""
        return Tensor(f"{STEP}{len(self.steps)}", self.steps[-1].out)

    def _placed(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(self._placed, value))
        if isinstance(value, Tensor) and value.name.startswith(STEP):
            ago = len(self.steps) + 1 - int(value.name.removeprefix(STEP))
            return last(value.shape, ago)
        return value


Form = Callable[[Applied], Steps]

FORMS: dict[str, Form] = {}
"""The form of each kind of ONNX operator."""


def form(*kinds: str) -> Callable[[Form], Form]:
    """Register a function that returns the operators of torch for some kinds of ONNX's.

    The function returns an empty sequence if torch has none. It may raise any error of a conversion
    if an attribute is not as ONNX specifies it.
    """

    def register(function: Form) -> Form:
        FORMS.update(dict.fromkeys(kinds, function))
        return function

    return register

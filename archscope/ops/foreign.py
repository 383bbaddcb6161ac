"""Operators of other frameworks, and the registry of functions that recognise them.

Importers describe an operator as `Foreign`; a function with `@recognises("aten.relu.default")`, in
the file of our operator, converts it, or returns None if there is no equivalent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from archscope.ir import Op
from archscope.ops.registry import OPS


class Tensor(Struct, frozen=True):
    """An input of a foreign operator; `shape` includes the batch."""

    name: str
    shape: tuple[int, ...]
    constant: bool = False  # a weight, or anything else that does not depend on the input
    value: Any = None  # of a small constant, as nested tuples
    learned: bool = False  # a constant that training changes
    made: Any = None  # the foreign operator of a constant, or of one of several results, if known


class Foreign(Struct, frozen=True):
    """An application of a foreign operator."""

    target: str  # "aten.conv2d.default", "onnx.Conv"
    args: Mapping[str, Any]  # by name; tensors as Tensor
    out: tuple[int, ...]  # the shape of the result, including the batch

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors among its arguments, in order."""
        return tuple(
            item
            for value in self.args.values()
            for item in (value if isinstance(value, tuple | list) else (value,))
            if isinstance(item, Tensor)
        )

    @property
    def ins(self) -> tuple[Tensor, ...]:
        """The tensors that are not constant."""
        return tuple(tensor for tensor in self.tensors if not tensor.constant)

    def get(self, name: str, default: Any = None) -> Any:
        """Return an argument by name, or the default if it is not given."""
        return self.args.get(name, default)

    def with_tensors(self, values: Mapping[str, Tensor]) -> Foreign:
        """Return the operator with the tensors of some names replaced."""

        def placed(part: Any) -> Any:
            if isinstance(part, tuple | list):
                return tuple(map(placed, part))
            return values.get(part.name, part) if isinstance(part, Tensor) else part

        args = {key: placed(value) for key, value in self.args.items()}
        return Foreign(self.target, args, self.out)


class Recognised(Struct, frozen=True):
    """The operator that is equivalent to a foreign one."""

    op: Op
    inputs: tuple[Tensor, ...]
    weights: Mapping[str, Tensor] = {}  # by their names in the state_dict of the torch module
    then: tuple[Op, ...] = ()  # operators of one input behind it


Recogniser = Callable[[Foreign], Recognised | None]

_RECOGNISERS: dict[str, Recogniser] = {}


def recogniser(target: str) -> Recogniser | None:
    """Return the function that recognises a foreign operator; None if there is none."""
    OPS.load_own()
    return _RECOGNISERS.get(target)


def recognises(*targets: str) -> Callable[[Recogniser], Recogniser]:
    """Register a function for foreign operators. Raises TypeError if one is already taken."""

    def register(function: Recogniser) -> Recogniser:
        for target in targets:
            if target in _RECOGNISERS:
                raise TypeError(f"two functions recognise '{target}'")
            _RECOGNISERS[target] = function
        return function

    return register


def recognises_as(
    op: type[Op],
    *targets: str,
    when: Callable[[Foreign], bool] = lambda foreign: True,
    **names: str,
) -> None:
    """Register an operator of one input for equivalent foreign operators.

    `names` has the foreign name of each attribute. `when` returns whether it is equivalent, given
    attributes without an equivalent here. Raises TypeError for a target that is taken.
    """

    def recognise(foreign: Foreign) -> Recognised | None:
        if len(foreign.ins) != 1 or not when(foreign):
            return None
        given = {name: foreign.args[other] for name, other in names.items()}
        return Recognised(op(**given), foreign.ins)

    recognises(*targets)(recognise)


def per_axis_or_one(values: Any) -> Any:
    """Return the number that a list repeats, or the list as a tuple."""
    if isinstance(values, list | tuple):
        values = tuple(values)
        return values[0] if len(set(values)) == 1 else values
    return values


def round_float(value: float) -> float:
    """Return the shortest number equal to this one in single precision: 1e-05, not 9.99e-06."""
    from contextlib import suppress
    from struct import pack

    for digits in range(1, 9):
        shorter = float(f"{value:.{digits}g}")
        with suppress(OverflowError):  # rounded up beyond the largest number
            if pack("f", shorter) == pack("f", value):
                return shorter
    return float(value)


def with_bias(foreign: Foreign, weight: str = "weight", bias: str = "bias") -> dict[str, Tensor]:
    """Return the weight and the bias of a foreign operator by argument name, if present."""
    given = {"weight": foreign.get(weight), "bias": foreign.get(bias)}
    return {name: tensor for name, tensor in given.items() if isinstance(tensor, Tensor)}

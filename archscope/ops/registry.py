"""The registry of operators: `@op("conv")` on a class adds it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from archscope.ir import FACTS, Op
from archscope.plugins.discovery import ContractError
from archscope.plugins.registry import Registry

OPS: Registry[type[Op]] = Registry("ops")
"""Every operator by its name in specs."""

OpClass = TypeVar("OpClass", bound=type[Op])


def op(name: str) -> Callable[[OpClass], OpClass]:
    """Register an operator under `name`.

    Raises ContractError if the name is taken or a fact is not stated. Attributes are read and
    checked when a spec first needs them, as reading all would take a tenth of a cold start.
    """

    def register(cls: OpClass) -> OpClass:
        unsaid = [fact for fact in FACTS if _function(cls, fact) is _UNSAID[fact]]
        if unsaid:
            raise ContractError(f"operator '{name}' does not state its {', '.join(unsaid)}")
        OPS.add(name, cls)
        cls.name = name
        return cls

    return register


def _function(cls: type[Op], name: str) -> Any:
    method = getattr(cls, name)
    return getattr(method, "__func__", method)  # each access binds a class method anew


_UNSAID = {fact: _function(Op, fact) for fact in FACTS}

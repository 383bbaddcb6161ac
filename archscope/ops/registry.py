"""How an operator becomes known: `@op("conv")` on its class."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from archscope.ir import FACTS, Op

OPS: dict[str, type[Op]] = {}
"""Every operator by its name in specs."""

OpClass = TypeVar("OpClass", bound=type[Op])


def op(name: str) -> Callable[[OpClass], OpClass]:
    """Register an operator under `name`.

    Raises TypeError for a second one of that name, or for a fact that is left unsaid.
    """

    def register(cls: OpClass) -> OpClass:
        if name in OPS:
            raise TypeError(f"two operators are named '{name}'")
        unsaid = [fact for fact in FACTS if getattr(cls, fact) is getattr(Op, fact)]
        if "examples" in unsaid or cls.examples.__func__ is Op.examples.__func__:  # type: ignore[attr-defined]
            unsaid = [*{*unsaid, "examples"}]
        if unsaid:
            raise TypeError(f"operator '{name}' does not state its {', '.join(unsaid)}")
        cls.name = name
        OPS[name] = cls
        return cls

    return register

"""What blocks and their layers say: parameters, and values computed from them."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from archscope.folding.pieces import Item

Path = tuple[Any, ...]
"""Where a number stands in a chain: places of layers and branches, then its name."""

MISSING: Any = object()
"""The number of a layer that an instance does not have."""


class Parameter(Struct, eq=False):
    """A parameter of a block."""

    kind: str  # the attribute that it began with
    values: list[Any]  # in each instance
    name: str = ""
    default: Any = None
    halved: Parameter | None = None  # the kernel, of which this is half by default

    def usual(self, args: dict[str, Any]) -> Any:
        """Return what it is in an instance that does not say it."""
        if self.halved is None:
            return self.default
        kernel = args[self.halved.name]
        return kernel // 2 if isinstance(kernel, int) else None


class Derived(Struct, eq=False):
    """A value of a block's layer, computed from a parameter or a shape."""

    source: Parameter | str
    times: int = 1
    by: int = 1

    @property
    def text(self) -> str:
        """The expression."""
        return f"={self}"

    def __str__(self) -> str:
        name = self.source if isinstance(self.source, str) else self.source.name
        if self.times > 1:
            return f"{self.times}*{name}"
        return f"{name}//{self.by}" if self.by > 1 else name


class Condition(Struct, eq=False):
    """What decides whether an instance of a block has a shortcut of its own."""

    stride: Parameter | None = None
    out: Derived | None = None

    @property
    def text(self) -> str:
        """The expression."""
        parts = [] if self.stride is None else [f"{self.stride.name} != 1"]
        if self.out is not None:
            parts.append(f"in.channels != {self.out}")
        return f"={' or '.join(parts)}"


class Block(Struct, eq=False):
    """A block that will be written."""

    name: str
    example: Item
    parameters: list[Parameter] = []
    texts: dict[Path, Any] = {}  # what its layers say: a number, or a Derived

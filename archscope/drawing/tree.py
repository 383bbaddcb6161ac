"""Layers as the tree of the blocks that they stand in, with lines between neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from archscope.drawing.rows import Line, Rows, rows_of

ENTRY, EXIT = -1, -2
"""Ends of a line where values enter a block at its top, and leave it at its bottom."""


class Layer(Protocol):
    """What a tree asks of a layer."""

    @property
    def name(self) -> str:
        """The path of blocks, then its own name."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the layers that it reads."""


class Item(Struct, frozen=True):
    """A layer, or a block with the items inside of it."""

    name: str
    label: str  # the name less that of the block around
    layers: tuple[int, ...]  # places in the analysis
    children: tuple[Item, ...] = ()
    rows: Rows | None = None  # how the children stand

    @property
    def folds(self) -> bool:
        """Whether there is something inside."""
        return bool(self.children)


class _Scope:
    """A block while it is collected."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.members: dict[str, _Scope | int] = {}
        self.lines: dict[Line, None] = {}

    def inside(self, part: str) -> _Scope:
        """Return a block in this one, which is made if it is new."""
        key = f"{part}."  # a layer may have the name of a block
        if key not in self.members:
            self.members[key] = _Scope(f"{self.name}.{part}" if self.name else part)
        found = self.members[key]
        assert isinstance(found, _Scope)
        return found


def tree(layers: Sequence[Layer], name: str = "") -> Item:
    """Return a network as nested blocks, the whole of it as the item at the top.

    Blocks of one member are one with it. A line between layers of different blocks is drawn
    between the blocks that hold them, and on to their top and bottom on the inside.
    """
    root = _Scope("")
    trails: dict[str, list[tuple[_Scope, int]]] = {}
    for number, layer in enumerate(layers):
        *parts, own = layer.name.split(".")
        scope = root
        trail = []
        for part in parts:
            inner = scope.inside(part)
            trail.append((scope, list(scope.members).index(f"{part}.")))
            scope = inner
        scope.members[own] = number
        trail.append((scope, len(scope.members) - 1))
        trails[layer.name] = trail
    for layer in layers:
        for source in dict.fromkeys(layer.inputs):
            _connect(trails[source], trails[layer.name])
    return _item(root, name, layers)


def _connect(source: list[tuple[_Scope, int]], target: list[tuple[_Scope, int]]) -> None:
    """Add a line to the block that both have in common, and to those that only one is in."""
    shared = 0
    while source[shared] == target[shared]:
        shared += 1
    scope, start = source[shared]
    scope.lines[(start, target[shared][1])] = None
    for inner, place in source[shared + 1 :]:
        inner.lines[(place, EXIT)] = None
    for inner, place in target[shared + 1 :]:
        inner.lines[(ENTRY, place)] = None


def _item(scope: _Scope, label: str, layers: Sequence[Layer]) -> Item:
    children = []
    for key, member in scope.members.items():
        if isinstance(member, _Scope):
            children.append(_item(member, key[:-1], layers))
        else:
            children.append(Item(layers[member].name, key, (member,)))
    if len(children) == 1 and scope.name:
        (only,) = children
        return Item(only.name, f"{label}.{only.label}", only.layers, only.children, only.rows)
    inside = tuple(sorted(place for child in children for place in child.layers))
    rows = rows_of(len(children), tuple(scope.lines), ENTRY, EXIT)
    return Item(scope.name, label, inside, tuple(children), rows)

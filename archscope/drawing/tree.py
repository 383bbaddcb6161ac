"""A network as a tree of nested blocks, each with its members arranged in rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from archscope.drawing.rows import Arrangement, Edge, arrange

ENTRY, EXIT = -1, -2
"""The ends of edges that enter a block at its top or leave it at its bottom."""


class NamedLayer(Protocol):
    """The attributes of a layer that the tree needs."""

    @property
    def name(self) -> str:
        """The names of its blocks and its own, joined by dots."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the layers that it reads."""


class TreeNode(Struct, frozen=True):
    """A layer, or a block with its members."""

    name: str
    label: str  # the name without that of the enclosing block
    layers: tuple[int, ...]  # indices into the analysis
    children: tuple[TreeNode, ...] = ()
    arrangement: Arrangement | None = None  # of the children

    @property
    def is_block(self) -> bool:
        """Whether it has members."""
        return bool(self.children)


class _Scope:
    """A block under construction."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.members: dict[str, _Scope | int] = {}
        self.places: dict[str, int] = {}  # of the members that are blocks
        self.edges: dict[Edge, None] = {}

    def inside(self, part: str) -> _Scope:
        """Return a member block, creating it if need be."""
        key = f"{part}."  # a layer and a block may have the same name
        if key not in self.members:
            self.places[part] = len(self.members)
            self.members[key] = _Scope(f"{self.name}.{part}" if self.name else part)
        found = self.members[key]
        assert isinstance(found, _Scope)
        return found


def tree_of(layers: Sequence[NamedLayer], name: str = "") -> TreeNode:
    """Return a network as nested blocks, with the network itself as the root.

    A block with a single member is merged with it. An edge between layers of different blocks is
    drawn between these blocks, and inside each of them to its top or bottom.
    """
    root = _Scope("")
    trails: dict[str, list[tuple[_Scope, int]]] = {}
    for number, layer in enumerate(layers):
        *parts, own = layer.name.split(".")
        scope = root
        trail = []
        for part in parts:
            inner = scope.inside(part)
            trail.append((scope, scope.places[part]))
            scope = inner
        scope.members[own] = number
        trail.append((scope, len(scope.members) - 1))
        trails[layer.name] = trail
    for layer in layers:
        for source in dict.fromkeys(layer.inputs):
            _connect(trails[source], trails[layer.name])
    return _node(root, name, layers)


def _connect(source: list[tuple[_Scope, int]], target: list[tuple[_Scope, int]]) -> None:
    """Add an edge to the innermost common block, and to the blocks that contain one end only."""
    shared = 0
    while source[shared] == target[shared]:
        shared += 1
    scope, start = source[shared]
    scope.edges[(start, target[shared][1])] = None
    for inner, place in source[shared + 1 :]:
        inner.edges[(place, EXIT)] = None
    for inner, place in target[shared + 1 :]:
        inner.edges[(ENTRY, place)] = None


def _node(scope: _Scope, label: str, layers: Sequence[NamedLayer]) -> TreeNode:
    children = []
    for key, member in scope.members.items():
        if isinstance(member, _Scope):
            children.append(_node(member, key[:-1], layers))
        else:
            children.append(TreeNode(layers[member].name, key, (member,)))
    if len(children) == 1 and scope.name:
        (only,) = children
        return TreeNode(
            only.name, f"{label}.{only.label}", only.layers, only.children, only.arrangement
        )
    inside = tuple(sorted(place for child in children for place in child.layers))
    arrangement = arrange(len(children), tuple(scope.edges), ENTRY, EXIT)
    return TreeNode(scope.name, label, inside, tuple(children), arrangement)

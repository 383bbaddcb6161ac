"""Find the channels that can only be removed together, as atoms united by a walk through a network.

Every output channel of a layer with weights, and every input channel, is an atom. A value of the
network has a tuple of atoms, one for each of its channels; operators pass them on, create new ones,
unite those that can only be removed together, and fix those that cannot be removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

Channels = tuple[int, ...]
"""The atoms of the channels of a value, or of the slices along an axis of weights, in order."""

Axes = tuple[Channels | None, ...]
"""The atoms along the first axes of a weight tensor; None, and further axes, stay whole."""


class Flow(Struct, frozen=True, gc=False):
    """How a node passes channels on: those of its inputs, its output, and its weights."""

    ins: tuple[Channels, ...]
    out: Channels
    weights: Mapping[str, Axes] = {}  # by the name in the state dict of its module
    filters: int | None = None  # the axis of the filters in the weight that ranks them
    ranked_by: str = "weight"


class Tracker:
    """The atoms of a network, and which of them are united: a disjoint-set forest."""

    def __init__(self) -> None:
        self.parents: list[int] = []
        self.fixed: dict[int, str] = {}  # why, by atom

    def new(self, count: int) -> Channels:
        """Return new atoms."""
        start = len(self.parents)
        self.parents.extend(range(start, start + count))
        return tuple(range(start, start + count))

    def root(self, atom: int) -> int:
        """Return the atom that represents all that are united with one."""
        parents = self.parents
        while parents[atom] != atom:
            parents[atom] = parents[parents[atom]]
            atom = parents[atom]
        return atom

    def unite(self, first: Channels, other: Channels) -> None:
        """Unite channels at equal positions."""
        if first is other:
            return
        for a, b in zip(first, other, strict=True):
            low, high = self.root(a), self.root(b)
            if low != high:  # the earlier atom represents both, so that groups keep their order
                self.parents[max(low, high)] = min(low, high)

    def tie(self, channels: Channels) -> None:
        """Unite all of these."""
        self.unite(channels[:-1], channels[1:])

    def tie_parts(self, channels: Channels, size: int) -> None:
        """Unite the channels of each run of `size` neighbours."""
        if size > 1:
            for start in range(0, len(channels), size):
                self.tie(channels[start : start + size])

    def tie_places(self, channels: Channels, size: int) -> None:
        """Unite the channels at equal positions of all runs of `size` neighbours."""
        for start in range(size, len(channels), size):
            self.unite(channels[:size], channels[start : start + size])

    def fix(self, channels: Iterable[int], why: str) -> None:
        """Mark channels as not removable, with the reason."""
        for atom in channels:
            self.fixed.setdefault(atom, why)

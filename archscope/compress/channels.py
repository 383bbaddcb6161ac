"""Which channels stand or fall together: the atoms of a network, united while it is walked through.

Every output channel of a layer with weights, and every input channel, is an atom. A value of the
network has a tuple of atoms, one for each of its channels; operators pass them on, make new ones,
unite those that can only be removed together, and fix those that cannot be removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

Channels = tuple[int, ...]
"""The atom of each channel of a value, or of each slice along an axis of weights, in order."""

Axes = tuple[Channels | None, ...]
"""What lies along the first axes of a tensor of weights; None, and what is beyond, stays whole."""


class Flow(Struct, frozen=True, gc=False):
    """How one node passes channels on: those it reads, those it gives, and those of its weights."""

    ins: tuple[Channels, ...]
    out: Channels
    weights: Mapping[str, Axes] = {}  # by the name in the state dict of its module
    filters: int | None = None  # the axis of `weight` along which its filters lie


class Tracker:
    """The atoms of a network, and which of them go together: a disjoint-set forest."""

    def __init__(self) -> None:
        self.parents: list[int] = []
        self.fixed: dict[int, str] = {}  # why, by atom

    def new(self, count: int) -> Channels:
        """Return atoms that no value has."""
        start = len(self.parents)
        self.parents.extend(range(start, start + count))
        return tuple(range(start, start + count))

    def root(self, atom: int) -> int:
        """Return the atom that stands for all that go together with one."""
        parents = self.parents
        while parents[atom] != atom:
            parents[atom] = parents[parents[atom]]
            atom = parents[atom]
        return atom

    def unite(self, first: Channels, other: Channels) -> None:
        """Let channels at equal places go together."""
        if first is other:
            return
        for a, b in zip(first, other, strict=True):
            low, high = self.root(a), self.root(b)
            if low != high:  # the earlier atom stands for both, so that groups stay in order
                self.parents[max(low, high)] = min(low, high)

    def tie(self, channels: Channels) -> None:
        """Let all of these go together."""
        self.unite(channels[:-1], channels[1:])

    def tie_parts(self, channels: Channels, size: int) -> None:
        """Let the channels of each run of `size` neighbours go together."""
        if size > 1:
            for start in range(0, len(channels), size):
                self.tie(channels[start : start + size])

    def tie_places(self, channels: Channels, size: int) -> None:
        """Let the channels at equal places of all runs of `size` neighbours go together."""
        for start in range(size, len(channels), size):
            self.unite(channels[:size], channels[start : start + size])

    def fix(self, channels: Iterable[int], why: str) -> None:
        """Say that channels cannot be removed, and why."""
        for atom in channels:
            self.fixed.setdefault(atom, why)

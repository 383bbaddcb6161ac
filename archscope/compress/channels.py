"""Find the channels that can only be removed together, as atoms united by a walk through a network.

Every output channel of a layer with weights, and every input channel, is an atom. A value of the
network has a tuple of atoms along an axis, one for each of its slices; operators pass them on,
create new ones, unite those that can only be removed together, and fix those that cannot be
removed. Channels that are reshaped into several axes, such as heads and their widths, are composed
of the atoms of these axes: such a channel goes with any of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from msgspec import Struct

Channels = tuple[int, ...]
"""The atoms of the channels of a value, or of the slices along an axis of weights, in order."""

Axes = tuple[Channels | None, ...]
"""The atoms along the first axes of a tensor; None, and further axes, stay whole."""

Factor = tuple[int, Channels | None]
"""The size of an axis, and its atoms."""


class Flow(Struct, frozen=True, gc=False):
    """How a node passes channels on: those of its inputs, its output, and its weights."""

    ins: tuple[Channels, ...]
    out: Channels
    weights: Mapping[str, Axes] = {}  # by the name in the state dict of its module
    filters: Mapping[str, int] = {}  # the axis of the filters in weights that rank them
    inner_ins: tuple[Axes, ...] = ()  # the axes of inputs behind the channels, where followed
    inner: Axes = ()  # those of the output
    counts: Mapping[str, Channels] = {}  # what attributes of the operator count

    @property
    def axes(self) -> Axes:
        """The atoms along all axes of the output."""
        return (self.out, *self.inner)


class Tracker:
    """The atoms of a network, and which of them are united: a disjoint-set forest."""

    def __init__(self) -> None:
        self.parents: list[int] = []
        self.fixed: dict[int, str] = {}  # why, by atom
        self.parts: dict[int, Channels] = {}  # the atoms of which composed ones are, by root
        self.derived: set[int] = set()  # atoms of axes, which are no channels of layers
        self._factors: dict[Channels, tuple[Factor, ...]] = {}  # of merged or split axes
        self._merged: dict[tuple[Factor, ...], Channels] = {}
        self._whole: set[int] = set()  # atoms of axes that stay whole

    def new(self, count: int) -> Channels:
        """Return new atoms."""
        start = len(self.parents)
        self.parents.extend(range(start, start + count))
        return tuple(range(start, start + count))

    def whole(self, count: int, why: str) -> Channels:
        """Return the channels of an axis that stays whole, such as positions in front."""
        (atom,) = self.new_axis(1)
        self.fixed[atom] = why
        self._whole.add(atom)
        return (atom,) * count

    def followed(self, channels: Channels | None) -> Channels | None:
        """Return the atoms of an axis; None if it stays whole."""
        return None if channels is None or self._whole.issuperset(channels) else channels

    def root(self, atom: int) -> int:
        """Return the atom that represents all that are united with one."""
        parents = self.parents
        while parents[atom] != atom:
            parents[atom] = parents[parents[atom]]
            atom = parents[atom]
        return atom

    def leaves(self, atom: int) -> Channels:
        """Return the roots of the atoms of which one is composed, itself if of none."""
        root = self.root(atom)
        parts = self.parts.get(root)
        if parts is None:
            return (root,)
        return tuple(dict.fromkeys(leaf for part in parts for leaf in self.leaves(part)))

    def unite(self, first: Channels, other: Channels) -> None:
        """Unite channels at equal positions."""
        if first is other:
            return
        for mine, theirs in ((first, other), (other, first)):
            if self._whole.issuperset(mine):
                self.fix(theirs, self.fixed[mine[0]])
                return
        for a, b in zip(first, other, strict=True):
            self._unite(a, b)

    def _unite(self, a: int, b: int) -> None:
        low, high = sorted((self.root(a), self.root(b)))
        if low == high:
            return
        mine, other = self.parts.get(low), self.parts.pop(high, None)
        if mine is None or other is None:
            # A part that is the same as the whole needs all other parts, and they need it.
            within = self._leaves_of(mine or other or ())
            if low in within or high in within:
                self.parts.pop(low, None)
                mine = other = None
                self._tie_leaves(within)
                low, high = sorted((self.root(low), self.root(high)))
        elif len(self._leaves_of(mine)) == len(self._leaves_of(other)):
            for x, y in zip(self._leaves_of(mine), self._leaves_of(other), strict=True):
                self._unite(x, y)
        else:
            self._tie_leaves((*self._leaves_of(mine), *self._leaves_of(other)))
        self.parents[high] = low  # the earlier atom represents both: groups keep their order
        parts = mine or other
        if parts is not None:
            self.parts[low] = parts

    def _leaves_of(self, parts: Channels) -> Channels:
        return tuple(dict.fromkeys(leaf for part in parts for leaf in self.leaves(part)))

    def _tie_leaves(self, leaves: Channels) -> None:
        for leaf in leaves[1:]:
            self._unite(leaves[0], leaf)

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

    def fix(self, channels: Iterable[int] | None, why: str) -> None:
        """Mark channels as not removable, with the reason."""
        for atom in channels or ():
            self.fixed.setdefault(atom, why)

    # Axes that are merged into one, and split again

    def factors(self, size: int, channels: Channels | None) -> tuple[Factor, ...]:
        """Return the axes that were merged into one, or into which it was split."""
        channels = self.followed(channels)
        if channels is None:
            return ((size, None),)
        return self._factors.get(channels, ((size, channels),))

    def merge(self, factors: Sequence[Factor]) -> Channels | None:
        """Return the atoms of several axes as one; None if all stay whole.

        Slices along each of the axes can be removed.
        """
        held = tuple((size, self.followed(channels)) for size, channels in factors if size > 1)
        along = [channels for _, channels in held if channels is not None]
        if not along:
            return None
        if len(held) == 1:
            return along[0]
        if held not in self._merged:
            composed: dict[Channels, int] = {}
            found = []
            for key in product(*((-1,) * n if c is None else c for n, c in held)):
                parts = tuple(atom for atom in key if atom >= 0)
                if parts not in composed:
                    composed[parts] = parts[0] if len(parts) == 1 else self._composed(parts)
                found.append(composed[parts])
            self._merged[held] = tuple(found)
            self._factors[tuple(found)] = held
        return self._merged[held]

    def split(self, channels: Channels, sizes: Sequence[int]) -> Axes:
        """Return the atoms of the axes, of more than one slice each, into which one is split."""
        if len(sizes) == 1:
            return (channels,)
        roots = tuple(map(self.root, channels))
        run = len(channels) // sizes[0]
        if roots == roots[:run] * sizes[0]:
            return (None, *self.split(channels[:run], sizes[1:]))
        if all(roots[n] == roots[n - n % run] for n in range(len(roots))):
            return (channels[::run], *(None for _ in sizes[1:]))
        axes = tuple(map(self.new_axis, sizes))
        for atom, parts in zip(channels, product(*axes), strict=True):
            self._unite(atom, self._composed(parts))
        self._factors[channels] = tuple(zip(sizes, axes, strict=True))
        return axes

    def new_axis(self, size: int) -> Channels:
        """Return new atoms that are no channels of a layer, and can only go with some."""
        atoms = self.new(size)
        self.derived.update(atoms)
        return atoms

    def _composed(self, parts: Channels) -> int:
        (atom,) = self.new_axis(1)
        self.parts[atom] = parts
        return atom


def refined(
    factors: Iterable[Factor], sizes: Sequence[int], tracker: Tracker, why: str
) -> list[Channels | None]:
    """Return the atoms of the axes of a tensor in another shape, and split its axes accordingly.

    Where old and new axes have no common division, they stay whole.
    """
    left = [factor for factor in factors if factor[0] > 1][::-1]
    found: list[Channels | None] = []
    while len(found) < len(sizes):
        size, held = sizes[len(found)], []
        while size > 1:
            have, channels = left.pop()
            if size % have == 0:
                held.append((have, channels))
                size //= have
            elif have % size == 0:
                first = rest = None
                if channels is not None:
                    first, rest = tracker.split(channels, (size, have // size))
                held.append((size, first))
                left.append((have // size, rest))
                size = 1
            else:
                held.append((have, channels))
                while size != have:  # up to the next place where both have a border
                    if have > size:
                        found.append(None)
                        size *= sizes[len(found)]
                    else:
                        held.append(left.pop())
                        have *= held[-1][0]
                for _, atoms in held:
                    tracker.fix(atoms, why)
                held, size = [], 1
        found.append(tracker.merge(held))
    return found

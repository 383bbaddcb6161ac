"""Find the network of a space that equals a given one, or else the nearest.

Values that two networks compute in the same way, from the inputs on, have equal digests. A network
is the more like the wanted one, the more of its values it computes, and then the more attributes
are equal of the operators that come next. A space decides layer after layer, so that improving one
decision after another mostly leads to the wanted network. Where that ends before, because layers
that are alike can belong to different stages, or because an operator depends on several decisions,
the search goes on from the most alike of the networks seen so far.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from heapq import heappop, heappush
from itertools import islice
from typing import Any

from msgspec import Struct, structs

from archscope.analysis import analyze
from archscope.analysis.canonical import Computed, canonical, computed
from archscope.analysis.difference import LayerChange, difference
from archscope.errors import SpecError
from archscope.ir import Graph, Op, text_of
from archscope.space.decisions import Choices, Decision
from archscope.space.search_space import Space

MOST = 8_000
"""The most networks of a space to compare with the wanted one."""
VALUES = 64
"""The most values of a decision to try; of more, those that are numbers of the wanted network."""
NEAR = 12
"""The values after those that are shared in which networks differ if they are to be told apart."""
LATER = 12
"""Decisions in a row without effect on what comes next, after which others are tried first."""


class Membership(Struct, frozen=True):
    """The network of a space that equals a wanted one, or the most alike that was found."""

    choices: dict[str, Any] | None  # None if no network of the space could be made
    found: bool  # whether they make the wanted network
    tried: int  # networks that were compared with it


class _Likeness(Struct, frozen=True, order=True):
    """How much a network is like the wanted one; more is better."""

    computed: int  # values of the wanted network that it computes, too
    attributes: float  # of the wanted operators that come next, the share that is equal


class _Network(Struct, frozen=True):
    """A network that was compared with the wanted one."""

    choices: dict[str, Any]
    alike: _Likeness
    following: frozenset[int]  # digests of what it computes next
    near: tuple[int, ...]  # the same with some of what it computes after that
    settled: Mapping[str, int] = {}  # decisions, and what other values of them compute at most
    begin: int = 0  # the first decision to try


class _ExhaustedError(Exception):
    """The wanted network is found, or too many were compared."""


def membership(
    space: Space, wanted: Graph, drawn: Iterable[Choices] = (), most: int = MOST
) -> Membership:
    """Look for a network in a space, beginning with its defaults and the networks in `drawn`.

    At most that many networks are compared. The result depends on nothing else.
    """
    search = _Search(space, wanted, most)
    search.run([space.defaults, *drawn])
    best = search.best
    return Membership(None if best is None else best.choices, search.found, len(search.known))


def how_unlike(near: Graph, wanted: Graph, tried: int) -> str:
    """Return how a wanted network differs from the most alike of some that were tried."""
    shapes = [" and ".join(text_of(node.out) for node in net.inputs) for net in (wanted, near)]
    if shapes[0] != shapes[1]:
        return f"its input is {shapes[0]}, theirs {shapes[1]}"
    changes = [
        change
        for change in difference(near, wanted, analyze(near), analyze(wanted))
        if change.kind not in ("renamed", "reshaped")
    ]
    if not changes:
        return "the most alike differs in names or weights of outputs, or in shared weights"
    first, many = changes[0], len(changes)
    differ = f"{many} layer{'s' * (many != 1)}"
    return f"the most alike of {tried:,} differs in {differ}; {_told(first)}"


def _told(change: LayerChange) -> str:
    """Return how a layer of the wanted network differs."""
    if change.kind == "added":
        return f"first, it has no '{change.name}' ({change.op})"
    if change.kind == "removed":
        return f"first, it has another layer, '{change.name}' ({change.op})"
    words = [f"{word} {was}, not {now}" for word, (was, now) in change.attributes.items()]
    return f"first, its '{change.name}' has {' and '.join(words) or 'other inputs'}"


class _Search:
    """Compares networks of a space with a wanted one, and keeps the most alike."""

    def __init__(self, space: Space, wanted: Graph, most: int) -> None:
        self.space, self.most = space, most
        self.digest, self.values = canonical(wanted), computed(wanted)
        self.counts = Counter(value.digest for value in self.values)
        numbers = sorted(_numbers(wanted))
        self.alternatives = {each.path: _alternatives(each, numbers) for each in space.decisions}
        self.known: dict[tuple[Any, ...], _Network | None] = {}  # by choices with their types
        self.visited: set[tuple[int, ...]] = set()
        self.visits: Counter[frozenset[int]] = Counter()
        self.waiting: list[tuple[Any, ...]] = []
        self.number = 0  # of the next network in the queue
        self.best: _Network | None = None
        self.found = False

    def run(self, starts: Sequence[Choices]) -> None:
        """Search until the network is found, or too many are compared."""
        with suppress(_ExhaustedError):
            for start in starts:
                self._look(start)
            while self.waiting:
                last, worth, *_, network = heappop(self.waiting)
                if -worth > self._worth(network):
                    self._queue(network, last)
                elif network.begin or self._visit(network):
                    self._improve(network)

    def _improve(self, network: _Network) -> None:
        """Improve one decision after another until none helps."""
        better: _Network | None = network
        while better is not None:
            better = self._improved(network)
            network = better or network

    def _improved(self, network: _Network) -> _Network | None:
        """Improve each decision once, in their order; None if none helps."""
        first, unchanged = network, 0
        counting = {decision.path for decision in self.space.counting(network.choices)}
        for place, decision in enumerate(self.space.decisions):
            path = decision.path
            if place < first.begin or path in network.settled or path not in counting:
                continue
            if unchanged == LATER:
                self._queue(structs.replace(network, begin=place), last=True)
                break
            others = self._others(network, path)
            most = max((other.alike.computed for other in others), default=0)
            if most < network.alike.computed:
                settled = {**network.settled, path: most}
                network = structs.replace(network, settled=settled)
                continue
            same = all(other.following == network.following for other in others)
            unchanged = unchanged + 1 if same else 0
            fresh = [other for other in others if other.near not in self.visited]
            best = max(fresh, key=lambda other: other.alike, default=network)
            if best.alike > network.alike and self._visit(best):
                network = structs.replace(best, settled=network.settled, begin=0)
                counting = {each.path for each in self.space.counting(network.choices)}
        return network if network.alike > first.alike else None

    def _others(self, network: _Network, path: str) -> list[_Network]:
        """Return the networks with another value of a decision."""
        values = [value for value in self.alternatives[path] if value != network.choices[path]]
        looked = (self._look({**network.choices, path: v}, network.settled) for v in values)
        return [other for other in looked if other is not None]

    def _visit(self, network: _Network) -> bool:
        """Return whether no network like it was visited before, and count the visit."""
        self.visits[network.following] += 1
        new = network.near not in self.visited
        self.visited.add(network.near)
        return new

    def _worth(self, network: _Network) -> int:
        """Return how promising a network is: less, the more often its way on led nowhere."""
        return network.alike.computed - self.visits[network.following]

    def _queue(self, network: _Network, last: bool = False) -> None:
        order = (last, -self._worth(network), -network.alike.attributes, self.number)
        heappush(self.waiting, (*order, network))
        self.number += 1

    def _look(self, choices: Choices, settled: Mapping[str, int] | None = None) -> _Network | None:
        """Compare a network, and queue it; None if these choices make no network.

        Raises _ExhaustedError if the wanted one is found, or too many were compared.
        """
        full = self.space.masked(choices)
        key = tuple((type(value), value) for value in full.values())
        if key not in self.known:
            if self.found or len(self.known) >= self.most:
                raise _ExhaustedError
            self.known[key] = network = self._compared(full)
            if network is not None:
                # What was settled stays so as far as the networks agree.
                kept = {p: m for p, m in (settled or {}).items() if m < network.alike.computed}
                self._queue(structs.replace(network, settled=kept))
        return self.known[key]

    def _compared(self, choices: dict[str, Any]) -> _Network | None:
        try:
            graph = self.space.graph(choices)
        except SpecError:
            return None
        values = computed(graph)
        counts = Counter(value.digest for value in values)
        shared = self.counts & counts
        following = _following(values, shared)
        attributes = 0.0
        for value in _following(self.values, shared):
            same = (other.op for other in following if other.reads == value.reads)
            attributes += max((_equal(value.op, op) for op in same), default=0.0)
        both = shared.total()
        alike = _Likeness(both, attributes)
        near = islice((value.digest for value in values if value.digest not in shared), NEAR)
        network = _Network(
            choices, alike, frozenset(value.digest for value in following), tuple(near)
        )
        if self.best is None or alike > self.best.alike:
            self.best = network
        if both == len(self.values) == len(values) and canonical(graph) == self.digest:
            self.best, self.found = network, True
        return network


def _numbers(graph: Graph) -> set[float]:
    """Return all numbers in the attributes of a network."""
    found: set[float] = set()
    for node in graph.nodes:
        for value in structs.asdict(node.op).values():
            some = value if isinstance(value, tuple) else (value,)
            found.update(x for x in some if isinstance(x, int | float) and type(x) is not bool)
    return found


def _alternatives(decision: Decision, numbers: Sequence[float]) -> tuple[Any, ...]:
    """Return the values of a decision to try."""
    if decision.size is not None and decision.size <= VALUES:
        return decision.values()
    taken = [decision.exact(number) for number in numbers if decision.takes(number)]
    return tuple(dict.fromkeys([decision.default, *taken]))


def _following(values: Sequence[Computed], shared: Counter[int]) -> list[Computed]:
    """Return the values that are not shared, but read only values that are."""
    return [
        value for value in values
        if value.digest not in shared and all(read in shared for read in value.reads)
    ]  # fmt: skip


@lru_cache(maxsize=1 << 14)
def _equal(op: Op, other: Op) -> float:
    """Return the share of equal attributes of two operators, less than 1."""
    if type(op) is not type(other):
        return 0.0
    ours, theirs = structs.asdict(op), structs.asdict(other)
    equal = sum(bool(ours[name] == theirs[name]) for name in ours)
    return (1 + equal) / (2 + len(ours))

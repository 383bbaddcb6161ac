"""The costs of the segments of a space, computed once for all choices that a segment reads.

A segment is elaborated when its cost is first needed, with choices that record which of them it
reads. What it reads next depends only on what it has read so far, so a segment whose choices agree
in everything that an earlier elaboration has read costs the same. This needs no analysis of the
text, which could be wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import add
from typing import Any

from archscope.analysis.cost import Sums
from archscope.errors import SpecError
from archscope.language.document import Document, layers_in
from archscope.language.limits import Limits
from archscope.language.syntax import LOOP_NAMES
from archscope.space.additive_costs import AdditiveCost
from archscope.space.segments import NotAChainError, Passing, Segment, SegmentChain, chain_of

SUMS = 6  # the length of `analysis.cost.Sums`

Known = tuple[Sums, Passing] | SpecError
"""The cost and the output of a segment, or the error if these choices make no network."""


class CostTables:
    """Adds up the costs of the segments of a space: `Sums`, followed by those of `extras`."""

    def __init__(self, chain: SegmentChain, extras: Sequence[AdditiveCost] = ()) -> None:
        self.chain, self.extras = chain, tuple(extras)
        self.width = SUMS + len(self.extras)
        layers = [layer for b in chain.document.all_blocks for layer in layers_in(b.layers)]
        turning = {*LOOP_NAMES}.union(*(layer.each or () for layer in layers))
        firsts: dict[Any, SegmentTable] = {}  # the first of equal iterations of a loop
        self.tables = []
        for segment in chain.segments:
            table = SegmentTable(chain, segment, self.extras)
            if not segment.reads_any(turning):
                key = segment.layer, segment.instance.path, segment.instance.block.name
                table.first = firsts.setdefault(key, table)
            self.tables.append(table)
        self.input_reads: tuple[str, ...] = ()  # the paths of choices that decide the input
        self.inputs: dict[tuple[Any, ...], Passing] = {}

    @classmethod
    def of(
        cls, document: Document, limits: Limits, extras: Sequence[AdditiveCost] = ()
    ) -> CostTables | None:
        """Return the tables of a space; None if it is not a chain of segments. Raises SpecError."""
        try:
            return cls(chain_of(document, limits), extras)
        except NotAChainError:
            return None

    def sums(self, choices: Mapping[str, Any]) -> Sums | None:
        """Return the sums over the network of choices, which has a value for each path.

        None if the network turns out not to be a chain. Raises SpecError if the choices make no
        network.
        """
        params = buffers = macs = access = biases = read = 0
        more = [0] * len(self.extras)
        passing = self.entering(choices)
        present = False
        try:
            for table in self.tables:
                if table.present(choices):
                    sums, passing = table.look_up(choices, passing)
                    params += sums[0]
                    buffers += sums[1]
                    macs += sums[2]
                    access += sums[3]
                    biases += sums[4]
                    read += sums[5]
                    for place in range(len(more)):
                        more[place] += sums[SUMS + place]
                    present = True
        except NotAChainError:
            return None
        # If no layer is left, making the graph reports the error.
        if not present:
            return None
        found = params, buffers, macs, access, biases, read
        return (*found, *map(add, more, self.at_end(passing)[SUMS:])) if more else found

    def at_end(self, passing: Passing) -> Sums:
        """Return what the end of a network adds to its sums."""
        ends = zip(self.extras, passing[1:], strict=True)
        return *(0,) * SUMS, *(extra.at_end(left) for extra, left in ends)

    def entering(self, choices: Mapping[str, Any]) -> Passing:
        """Return the input of the first segment. Raises SpecError."""
        key = tuple([choices[path] for path in self.input_reads])
        if key not in self.inputs:
            noted = NotedChoices(choices)
            shape = self.chain.entering(noted)
            if not noted.read <= set(self.input_reads):
                self.input_reads = (*self.input_reads, *noted.read - set(self.input_reads))
                self.inputs.clear()
                key = tuple([choices[path] for path in self.input_reads])
            self.inputs[key] = (shape, *(None for _ in self.extras))
        return self.inputs[key]


class SegmentTable:
    """The costs of a segment, by its input and the choices that it reads."""

    def __init__(
        self, chain: SegmentChain, segment: Segment, extras: Sequence[AdditiveCost]
    ) -> None:
        self.chain, self.segment, self.extras = chain, segment, extras
        self.reads: tuple[str, ...] = ()  # the paths of the choices it reads, as far as known
        self.known: dict[tuple[Any, ...], Known] = {}
        self.first: SegmentTable = self  # that of an earlier iteration with the same costs
        self.conditions = tuple(
            (condition.paths[0], frozenset(row[0] for row in condition.allowed or ()))
            if len(condition.paths) == 1
            else (condition.paths, condition.allowed or frozenset())
            for condition in segment.conditions
        )

    def present(self, choices: Mapping[str, Any]) -> bool:
        """Return whether the segment is part of the network of these choices."""
        for path, allowed in self.conditions:
            if isinstance(path, str):
                if choices[path] not in allowed:
                    return False
            elif tuple([choices[part] for part in path]) not in allowed:
                return False
        return True

    def look_up(self, choices: Mapping[str, Any], entering: Passing) -> tuple[Sums, Passing]:
        """Return the sums over the nodes of the segment, and its output.

        Raises SpecError, and NotAChainError if it ends in more than one value.
        """
        key = (entering, *[choices[path] for path in self.reads])
        known = self.known.get(key)
        if known is None and self.first is not self:
            known = self._as_first(choices, entering)
        if known is None:
            known = self._elaborate(choices, entering)
        if isinstance(known, SpecError):
            raise known
        return known

    def _as_first(self, choices: Mapping[str, Any], entering: Passing) -> Known | None:
        """Return the costs of the first iteration if it reads only choices of the whole network."""
        known: Known
        try:
            known = self.first.look_up(choices, entering)
        except SpecError as error:
            known = error
        if not self.chain.document.let.keys() >= set(self.first.reads):
            self.first = self  # each iteration has its own choices
            return None
        return self._noted(known, choices, entering, set(self.first.reads))

    def _elaborate(self, choices: Mapping[str, Any], entering: Passing) -> Known:
        noted = NotedChoices(choices)
        known: Known
        try:
            known = self.segment.costs(
                self.chain.document, self.chain.limits, noted, entering, self.extras
            )
        except SpecError as error:
            known = error
        return self._noted(known, choices, entering, noted.read)

    def _noted(
        self, known: Known, choices: Mapping[str, Any], entering: Passing, read: set[str]
    ) -> Known:
        """Store a result under the choices that were read for it."""
        more = read - set(self.reads)
        if more:  # earlier results do not have these choices in their keys
            self.reads = (*self.reads, *sorted(more))
            self.known.clear()
        self.known[entering, *[choices[path] for path in self.reads]] = known
        return known


class NotedChoices(dict[str, Any]):
    """Choices that record which of them are read."""

    def __init__(self, choices: Mapping[str, Any]) -> None:
        super().__init__(choices)
        self.read: set[str] = set()

    def __getitem__(self, path: str) -> Any:
        self.read.add(path)
        return super().__getitem__(path)

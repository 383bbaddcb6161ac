"""The rows of items in a chain that could be blocks: they read one another and one value more."""

from __future__ import annotations

from collections.abc import Iterator

from archscope.folding.pieces import Chain, references
from archscope.folding.same_structure import Shapes

LONGEST = 12  # items of a block that is a plain chain, before it has blocks of its own
WIDEST = 40  # items of a block whose layers say what they read

Gram = tuple[int, ...]
"""The shapes of items in a row."""


class Rows:
    """The rows of a chain, as long as it stays what it is."""

    def __init__(self, chain: Chain, shapes: Shapes) -> None:
        self.chain, self.shapes = chain, shapes
        self.keys = [shapes(item) for item in chain]
        self.stops = [item.pinned or item.grows or not (item.word or item.is_run) for item in chain]
        self.places = {item.value: place for place, item in enumerate(chain)}
        self.last = [-1] * len(chain)  # the place of the last reader of each item
        for place, item in enumerate(chain):
            for name in item.inputs:
                if name in self.places:
                    self.last[self.places[name]] = place

    def __iter__(self) -> Iterator[tuple[int, Gram]]:
        """Yield the shapes of each row, with the place where it begins."""
        for start in range(len(self.chain)):
            yield from ((start, gram) for gram in self.grams(start, WIDEST))

    def grams(self, start: int, most: int) -> Iterator[Gram]:
        """Yield the shapes of the rows from a place on."""
        chain = self.chain
        entry = chain[start].inputs
        gram: list[int] = []
        plain, read = True, -1
        for place in range(start, min(start + most, len(chain))):
            item = chain[place]
            if self.stops[place] or (plain and len(gram) == LONGEST and item.sources is None):
                return
            key = self.keys[place]
            if gram:
                if any(
                    self.places.get(name, -1) < start and (name,) != entry for name in item.inputs
                ):
                    return
                read = max(read, self.last[place - 1])
                if item.sources is not None:
                    plain = False
                    key = self.shapes.number(("from", key, references(chain, place, start)))
            gram.append(key)
            if read <= place:
                yield tuple(gram)

    def find(self, gram: Gram) -> Iterator[int]:
        """Yield the places where a row begins, those that overlap too."""
        for start, key in enumerate(self.keys):
            if key == gram[0] and gram in self.grams(start, len(gram)):
                yield start

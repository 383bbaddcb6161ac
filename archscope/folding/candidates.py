"""Enumerate the sequences of layers in a chain that could become a block.

The layers of such a sequence read one another, and one value from outside.
"""

from __future__ import annotations

from collections.abc import Iterator

from archscope.folding.piece_ids import StructureIds
from archscope.folding.pieces import Chain, references

LONGEST = 12  # pieces of a block that is a plain chain, without inner blocks
WIDEST = 40  # pieces of a block whose layers state their inputs

Signature = tuple[int, ...]
"""The structure ids of consecutive pieces; sequences with equal signatures can share a block."""


class Candidates:
    """The candidate sequences of a chain. Valid until the chain is changed."""

    def __init__(self, chain: Chain, structure_ids: StructureIds) -> None:
        self.chain, self.structure_ids = chain, structure_ids
        self.keys = [structure_ids(piece) for piece in chain]
        self.stops = [
            piece.pinned or piece.grows or not (piece.word or piece.is_run) for piece in chain
        ]
        self.places = {piece.value: place for place, piece in enumerate(chain)}
        self.last = [-1] * len(chain)  # the place of the last reader of each piece
        for place, piece in enumerate(chain):
            for name in piece.inputs:
                if name in self.places:
                    self.last[self.places[name]] = place

    def __iter__(self) -> Iterator[tuple[int, Signature]]:
        """Yield the signature of each candidate, with its start."""
        for start in range(len(self.chain)):
            yield from ((start, signature) for signature in self.signatures(start, WIDEST))

    def signatures(self, start: int, most: int) -> Iterator[Signature]:
        """Yield the signatures of the candidates from a start, of up to `most` pieces."""
        chain = self.chain
        entry = chain[start].inputs
        signature: list[int] = []
        plain, read = True, -1
        for place in range(start, min(start + most, len(chain))):
            piece = chain[place]
            if self.stops[place] or (plain and len(signature) == LONGEST and piece.sources is None):
                return
            key = self.keys[place]
            if signature:
                if any(
                    self.places.get(name, -1) < start and (name,) != entry for name in piece.inputs
                ):
                    return
                read = max(read, self.last[place - 1])
                if piece.sources is not None:
                    plain = False
                    key = self.structure_ids.id_of(("from", key, references(chain, place, start)))
            signature.append(key)
            if read <= place:
                yield tuple(signature)

    def find(self, signature: Signature) -> Iterator[int]:
        """Yield the starts of candidates with a signature, including overlapping ones."""
        for start, key in enumerate(self.keys):
            if key == signature[0] and signature in self.signatures(start, len(signature)):
                yield start

"""Ids of pieces, equal for possible instances of a block, or iterations of a run."""

from __future__ import annotations

from archscope.folding.pieces import (
    Chain,
    Key,
    Piece,
    all_pieces,
    counts_of,
    is_depthwise,
    references,
)  # fmt: skip
from archscope.ops.attributes import attributes

SHORTCUT = 2  # maximum number of pieces of a shortcut


class StructureIds:
    """Ids of the pieces of a chain, equal if operators and wiring are; numbers may differ.

    They are valid until the chain is changed. `ids` holds the id of each structure, and can be
    shared between chains.
    """

    def __init__(self, chain: Chain, ids: dict[Key, int]) -> None:
        self.ids = ids
        self.known: dict[int, int] = {}
        self.plain: dict[int, int] = {}
        self.shortcuts: dict[Key, set[Key]] = {}
        self.complete = False  # whether all shortcuts are known
        for piece in all_pieces(chain):
            side = shortcut(piece)
            if side is not None:
                found = self.shortcuts.setdefault(self._without(piece, side), set())
                found.add(self._row(piece.branches[side]))
        self.complete = True

    def id_of(self, key: Key) -> int:
        """Return the id of a structure."""
        return self.ids.setdefault(key, len(self.ids))

    def __call__(self, piece: Piece) -> int:
        """Return the id of the structure of a piece.

        A sum may have layers on its shortcut in one instance, and the identity in another.
        """
        if id(piece) not in self.known:
            self.known[id(piece)] = self._shape(piece)
        return self.known[id(piece)]

    def _shape(self, piece: Piece) -> int:
        side = shortcut(piece)
        if side is not None and not piece.pinned:
            key = self._without(piece, side)
            if self.shortcuts[key] > {()} and len(self.shortcuts[key]) == 2:
                return self.id_of(("optional", side, *key))
        return self._exact(piece)

    def _without(self, piece: Piece, side: int) -> Key:
        """Return the structure of a sum without one branch."""
        others = [branch for i, branch in enumerate(piece.branches) if i != side]
        return (piece.word, side, *map(self._row, others))

    def _row(self, chain: Chain) -> Key:
        return (*map(self._exact, chain),)

    def _exact(self, piece: Piece) -> int:
        if id(piece) not in self.plain:
            self.plain[id(piece)] = self.id_of(self._made(piece))
        return self.plain[id(piece)]

    def _made(self, piece: Piece) -> Key:
        if piece.output or (piece.share and not piece.closed):
            return ("pinned", piece.value)
        if piece.is_run:
            parts = map(self if self.complete else self._exact, piece.copies[0])
            return ("run", piece.first_differs, piece.grows, *parts)
        if piece.is_block:
            return ("block", piece.word)
        assert piece.node is not None
        op = piece.node.op
        fixed = tuple(
            (name, "number") if name in piece.args else (name, getattr(op, name))
            for name in attributes(type(op))
        )
        branches = map(self._row, piece.branches)
        facts = (is_depthwise(piece), fixed, *counts_of(piece), piece.closed, len(piece.slices))
        return (piece.word, *facts, *branches)


def shortcut(piece: Piece) -> int | None:
    """Return the index of the shortcut of a residual sum, None for any other piece."""
    if piece.word != "add" or len(piece.branches) != 2 or piece.slices:
        return None
    sizes = [len(branch) for branch in piece.branches]
    side = sizes.index(min(sizes))
    if sizes[side] > 1 and piece.branches[side][0].is_run:
        return None  # its other pieces could not follow in `then`
    return side if sizes[side] <= SHORTCUT and sizes[side] < sizes[1 - side] else None


class ValueIds:
    """Ids of pieces, equal for pieces with the same text."""

    def __init__(self) -> None:
        self.ids: dict[Key, int] = {}

    def __call__(self, piece: Piece, inside: bool = False) -> int:
        """Return the id of a piece.

        Iterations of a run share weights declared as shared, so these must be `inside` a block.
        """
        return self.ids.setdefault(self._key(piece, inside), len(self.ids))

    def _key(self, piece: Piece, inside: bool) -> Key:
        shared = piece.closed if inside else 0
        alone = not inside and (piece.sources is not None or piece.read)
        if alone or piece.grows or (piece.pinned and not shared and not (inside and piece.held)):
            return ("pinned", piece.value)
        if piece.is_run:
            turns = (piece.copies[0], piece.copies[-1])
            rows = [(*(self(inner, inside) for inner in turn),) for turn in turns]
            return ("run", len(piece.copies), *rows)
        if piece.is_block:
            links = [
                references(piece.body, place)
                for place, inner in enumerate(piece.body)
                if inner.sources is not None
            ]
            return ("block", piece.word, *(self(inner, True) for inner in piece.body), *links)
        assert piece.node is not None
        branches = [(*(self(inner, inside) for inner in branch),) for branch in piece.branches]
        counts = (*counts_of(piece).items(),)
        return (piece.word, piece.node.op, counts, shared, len(piece.slices), *branches)

"""Ids of the structure of pieces: equal for pieces that can be instances of one block.

Their operators and wiring are equal; their numbers may differ.
"""

from __future__ import annotations

from archscope.folding.pieces import Chain, Key, Piece, all_chains, is_depthwise
from archscope.ops.attributes import attributes

SHORTCUT = 2  # pieces of a shortcut at most


class StructureIds:
    """The structure ids of the pieces of a chain. Valid until the chain is changed.

    `ids` holds the id of each structure, and can be shared between chains.
    """

    def __init__(self, chain: Chain, ids: dict[Key, int]) -> None:
        self.ids = ids
        self.known: dict[int, int] = {}
        self.plain: dict[int, int] = {}
        self.shortcuts: dict[Key, set[Key]] = {}
        for inner in all_chains(chain):
            for piece in inner:
                side = shortcut(piece)
                if side is not None:
                    found = self.shortcuts.setdefault(self._without(piece, side), set())
                    found.add(self._row(piece.branches[side]))

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
        return (
            piece.word,
            side,
            *(self._row(b) for i, b in enumerate(piece.branches) if i != side),
        )

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
            return ("run", piece.first_differs, piece.grows, *map(self, piece.copies[0]))
        if piece.is_block:
            return ("block", piece.word)
        assert piece.node is not None
        op = piece.node.op
        fixed = tuple(
            (name, "number") if name in piece.args else (name, getattr(op, name))
            for name in attributes(type(op))
        )
        kind = "depthwise" if is_depthwise(piece) else ""
        return (
            piece.word,
            kind,
            fixed,
            piece.closed,
            len(piece.slices),
            *[self._row(b) for b in piece.branches],
        )


def shortcut(piece: Piece) -> int | None:
    """Return the index of the shortcut of a residual sum, None for any other piece."""
    if piece.word != "add" or len(piece.branches) != 2 or piece.slices:
        return None
    sizes = [len(branch) for branch in piece.branches]
    side = sizes.index(min(sizes))
    if sizes[side] > 1 and piece.branches[side][0].is_run:
        return None  # its other pieces could not follow in `then`
    return side if sizes[side] <= SHORTCUT and sizes[side] < sizes[1 - side] else None

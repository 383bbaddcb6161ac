"""Ids of pieces with all their numbers: equal for pieces that can be turns of one run."""

from __future__ import annotations

from archscope.folding.pieces import Key, Piece, references


class ValueIds:
    """Ids of pieces, equal for those that are written the same."""

    def __init__(self) -> None:
        self.ids: dict[Key, int] = {}

    def __call__(self, piece: Piece, inside: bool = False) -> int:
        """Return the id of a piece.

        Turns of a run share what is said to be shared, so such layers must be `inside` a block.
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
        return (piece.word, piece.node.op, shared, len(piece.slices), *branches)

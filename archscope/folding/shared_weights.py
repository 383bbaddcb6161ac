"""Find weights that are shared only inside one piece, which can then be part of a block."""

from __future__ import annotations

from collections import Counter

from archscope.folding.pieces import Chain, Piece, all_chains, chains_in


def mark_enclosed_shares(chain: Chain) -> None:
    """Set `closed` of pieces whose weights are shared only inside one piece of a chain.

    All of them must stay in one block then.
    """
    uses = Counter(piece.share for inner in all_chains(chain) for piece in inner if piece.share)
    if uses:
        for piece in chain:
            _visit(piece, uses)


def _visit(piece: Piece, uses: Counter[str]) -> list[Piece]:
    """Return the pieces inside that share weights with pieces outside."""
    members = [piece] if piece.share else []
    for inner in chains_in(piece):
        for part in inner:
            members += _visit(part, uses)
    if not piece.branches:
        return members
    here = Counter(member.share for member in members)
    labels: dict[str | None, int] = {}
    for member in members:
        if here[member.share] == uses[member.share or ""]:
            member.closed = labels.setdefault(member.share, len(labels) + 1)
    left = [member for member in members if not member.closed]
    piece.held = bool(left)
    return left

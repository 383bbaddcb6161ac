"""Weights shared by several layers: inside a piece, or by branches of a Siamese network."""

from __future__ import annotations

from collections import Counter

from archscope.folding.pieces import Chain, Key, Piece, all_pieces, chains_in, instance


def mark_enclosed_shares(chain: Chain) -> None:
    """Set `closed` of pieces whose weights are shared only inside a piece of a chain.

    All of them must then stay in the same block.
    """
    uses = Counter(piece.share for piece in all_pieces(chain) if piece.share)
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


def find_siamese(chain: Chain) -> None:
    """Replace sequences that share all their weights by instances of a shared block.

    These are the branches of a Siamese network: the same layers applied to several inputs.
    """
    start = 0
    towers = 0
    uses = Counter(member.share for piece in chain for member in _members(piece))
    keys = [_shares(piece) for piece in chain]
    while start < len(chain):
        same = keys[start]
        starts = [place for place, key in enumerate(keys) if key == same] if same else []
        length = _length(chain, starts) if len(starts) > 1 and starts[0] == start else 0
        if length > 1 and _whole(chain[start : start + length], uses, len(starts)):
            for place in reversed(starts):
                pieces = chain[place : place + length]
                for piece in all_pieces(pieces):
                    piece.held = False
                    if piece.share:
                        piece.share, piece.closed = None, 0
                made = instance(f"#tower{towers}", pieces)
                made.share = f"tower{towers}"
                chain[place : place + length] = [made]
            towers += 1
            keys = [_shares(piece) for piece in chain]
        start += 1


def _members(piece: Piece) -> list[Piece]:
    return [member for member in all_pieces([piece]) if member.share]


def _shares(piece: Piece) -> tuple[str | None, ...]:
    return tuple(member.share for member in _members(piece))


def _length(chain: Chain, starts: list[int]) -> int:
    """Return how many pieces from several starts are equal, and read only each other."""
    length = 0
    ends = [*starts[1:], len(chain)]
    while all(start + length < end for start, end in zip(starts, ends, strict=True)):
        pieces = [chain[start + length] for start in starts]
        if len({(_shares(piece), _same(piece)) for piece in pieces}) > 1:
            break
        if any(map(_has_weights_of_its_own, all_pieces(pieces))):
            break
        before = [chain[start + length - 1] for start in starts] if length else []
        jumps = length and any(piece.sources is not None for piece in pieces)
        if jumps or any(piece.output for piece in pieces) or any(piece.read for piece in before):
            break
        length += 1
    return length


def _has_weights_of_its_own(piece: Piece) -> bool:
    facts = piece.node and piece.node.facts
    return bool(facts and (facts.params or facts.buffers) and piece.share is None)


def _whole(pieces: Chain, uses: Counter[str | None], count: int) -> bool:
    """Return whether the weights are shared in these sequences only."""
    inside = Counter(member.share for piece in pieces for member in _members(piece))
    return all(uses[share] == count * times for share, times in inside.items())


def _same(piece: Piece) -> Key:
    """Return a key that is equal for pieces that are equal except for their weights."""
    if piece.node is None:
        return ("alone", piece.value)
    branches = [(*map(_same, branch),) for branch in piece.branches]
    return (piece.word, piece.node.op, len(piece.slices), *branches)

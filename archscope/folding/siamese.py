"""Fold Siamese branches: sequences of layers applied to several inputs with the same weights."""

from __future__ import annotations

from collections import Counter

from archscope.folding.pieces import Chain, Key, Piece, all_chains, instance


def find_siamese(chain: Chain) -> None:
    """Replace sequences that share all their weights by instances of one shared block."""
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
                for member in [member for piece in pieces for member in _members(piece)]:
                    member.share, member.closed = None, 0
                for inner in all_chains(pieces):
                    for piece in inner:
                        piece.held = False
                made = instance(f"#tower{towers}", pieces)
                made.share = f"tower{towers}"
                chain[place : place + length] = [made]
            towers += 1
            keys = [_shares(piece) for piece in chain]
        start += 1


def _members(piece: Piece) -> list[Piece]:
    return [member for inner in all_chains([piece]) for member in inner if member.share]


def _shares(piece: Piece) -> tuple[str | None, ...]:
    return tuple(member.share for member in _members(piece))


def _length(chain: Chain, starts: list[int]) -> int:
    """Return how many pieces are equal from several places on, and read only one another."""
    length = 0
    ends = [*starts[1:], len(chain)]
    while all(start + length < end for start, end in zip(starts, ends, strict=True)):
        pieces = [chain[start + length] for start in starts]
        if len({(_shares(piece), _same(piece)) for piece in pieces}) > 1:
            break
        if any(piece.output for piece in pieces) or (
            length
            and any(
                chain[start + length].sources is not None or chain[start + length - 1].read
                for start in starts
            )
        ):
            break
        length += 1
    return length


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

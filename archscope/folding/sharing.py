"""Which layers share their weights only inside one piece, so that the piece can be in a block."""

from __future__ import annotations

from collections import Counter

from archscope.folding.pieces import Chain, Item, all_chains, chains_in


def close_shares(chain: Chain) -> None:
    """Note for shared weights whether all that use them are inside one item of a chain.

    They keep each other company then: all of them must stay in one block.
    """
    uses = Counter(item.share for inner in all_chains(chain) for item in inner if item.share)
    if uses:
        for item in chain:
            _visit(item, uses)


def _visit(item: Item, uses: Counter[str]) -> list[Item]:
    """Return the items inside that share weights with others beyond what was closed already."""
    members = [item] if item.share else []
    for inner in chains_in(item):
        for one in inner:
            members += _visit(one, uses)
    if not item.branches:
        return members
    here = Counter(member.share for member in members)
    labels: dict[str | None, int] = {}
    for member in members:
        if here[member.share] == uses[member.share or ""]:
            member.closed = labels.setdefault(member.share, len(labels) + 1)
    left = [member for member in members if not member.closed]
    item.held = bool(left)
    return left

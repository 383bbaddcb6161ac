"""Rows of layers that are applied several times with the same weights -> instances that share."""

from __future__ import annotations

from collections import Counter

from archscope.folding.pieces import Chain, Item, Key, all_chains, instance


def find_towers(chain: Chain) -> None:
    """Make instances of one block of rows that share all their weights, as Siamese networks do."""
    start = 0
    towers = 0
    uses = Counter(member.share for item in chain for member in _members(item))
    keys = [_shares(item) for item in chain]
    while start < len(chain):
        same = keys[start]
        starts = [place for place, key in enumerate(keys) if key == same] if same else []
        length = _length(chain, starts) if len(starts) > 1 and starts[0] == start else 0
        if length > 1 and _whole(chain[start : start + length], uses, len(starts)):
            for place in reversed(starts):
                items = chain[place : place + length]
                for one in [member for item in items for member in _members(item)]:
                    one.share, one.closed = None, 0
                for inner in all_chains(items):
                    for item in inner:
                        item.held = False
                made = instance(f"#tower{towers}", items)
                made.share = f"tower{towers}"
                chain[place : place + length] = [made]
            towers += 1
            keys = [_shares(item) for item in chain]
        start += 1


def _members(item: Item) -> list[Item]:
    return [one for inner in all_chains([item]) for one in inner if one.share]


def _shares(item: Item) -> tuple[str | None, ...]:
    return tuple(member.share for member in _members(item))


def _length(chain: Chain, starts: list[int]) -> int:
    """Return how many items are alike from several places on, and read only one another."""
    length = 0
    ends = [*starts[1:], len(chain)]
    while all(start + length < end for start, end in zip(starts, ends, strict=True)):
        items = [chain[start + length] for start in starts]
        if len({(_shares(item), _same(item)) for item in items}) > 1:
            break
        if any(item.output for item in items) or (
            length
            and any(
                chain[start + length].sources is not None or chain[start + length - 1].read
                for start in starts
            )
        ):
            break
        length += 1
    return length


def _whole(items: Chain, uses: Counter[str | None], count: int) -> bool:
    """Return whether weights are shared in these rows only."""
    inside = Counter(member.share for item in items for member in _members(item))
    return all(uses[share] == count * times for share, times in inside.items())


def _same(item: Item) -> Key:
    """Return what two items have in common that say the same, weights aside."""
    if item.node is None:
        return ("alone", item.value)
    branches = [(*map(_same, branch),) for branch in item.branches]
    return (item.word, item.node.op, len(item.slices), *branches)

"""What pieces have in common, numbers aside: whether they can be instances of one block."""

from __future__ import annotations

from archscope.folding.pieces import Chain, Item, Key, all_chains, is_depthwise
from archscope.ops.attributes import attributes

SHORTCUT = 2  # items of a shortcut at most


class Shapes:
    """The shapes of the items of a chain, as long as it stays what it is.

    Each is a number, which costs little to compare; `ids` keeps them for chains to come.
    """

    def __init__(self, chain: Chain, ids: dict[Key, int]) -> None:
        self.ids = ids
        self.known: dict[int, int] = {}
        self.plain: dict[int, int] = {}
        self.shortcuts: dict[Key, set[Key]] = {}
        for inner in all_chains(chain):
            for item in inner:
                side = shortcut(item)
                if side is not None:
                    found = self.shortcuts.setdefault(self._without(item, side), set())
                    found.add(self._row(item.branches[side]))

    def number(self, key: Key) -> int:
        """Return the number of a shape."""
        return self.ids.setdefault(key, len(self.ids))

    def __call__(self, item: Item) -> int:
        """Return what two items must have in common to be instances of one block.

        A sum may have a shortcut of its own in one instance, and the identity in another.
        """
        if id(item) not in self.known:
            self.known[id(item)] = self._shape(item)
        return self.known[id(item)]

    def _shape(self, item: Item) -> int:
        side = shortcut(item)
        if side is not None and not item.pinned:
            key = self._without(item, side)
            if self.shortcuts[key] > {()} and len(self.shortcuts[key]) == 2:
                return self.number(("optional", side, *key))
        return self._exact(item)

    def _without(self, item: Item, side: int) -> Key:
        """Return the shape of a sum but for one branch."""
        return (item.word, side, *(self._row(b) for i, b in enumerate(item.branches) if i != side))

    def _row(self, chain: Chain) -> Key:
        return (*map(self._exact, chain),)

    def _exact(self, item: Item) -> int:
        if id(item) not in self.plain:
            self.plain[id(item)] = self.number(self._made(item))
        return self.plain[id(item)]

    def _made(self, item: Item) -> Key:
        if item.output or (item.share and not item.closed):
            return ("pinned", item.value)
        if item.is_run:
            return ("run", item.lead, item.grows, *map(self, item.copies[0]))
        if item.is_block:
            return ("block", item.word)
        assert item.node is not None
        op = item.node.op
        fixed = tuple(
            (name, "number") if name in item.args else (name, getattr(op, name))
            for name in attributes(type(op))
        )
        kind = "depthwise" if is_depthwise(item) else ""
        return (
            item.word,
            kind,
            fixed,
            item.closed,
            len(item.slices),
            *[self._row(b) for b in item.branches],
        )


def shortcut(item: Item) -> int | None:
    """Return which branch of a sum of two is its shortcut."""
    if item.word != "add" or len(item.branches) != 2 or item.slices:
        return None
    sizes = [len(branch) for branch in item.branches]
    side = sizes.index(min(sizes))
    if sizes[side] > 1 and item.branches[side][0].is_run:
        return None  # its other items could not follow in `then`
    return side if sizes[side] <= SHORTCUT and sizes[side] < sizes[1 - side] else None

"""What pieces have in common, numbers and all: whether they can be turns of one run."""

from __future__ import annotations

from archscope.folding.pieces import Item, Key, references


class Numbers:
    """Numbers for items, equal for those that say the same."""

    def __init__(self) -> None:
        self.ids: dict[Key, int] = {}

    def __call__(self, item: Item, inside: bool = False) -> int:
        """Return the number of an item.

        Turns of a run share what is said to be shared, so such layers must be `inside` a block.
        """
        return self.ids.setdefault(self._key(item, inside), len(self.ids))

    def _key(self, item: Item, inside: bool) -> Key:
        shared = item.closed if inside else 0
        alone = not inside and (item.sources is not None or item.read)
        if alone or item.grows or (item.pinned and not shared and not (inside and item.held)):
            return ("pinned", item.value)
        if item.is_run:
            turns = (item.copies[0], item.copies[-1])
            rows = [(*(self(one, inside) for one in turn),) for turn in turns]
            return ("run", len(item.copies), *rows)
        if item.is_block:
            links = [
                references(item.body, place)
                for place, one in enumerate(item.body)
                if one.sources is not None
            ]
            return ("block", item.word, *(self(one, True) for one in item.body), *links)
        assert item.node is not None
        branches = [(*(self(one, inside) for one in branch),) for branch in item.branches]
        return (item.word, item.node.op, shared, len(item.slices), *branches)

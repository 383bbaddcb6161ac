"""Layers that read all that came before them, as DenseNet's do -> one block.

Each concat of such a row takes what the last took and one value more. The block carries these
values along under one name, `features`.
"""

from __future__ import annotations

from collections import Counter

from archscope.folding.pieces import Chain, Item
from archscope.folding.same_structure import Shapes
from archscope.folding.same_values import Numbers

LEAST = 2  # concats that grow, beside the last


def find_dense(items: dict[str, Item], reads: Counter[str]) -> None:
    """Make instances of blocks of the rows of growing concats among items, by value."""
    words: dict[object, str] = {}
    shapes = Shapes([], {})
    grown = {item.inputs: item for item in items.values() if _is_open(item)}
    longer = {inputs[:-1]: item for inputs, item in grown.items()}
    for start in [item for inputs, item in grown.items() if len(inputs) == 2]:
        row = [start]
        while row[-1].inputs in longer:
            row.append(longer[row[-1].inputs])
        parts = _parts(row, items, reads)
        if len(row) > LEAST and parts is not None:
            key = tuple((*map(shapes, part),) for part in parts[:2])
            word = words.setdefault(key, f"#dense{len(words)}")
            _join(row, parts, items, reads, word)


def _is_open(item: Item) -> bool:
    return item.word == "concat" and not item.branches and len(item.inputs) > 1


def _parts(row: list[Item], items: dict[str, Item], reads: Counter[str]) -> list[Chain] | None:
    """Return what makes the first new value, then the layers, each with its concat."""
    entry, *new = row[-1].inputs
    parts: list[Chain] = []
    for place, value in enumerate(new):
        start = entry if place == 0 else row[place - 1].value
        way: Chain = []
        if reads[value] != len(row) - place:
            return None
        while value != start:
            item = items.get(value)
            if item is None or item.pinned or len(item.inputs) != 1:
                return None
            if way and reads[value] != 1:
                return None
            way.insert(0, item)
            value = item.inputs[0]
        if place and (reads[start] != 1 or items[start].pinned):
            return None
        parts.append([items[start], *way] if place else way)
    numbers = Numbers()
    keys = {tuple(map(numbers, part[1:])) for part in parts[1:]}
    return parts if parts[0] and len(keys) == 1 else None


def _join(
    row: list[Item],
    parts: list[Chain],
    items: dict[str, Item],
    reads: Counter[str],
    word: str,
) -> None:
    first, *layers = parts
    last = row[-1]
    grows = Item("", last.inputs, layers[-1][-1].value, None, copies=layers, grows=True)
    made = Item(word, last.inputs[:1], last.value, first[0].entry, body=[*first, grows, last])
    made.output, last.output = last.output, None
    made.share = last.share
    for item in [one for part in parts for one in part]:
        del items[item.value]
    items[last.value] = made  # in the place of the last concat
    reads[last.inputs[0]] -= len(row)

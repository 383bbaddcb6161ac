"""The turns of `repeat` and `each`, with the names that expressions may read in each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import Any

from archscope.errors import LimitError, SpecError, quoted
from archscope.ir import Source
from archscope.language.checks import checked, forgotten
from archscope.language.document import VALUES_IN_STEP, Layer
from archscope.language.expression import Frame
from archscope.ops.attributes import COUNT


def turns(
    layer: Layer, frame: Frame, most: int, spend: Callable[[int, Source], None]
) -> Iterator[dict[str, Any]]:
    """Yield the names of each turn with their values. Raises SpecError.

    `most` bounds the turns, and `spend` counts the steps of work.
    """
    rows: Iterable[dict[str, Any]]
    if layer.repeat is not None:
        count = checked(COUNT, layer.repeat, frame, "repeat")
        _check_turns(count, most, layer.repeat.at)
        rows = repeat({}, count)
    else:
        columns = _columns(layer, frame, most)
        count = len(next(iter(columns.values())))
        rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    for i, row in enumerate(rows):
        spend(len(row) // VALUES_IN_STEP, layer.at)
        yield {**row, "i": i, "first": i == 0, "last": i == count - 1}


def _columns(layer: Layer, frame: Frame, most: int) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    for name, value in (layer.each or {}).items():
        column = value(frame)
        if not isinstance(column, list):
            hint = forgotten(column, frame)
            raise SpecError(f"'each' walks lists, '{name}' is {quoted(column)}{hint}", value.at)
        _check_turns(len(column), most, value.at)
        columns[name] = column
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise SpecError(
            f"'each' walks lists together, but their lengths differ: {listed}", layer.at
        )
    return columns


def _check_turns(count: int, most: int, at: Source) -> None:
    if count > most:
        raise LimitError(f"more turns than the limit of {most}", at)

"""Compute and check the values of arguments, modifiers and loops."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import repeat
from typing import Any

from archscope.errors import SpecError, quoted
from archscope.ir import Shape, Source
from archscope.language.document import VALUES_IN_STEP, Layer
from archscope.language.expression import Frame
from archscope.language.limits import check_limit
from archscope.language.value import Value
from archscope.ops.attributes import COUNT, LARGEST, POSITIVE, Kind

MOST_AXES = 4  # channels, and three spatial axes
SHAPE = f"a list of 1 to {MOST_AXES} whole numbers from 1 to {LARGEST}, channels first"


def checked(
    kind: Kind, value: Value, scope: Frame, name: str, owner: str = "", optional: bool = False
) -> Any:
    """Compute a value and convert it to its kind; None if `optional`. Raises SpecError.

    Messages name the argument and its owner.
    """
    content = value(scope)
    if optional and content is None:
        return None
    try:
        return kind.read(content)
    except ValueError:
        what = f"'{name}' of '{owner}'" if owner else f"'{name}'"
        wanted = kind.text
        if kind.schema.get("type") == "integer" and isinstance(content, int) and content > LARGEST:
            wanted = f"{wanted} and at most {LARGEST}"
        hint = forgotten(content, scope)
        raise SpecError(f"{what} must be {wanted}, got {quoted(content)}{hint}", value.at) from None


def truth(value: Value, scope: Frame, what: str) -> bool:
    """Return whether a value is true or a nonzero number. Raises SpecError."""
    content = value(scope)
    if not isinstance(content, bool | int):
        hint = forgotten(content, scope)
        raise SpecError(f"'{what}' must be true or false, got {quoted(content)}{hint}", value.at)
    return bool(content)


def shape_of(content: Any) -> Shape | None:
    """Return a list as the shape of an input, or None if it is not a shape."""
    if not isinstance(content, list | tuple) or not 1 <= len(content) <= MOST_AXES:
        return None
    try:
        return tuple(map(POSITIVE.read, content))
    except ValueError:
        return None


def forgotten(content: Any, scope: Mapping[str, Any]) -> str:
    """Return a hint if a text looks like an expression without its `=`."""
    if not isinstance(content, str):
        return ""
    known = isinstance(scope, Frame) and content in scope.names()
    if known or re.match(r"[A-Za-z0-9_.() ]+(?:[-+*/%<>]|==)[-+*/=(.\s]*\w", content):
        return f"; an expression begins with '=': ={quoted(content)[1:-1]}"
    return ""


def part_sizes(split: Value, scope: Frame, channels: int, branches: int) -> list[int]:
    """Return the number of channels of each branch of a `split`. Raises SpecError."""
    value = split(scope)
    even = [channels / branches] * branches if value == branches else []
    parts = value if isinstance(value, list) and len(value) == branches else even
    try:
        sizes = list(map(POSITIVE.read, parts))
    except ValueError:
        sizes = []
    if sum(sizes) != channels:
        raise SpecError(
            f"'split' must part {channels} channels into {branches}: the number of branches"
            f" or a list of sizes, got {quoted(value)}{forgotten(value, scope)}",
            split.at,
        )
    return sizes


def turns(
    layer: Layer, frame: Frame, most: int, spend: Callable[[int, Source], None]
) -> Iterator[dict[str, Any]]:
    """Yield the loop variables of each iteration with their values. Raises SpecError.

    `most` limits the number of iterations, and `spend` counts the work.
    """
    rows: Iterable[dict[str, Any]]
    if layer.repeat is not None:
        count = checked(COUNT, layer.repeat, frame, "repeat")
        check_limit(count, most, "more turns than", layer.repeat.at)
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
            raise SpecError(f"'each' needs lists, '{name}' is {quoted(column)}{hint}", value.at)
        check_limit(len(column), most, "more turns than", value.at)
        columns[name] = column
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise SpecError(f"'each' needs lists of equal length, got {listed}", layer.at)
    return columns

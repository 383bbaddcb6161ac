"""The kinds of attribute that operators take: how each is read, explained and put in the schema.

An operator names the kind as the annotation of a field; `KINDS` is looked up by that name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

from msgspec import NODEFAULT, Struct

from archscope.ir import Op

LARGEST = 2**31 - 1
"""The largest whole number an attribute or dimension may be."""

WIDEST = 2**16 - 1
"""The largest window, stride or number of positions to resample to."""

Positive: TypeAlias = int
Count: TypeAlias = int
Number: TypeAlias = float
Share: TypeAlias = float
Flag: TypeAlias = bool
Size: TypeAlias = int | tuple[int, ...]
Padding: TypeAlias = int | tuple[Any, ...] | str


class Kind(Struct, frozen=True):
    """One kind of attribute."""

    text: str  # what it must be, for error messages and the reference
    read: Callable[[Any], Any]  # the checked value; raises ValueError
    schema: dict[str, Any]  # JSON Schema


def whole(least: int, most: int = LARGEST) -> Callable[[Any], int]:
    """Return a reader of whole numbers from `least` to `most`."""

    def read(value: Any) -> int:
        # 2.0 is what arithmetic such as `=0.5*in.channels` leaves of a whole number.
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError
        return value

    return read


def _sizes(value: Any) -> int | tuple[int, ...]:
    if isinstance(value, list | tuple) and 1 <= len(value) <= 3:
        return tuple(map(whole(1, WIDEST), value))
    return whole(1, WIDEST)(value)


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= 4:
        raise ValueError
    return tuple(map(whole(1), value))


def _padding(value: Any) -> Padding:
    if value == "same":
        return "same"
    if isinstance(value, list | tuple) and 1 <= len(value) <= 3:
        return tuple(
            (whole(0)(one[0]), whole(0)(one[1]))
            if isinstance(one, list | tuple) and len(one) == 2
            else whole(0)(one)
            for one in value
        )
    return whole(0)(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        raise ValueError
    return float(value)


def _share(value: Any) -> float:
    number = _number(value)
    if not 0 <= number < 1:
        raise ValueError
    return number


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _integer_schema(least: int, most: int = LARGEST) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most}


def _array_schema(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1, "maxItems": 3}


_PAIR = {"type": "array", "items": _integer_schema(0), "minItems": 2, "maxItems": 2}

KINDS: dict[str, Kind] = {
    "Positive": Kind("a whole number of at least 1", whole(1), _integer_schema(1)),
    "Count": Kind("a whole number of at least 0", whole(0), _integer_schema(0)),
    "Number": Kind("a number", _number, {"type": "number"}),
    "Share": Kind(
        "a number from 0 to below 1",
        _share,
        {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
    ),
    "Flag": Kind("true or false", _flag, {"type": "boolean"}),
    "Shape": Kind(
        "a list of 1 to 4 whole numbers of at least 1, channels first",
        _shape,
        {**_array_schema(_integer_schema(1)), "maxItems": 4},
    ),
    "Size": Kind(
        f"a whole number from 1 to {WIDEST}, or one for each axis",
        _sizes,
        {"anyOf": [_integer_schema(1, WIDEST), _array_schema(_integer_schema(1, WIDEST))]},
    ),
    "Padding": Kind(
        "a whole number of at least 0, one for each axis, a pair [before, after] for each axis,"
        " or 'same'",
        _padding,
        {
            "anyOf": [
                _integer_schema(0),
                {"const": "same"},
                _array_schema({"anyOf": [_integer_schema(0), _PAIR]}),
            ]
        },
    ),
}


def choice(*words: str) -> Kind:
    """Return the kind of attribute that is one of a few words."""

    def read(value: Any) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return Kind(f"one of {', '.join(words)}", read, {"enum": list(words)})


class Attribute(Struct, frozen=True):
    """One attribute of an operator."""

    name: str
    kind: Kind
    required: bool
    default: Any
    about: str


@cache
def attributes(op: type[Op]) -> dict[str, Attribute]:
    """Return the attributes of an operator by name, in order."""
    kinds = {
        name: annotation
        for base in reversed(op.__mro__)
        for name, annotation in vars(base).get("__annotations__", {}).items()
    }
    about = dict(re.findall(r"^ *(\w+): (.+)$", op.__doc__ or "", re.MULTILINE))
    names, defaults = op.__struct_fields__, op.__struct_defaults__
    table = {}
    for name, default in zip(
        names[::-1], (*defaults[::-1], *[NODEFAULT] * len(names)), strict=False
    ):
        kind = KINDS[kinds[name].removesuffix(" | None")]
        required = default is NODEFAULT
        table[name] = Attribute(name, kind, required, None if required else default, about[name])
    return {name: table[name] for name in names}


def attribute_names(op: type[Op]) -> tuple[str, ...]:
    """Return the names of an operator's attributes."""
    return op.__struct_fields__

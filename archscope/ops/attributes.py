"""The attributes of operators: their kinds, checks and descriptions.

An operator annotates a field with its kind and a description:
`groups: Annotated[Positive, "number of groups"] = 1`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from inspect import get_annotations
from typing import Annotated, Any, get_args

from msgspec import NODEFAULT, Struct

from archscope.ir import Op

LARGEST = 2**31 - 1
"""The largest integer for an attribute or dimension."""

WIDEST = 2**16 - 1
"""The largest window, stride or size to resample to."""


class Kind(Struct, frozen=True, eq=False):
    """A kind of attribute."""

    text: str  # its description in error messages and the reference
    read: Callable[[Any], Any]  # the checked value; raises ValueError
    schema: dict[str, Any]  # JSON Schema


def whole(least: int, most: int = LARGEST) -> Callable[[Any], int]:
    """Return a function that reads integers from `least` to `most`."""

    def read(value: Any) -> int:
        # Arithmetic such as `=0.5*in.channels` yields 2.0 for an integer.
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError
        return value

    return read


def listed(
    read: Callable[[Any], int], most: int, least: int = 1
) -> Callable[[Any], tuple[int, ...]]:
    """Return a function that reads lists of `least` to `most` values."""

    def read_all(value: Any) -> tuple[int, ...]:
        if not isinstance(value, list | tuple) or not least <= len(value) <= most:
            raise ValueError
        return tuple(map(read, value))

    return read_all


def _sizes(value: Any) -> int | tuple[int, ...]:
    read = whole(1, WIDEST)
    return listed(read, 3)(value) if isinstance(value, list | tuple) else read(value)


def _padding(value: Any) -> int | tuple[Any, ...] | str:
    if value == "same":
        return "same"
    if isinstance(value, list | tuple) and 1 <= len(value) <= 3:
        return tuple(
            (whole(0)(side[0]), whole(0)(side[1]))
            if isinstance(side, list | tuple) and len(side) == 2
            else whole(0)(side)
            for side in value
        )
    return whole(0)(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        raise ValueError
    return float(value)


def _nonzero(value: Any) -> float:
    number = _number(value)
    if number == 0:
        raise ValueError
    return number


def _halves(value: Any) -> int | float:
    twice = whole(0)(2 * _number(value))
    return twice / 2 if twice % 2 else twice // 2


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


def array_schema(items: dict[str, Any], most: int = 3, least: int = 1) -> dict[str, Any]:
    """Return the JSON Schema of lists."""
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def list_of(item: Kind, most: int, words: str, least: int = 1) -> Kind:
    """Return the kind of lists of `least` to `most` values of a kind, which `words` describe."""
    schema = array_schema(item.schema, most, least)
    return Kind(f"a list of {least} to {most} {words}", listed(item.read, most, least), schema)


_PAIR = array_schema(_integer_schema(0), 2, least=2)

POSITIVE = Kind("a whole number of at least 1", whole(1), _integer_schema(1))
COUNT = Kind("a whole number of at least 0", whole(0), _integer_schema(0))
HALVES = Kind(
    "a whole number of at least 0, or a half more",
    _halves,
    {"type": "number", "minimum": 0, "multipleOf": 0.5},
)
NUMBER = Kind("a number", _number, {"type": "number"})
NONZERO = Kind("a number other than 0", _nonzero, {"type": "number", "not": {"const": 0}})
SHARE = Kind(
    "a number from 0 to below 1", _share, {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
)
FLAG = Kind("true or false", _flag, {"type": "boolean"})
SHAPE = list_of(POSITIVE, 4, "whole numbers of at least 1, channels first")
RANK = 8
"""The most axes of a tensor, without the batch."""

TENSOR = list_of(POSITIVE, RANK, "whole numbers of at least 1, channels first")
AXES = Kind(
    "a list of axes; 0 is the channel axis",
    listed(whole(0, RANK - 1), RANK),
    array_schema(_integer_schema(0, RANK - 1), RANK),
)
SIZE = Kind(
    f"a whole number from 1 to {WIDEST}, or one for each axis",
    _sizes,
    {"anyOf": [_integer_schema(1, WIDEST), array_schema(_integer_schema(1, WIDEST))]},
)
PADDING = Kind(
    "a whole number of at least 0, one for each axis, a pair [before, after] for each axis,"
    " or 'same'",
    _padding,
    {
        "anyOf": [
            _integer_schema(0),
            {"const": "same"},
            array_schema({"anyOf": [_integer_schema(0), _PAIR]}),
        ]
    },
)

Positive = Annotated[int, POSITIVE]
Count = Annotated[int, COUNT]
Halves = Annotated[int | float, HALVES]
Number = Annotated[float, NUMBER]
Nonzero = Annotated[float, NONZERO]
Share = Annotated[float, SHARE]
Flag = Annotated[bool, FLAG]
Dimensions = Annotated[tuple[int, ...], SHAPE]
Axes = Annotated[tuple[int, ...], AXES]
TensorShape = Annotated[tuple[int, ...], TENSOR]
Size = Annotated[int | tuple[int, ...], SIZE]
Padding = Annotated[int | tuple[Any, ...] | str, PADDING]


def choice(*words: str) -> Kind:
    """Return the kind of an attribute that is one of a few words."""

    def read(value: Any) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return Kind(f"one of {', '.join(words)}", read, {"enum": list(words)})


class Attribute(Struct, frozen=True):
    """An attribute of an operator."""

    name: str
    kind: Kind
    required: bool
    default: Any
    about: str


@cache
def attributes(op: type[Op]) -> dict[str, Attribute]:
    """Return the attributes of an operator by name, in order.

    Raises TypeError if a field is not annotated with a kind and a description.
    """
    annotations: dict[str, Any] = {}
    for base in op.__mro__:
        if base is Op:
            break
        annotations = get_annotations(base, eval_str=True) | annotations
    names = op.__struct_fields__
    defaults = (NODEFAULT,) * (len(names) - len(op.__struct_defaults__)) + op.__struct_defaults__
    table = {}
    for name, default in zip(names, defaults, strict=True):
        found = [*_metadata(annotations[name])]
        kind = next((item for item in found if isinstance(item, Kind)), None)
        about = next((item for item in found if isinstance(item, str)), "")
        if kind is None or not about:
            raise TypeError(f"attribute '{name}' of {op.__name__} needs a kind and a description")
        required = default is NODEFAULT
        table[name] = Attribute(name, kind, required, None if required else default, about)
    return table


def _metadata(annotation: Any) -> Iterator[Any]:
    """Yield the metadata of a type and of the members of a union."""
    yield from getattr(annotation, "__metadata__", ())
    for part in get_args(annotation):
        yield from _metadata(part)

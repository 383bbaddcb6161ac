"""Records from JSON and from plain data, and what is wrong with those that are not as expected.

msgspec checks the types. Its errors, such as "Expected `int`, got `str` - at `$.steps[0].macs`",
become "steps[0].macs: expected a whole number, got 'many'" here, and only here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeVar, overload

import msgspec

from archscope.errors import RecordError, did_you_mean, nearest, quoted

Record = TypeVar("Record")

WORDS = {
    "int": "a whole number", "float": "a number", "bool": "true or false", "str": "text",
    "array": "a list", "object": "a mapping", "null": "nothing",
}  # fmt: skip
"""What msgspec calls the types of JSON, in our words."""

BOUNDS = {">=": "at least", ">": "above", "<=": "at most", "<": "below"}

_WHERE = re.compile(r"(?P<reason>.*?)(?: - at (?P<key>`key` in )?`\$(?P<place>.*)`)?", re.DOTALL)
_EXPECTED = re.compile(r"Expected `(?P<types>[^`]+)`(?P<more>.*?)(?:, got (?P<got>.+))?", re.DOTALL)
_FIELD = re.compile(r"Object (?P<what>missing required|contains unknown) field `(?P<name>.*)`")
_CHOICE = re.compile(r"Invalid enum value (?P<given>.*)", re.DOTALL)
_SYNTAX = re.compile(r"JSON is malformed: (?P<reason>.*) \(byte (?P<byte>\d+)\)")
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+|\.\.\.)\]")


@overload
def decode_json(content: bytes) -> Any: ...


@overload
def decode_json(content: bytes, kind: type[Record]) -> Record: ...


def decode_json(content: bytes, kind: Any = Any) -> Any:
    """Return the value of a type that JSON from anywhere holds.

    Raises RecordError, whatever is wrong with it.
    """
    if not content.strip():
        raise RecordError("the file is empty")
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        raise _mistake(str(error), _plain(content), kind) from None
    except msgspec.DecodeError as error:
        raise RecordError(_malformed(str(error), content)) from None
    except UnicodeDecodeError:
        raise RecordError("not JSON: it is not UTF-8") from None
    except RecursionError:
        raise RecordError("the JSON is nested too deeply") from None


def convert(value: Any, kind: type[Record], place: str = "", *, strict: bool = True) -> Record:
    """Return plain data as a record; `place` says where the data is.

    Unless `strict`, text that reads like a number is one. Raises RecordError.
    """
    try:
        return msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        raise _mistake(str(error), value, kind, place) from None


def _plain(content: bytes) -> Any:
    """Return JSON without a type, or `...` if a number in it is too large."""
    try:
        return msgspec.json.decode(content)
    except msgspec.MsgspecError:
        return ...


def _malformed(text: str, content: bytes) -> str:
    if "truncated" in text:
        return "the JSON ends in the middle of a value"
    found = _SYNTAX.fullmatch(text)
    if found is None:
        return f"not JSON: {text}"
    before = content[: int(found["byte"])]
    line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
    return f"not JSON: {found['reason']} at line {line}, column {column}"


def _mistake(text: str, value: Any, kind: Any, outer: str = "") -> RecordError:
    """Return the error for what msgspec says of a value that is not of a type."""
    where = _WHERE.fullmatch(text)
    assert where is not None, text
    inner = where["place"] or ""
    steps = [step["name"] or step["index"] for step in _STEP.finditer(inner)]
    reason = _reason(where["reason"], ... if where["key"] else _at(value, steps), kind, steps)
    place = f"{outer}{inner}".removeprefix(".")
    return RecordError(f"a key: {reason}" if where["key"] else reason, place)


def _reason(text: str, value: Any, kind: Any, steps: list[str]) -> str:
    if found := _EXPECTED.fullmatch(text):
        types = " or ".join(WORDS.get(word, word) for word in found["types"].split(" | "))
        return f"expected {types}{_bounds(found['more'])}{_got(value, found['got'])}"
    if found := _FIELD.fullmatch(text):
        name, keys = found["name"], value if isinstance(value, dict) else {}
        fields = [field.encode_name for one in _types(kind, steps) for field in _fields(one)]
        if found["what"] == "contains unknown":
            return f"unknown key '{name}'{did_you_mean(name, {*fields} - {*keys})}"
        near = nearest(name, {*map(str, keys)} - {*fields})
        return f"'{name}' is missing" + (f"; there is '{near}'" if near else "")
    if found := _CHOICE.fullmatch(text):
        choices = [one for kind in _types(kind, steps) for one in getattr(kind, "values", ())]
        hint = did_you_mean(str(value), map(str, choices))
        return f"expected one of {', '.join(map(str, choices))}{_got(value, found['given'])}{hint}"
    return f"{text[:1].lower()}{text[1:]}".replace("`", "")


def _bounds(text: str) -> str:
    """Return ` of at least 1` for ` >= 1`, and ` of length at least 1` for ` of length >= 1`."""
    for sign, words in BOUNDS.items():
        before, found, number = text.partition(f"{sign} ")
        if found:
            of = "of " if not before.strip() and words.startswith("at") else ""
            return f"{before}{of}{words} {number.removesuffix('.0')}"
    return text


def _got(value: Any, otherwise: str | None) -> str:
    """Return `, got 5` for a value that is known, else what msgspec says of it."""
    if value is not ...:
        return f", got {quoted(value)}"
    named = (otherwise or "").strip("`")
    return f", got {WORDS.get(named, named)}" if named else ""


def _at(value: Any, steps: list[str]) -> Any:
    """Return the part of plain data at a place, or `...` if that is not exactly known."""
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step, ...)
        elif isinstance(value, list | tuple) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return ...
    return value


def _types(kind: Any, steps: list[str]) -> Iterator[Any]:
    """Yield msgspec's descriptions of the types that may stand at a place of a type."""
    from msgspec import inspect  # only needed for errors

    def alternatives(one: Any) -> list[Any]:
        return list(one.types) if isinstance(one, inspect.UnionType) else [one]

    reached = alternatives(inspect.type_info(kind))
    for step in steps:
        inner = []
        for one in reached:
            if isinstance(one, inspect.TupleType) and step.isdecimal():
                inner += [one.item_types[int(step)]]
            elif isinstance(one, inspect.DictType):
                inner += [one.value_type]
            elif (item := getattr(one, "item_type", None)) is not None:
                inner += [item]
            inner += [field.type for field in _fields(one) if field.encode_name == step]
        reached = [found for one in inner for found in alternatives(one)]
    yield from reached


def _fields(kind: Any) -> tuple[Any, ...]:
    return getattr(kind, "fields", ())

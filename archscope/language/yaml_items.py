"""Parse YAML text to items that know their line, without constructing tags or recursion."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, AnyStr

import yaml
from msgspec import Struct

from archscope.errors import LimitError, SpecError, did_you_mean, quoted, reason_of, shortened
from archscope.ir import Source
from archscope.language.expression import UNQUOTED
from archscope.language.limits import Limits, check_limit
from archscope.signatures import described

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# YAML 1.2's core schema, so that `no` and `on` are words and 1e-3 is a number.
_INTEGER = re.compile(r"[-+]?[0-9][0-9_]*\Z")
_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_]*\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\Z")
_CONSTANTS = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_DIGITS = 40  # longer words are not numbers, and would make the patterns above slow

HOLES = ("!choice", "!int", "!float")
"""The tags of holes, the values left open in a search space."""
_ANY_HOLE = f"{', '.join(HOLES[:-1])} or {HOLES[-1]}"


class Item(Struct):
    """A value in a file: a scalar, a list of items, or a dict of items by key."""

    value: Any
    at: Source
    tag: str | None = None
    keys: dict[str, Source] | None = None  # the location of each key of a dict

    @property
    def kind(self) -> str:
        """Its description in messages."""
        if isinstance(self.value, dict):
            return "a mapping"
        if isinstance(self.value, list):
            return "a list"
        return quoted(self.value)

    @property
    def empty(self) -> bool:
        """Whether it is empty in the text."""
        return self.value is None and self.tag is None

    def refuse_hole(self) -> None:
        """Raise SpecError if it is a hole."""
        if self.tag is not None:
            raise SpecError(
                f"'{self.tag}' cannot stand here: arguments, parameters, 'let', 'repeat' and 'when'"
                " can be left open; 'when' chooses between layers",
                self.at,
            )

    def plain(self) -> Any:
        """Return the value without locations. Raises SpecError if it contains a hole."""
        self.refuse_hole()
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value


def read_text(path: Path, limits: Limits) -> str:
    """Return the text of a file. Raises SpecError if it cannot be read as UTF-8 text."""
    name = shortened(path.as_posix(), 1000)
    try:
        with path.open("rb") as file:
            data = file.read(limits.file_bytes + 1)
    except IsADirectoryError:
        raise SpecError("this is a directory, expected a spec file", name) from None
    except (OSError, ValueError) as error:
        # On Windows, reading a directory is 'permission denied'.
        if isinstance(error, PermissionError) and path.is_dir():
            raise SpecError("this is a directory, expected a spec file", name) from None
        raise SpecError(f"cannot read it: {reason_of(error)}", name) from None
    return decode(data, name, limits)


def decode(data: bytes, file: str, limits: Limits) -> str:
    """Decode the text of a file. Raises SpecError if it is too large, or no text in UTF-8."""
    if len(data) > limits.file_bytes:
        raise LimitError(f"the file is larger than the limit of {limits.file_bytes} bytes", file)
    if what := described(data):
        raise SpecError(f"expected a spec, but this is {what}", file)
    try:
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        at = _end_of(data[: error.start], b"\n", file)
        what = f"expected UTF-8 text, got the byte 0x{data[error.start]:02x}"
        raise SpecError(what, at) from None


def _end_of(text: AnyStr, newline: AnyStr, file: str) -> Source:
    """Return the location after the last character of the beginning of a file."""
    return Source(file, text.count(newline) + 1, len(text) - text.rfind(newline))


def parse(text: str, file: str, limits: Limits) -> Item:
    """Return the root of a YAML text with one document. Raises SpecError."""
    composer = _Composer(file, limits)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            composer.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Source(file, mark.line + 1, mark.column + 1) if mark else file
        raise SpecError(_explain(error, text), at) from None
    except yaml.YAMLError as error:
        position = getattr(error, "position", None)
        at = _end_of(text[:position] if isinstance(position, int) else "", "\n", file)
        reason = str(getattr(error, "reason", error)).splitlines()[0]
        raise SpecError(f"not YAML: {reason}", at) from None
    if composer.root is None or composer.root.empty:
        raise SpecError("the file is empty, expected a spec", file)
    return composer.root


def _explain(error: yaml.MarkedYAMLError, text: str) -> str:
    problem = error.problem or "this is not YAML"
    mark = error.problem_mark or error.context_mark
    lines = text.splitlines()
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    message = f"not YAML: {problem}"
    if error.context:
        message += f" {error.context}"
    if re.search(r"[{,]\s*\w+:\s*=", line):
        message += UNQUOTED
    elif "\t" in line[: len(line) - len(line.lstrip())]:
        message += "; indent with spaces, not tabs"
    elif "mapping values are not allowed" in problem:
        message += "; check the indentation, and quote text that holds ': '"
    return message


def _scalar(event: Any) -> Any:
    text = event.value
    if not event.implicit[0] and event.tag is None:
        return text  # quoted
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if len(text) <= _DIGITS:
        for pattern, number in ((_INTEGER, int), (_FLOAT, float)):
            if pattern.match(text):
                return number(text.replace("_", ""))
    return text


class _Part(Struct):
    """An item under construction, or one that an alias may repeat."""

    item: Item
    anchor: str | None
    size: int = 1  # the number of items in it, counting every use of an alias in full
    height: int = 0  # its levels of lists and mappings
    key: tuple[str, Source] | None = None  # the key whose value comes next
    done: bool = False  # whether it is complete


class _Composer:
    """Composes items from parser events, with an explicit stack instead of recursion."""

    def __init__(self, file: str, limits: Limits) -> None:
        self.file, self.limits = file, limits
        self.root: Item | None = None
        self.stack: list[_Part] = []
        self.anchors: dict[str, _Part] = {}
        self.total = 0
        self.aliased = 0

    def take(self, event: Any) -> None:
        """Process the next event. Raises SpecError."""
        if isinstance(event, yaml.ScalarEvent):
            item = Item(_scalar(event), self._at(event), self._tag(event))
            self._put(_Part(item, event.anchor, done=True), item.at)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._start(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            part = self.stack.pop()
            part.done = True
            if self.stack:
                self.stack[-1].size += part.size - 1
                self.stack[-1].height = max(self.stack[-1].height, part.height + 1)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event.anchor, self._at(event))
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            raise SpecError("a second YAML document; a spec file holds one", self._at(event))

    def _at(self, event: Any) -> Source:
        return Source(self.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _tag(self, event: Any) -> str | None:
        tag: str | None = event.tag
        if tag is None or tag in HOLES:
            return tag
        name = shortened(tag.replace("tag:yaml.org,2002:", "!!"))
        raise SpecError(
            f"unknown tag '{name}'{did_you_mean(name, HOLES) or f', expected {_ANY_HOLE}'}",
            self._at(event),
        )

    def _start(self, event: Any) -> None:
        at = self._at(event)
        mapping = isinstance(event, yaml.MappingStartEvent)
        item = Item({} if mapping else [], at, self._tag(event), {} if mapping else None)
        part = _Part(item, event.anchor, height=1)
        self._put(part, at)
        self.stack.append(part)

    def _alias(self, anchor: str | None, at: Source) -> None:
        name = anchor or ""
        part = self.anchors.get(name)
        if part is None:
            raise SpecError(f"the alias '*{shortened(name)}' has no anchor before it", at)
        if not part.done:
            raise SpecError(f"the alias '*{shortened(name)}' is inside its own anchor", at)
        self.aliased += part.size
        self._check(self.aliased, self.limits.aliased, at)
        self._put(part, at)
        if self.stack:
            self.stack[-1].height = max(self.stack[-1].height, part.height + 1)

    def _check(self, values: int, limit: int, at: Source) -> None:
        if values > limit:
            most = f"the limit of {limit} values, each use of an alias counted in full"
            raise LimitError(f"the file holds more than {most}", at)

    def _put(self, part: _Part, at: Source) -> None:
        item = part.item
        if part.anchor:
            self.anchors[part.anchor] = part
        self.total += part.size
        self._check(self.total, self.limits.items, at)
        check_limit(len(self.stack) + part.height, self.limits.depth, "nested deeper than", at)
        if not self.stack:
            self.root = item
            return
        holder = self.stack[-1]
        holder.size += part.size
        if isinstance(holder.item.value, list):
            holder.item.value.append(item)
        elif holder.key is None:
            holder.key = self._key(item, at, holder.item)
        else:
            key, key_at = holder.key
            assert holder.item.keys is not None
            holder.item.value[key] = item
            holder.item.keys[key] = key_at
            holder.key = None

    def _key(self, item: Item, at: Source, holder: Item) -> tuple[str, Source]:
        if isinstance(item.value, dict | list) or item.tag is not None:
            what = item.kind if item.tag is None else f"'{item.tag}'"
            raise SpecError(f"expected a key, got {what}", at)
        if item.value == "<<":
            raise SpecError("merge keys ('<<') are not part of the language; use 'extends'", at)
        key = item.value
        if not isinstance(key, str):
            key = "null" if key is None else str(key).lower()
        if len(key) > self.limits.name:
            most = f"the limit of {self.limits.name} characters"
            raise LimitError(f"the key {quoted(key)} is longer than {most}", at)
        if not key.isprintable():
            raise SpecError(f"expected a key on one line, got {quoted(key)}", at)
        if holder.keys is not None and key in holder.keys:
            raise SpecError(f"the key '{key}' is already in line {holder.keys[key].line}", at)
        return key, at

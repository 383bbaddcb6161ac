"""Edit the text of a spec without changing anything else in it.

YAML libraries that write what they have read move comments and re-wrap lines; here the parser only
provides positions, and an edit replaces the text at these positions.
"""

from __future__ import annotations

from typing import Any

import yaml
from msgspec import Struct

from archscope.language.syntax import MODIFIERS
from archscope.ops import OPS

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FLOW_MARKS = set(",[]{}#&*!|>'\"%@`:")

Position = tuple[int, int]
"""Line and column of a word, both from 1, as in `ir.Source`."""


class Edit(Struct, frozen=True, gc=False):
    """A change of a spec: remove the item at a position, or set an argument of the layer there."""

    file: str
    at: Position
    key: str = ""  # of the argument; if empty, the layer or entry is removed
    value: str = ""  # as written in the spec
    unread: bool = False  # no layer reads this one, so its `name` and `from` may be removed, too


class Patch(Struct, frozen=True, gc=False):
    """The replacement of the characters from `start` to before `end`."""

    start: int
    end: int
    text: str = ""


class _Part(Struct):
    """An item of a list, or an entry of a mapping."""

    holder: Any  # the list or mapping
    number: int
    parent: _Part | None  # the part that contains the holder


class EditableSpec:
    """The text of a spec file, with the positions of its layers and entries."""

    def __init__(self, text: str) -> None:
        """Find the positions in a YAML text. Raises yaml.YAMLError."""
        self.text = text
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self.layers: dict[Position, _Part] = {}
        self.entries: dict[Position, _Part] = {}
        self.seen: set[Any] = set()  # nodes; an alias is the same node as its anchor
        self.aliased = False  # if so, a change might affect other places
        self._walk(yaml.compose(text, Loader=_LOADER), None)

    def patch(self, edit: Edit) -> Patch | None:
        """Return the text change of an edit, or None if it is not safe."""
        if self.aliased:
            return None
        if edit.key:
            return self._argument(edit)
        place = self.layers.get(edit.at)
        if place is None:
            place = self.entries.get(edit.at)
        elif not _plain(place.holder.value[place.number], edit.unread):
            return None
        return self._without(place) if place else None

    def key(self, at: Position) -> Position:
        """Return the position of the key of the entry at `at`; `at` itself if there is none."""
        place = self.entries.get(at)
        return _position(place.holder.value[place.number][0]) if place else at

    def _walk(self, node: Any, parent: _Part | None) -> None:
        if isinstance(node, yaml.ScalarNode) or node is None:
            return
        if node in self.seen:
            self.aliased = True
            return
        self.seen.add(node)
        for number, child in enumerate(node.value):
            place = _Part(node, number, parent)
            if isinstance(node, yaml.MappingNode):
                key, value = child
                self.entries[_position(key)] = self.entries[_position(value)] = place
                self._walk(value, place)
                continue
            self.layers[_position(_word(child))] = place
            self._walk(child, place)

    def _without(self, place: _Part) -> Patch | None:
        parts = place.holder.value
        if len(parts) == 1:  # an empty list is invalid; an empty mapping is removed as a whole
            mapping = isinstance(place.holder, yaml.MappingNode)
            return self._without(place.parent) if mapping and place.parent else None
        start, end = self._span(parts[place.number])
        if place.holder.flow_style:
            last = place.number + 1 == len(parts)
            if last:
                start = self._span(parts[place.number - 1])[1]
            else:
                end = self._span(parts[place.number + 1])[0]
            inline = not set("#\n") & set(self.text[start:end])
            return Patch(start, end) if inline else None
        begin = self.text.rfind("\n", 0, start) + 1
        if self.text[begin:start].strip() not in ("", "-"):
            return None  # it shares its line with something that stays: `- - conv`
        after = self.text.find("\n", end)
        return Patch(begin, len(self.text) if after < 0 else after + 1)

    def _argument(self, edit: Edit) -> Patch | None:
        place = self.entries.get(edit.at)
        if place is None:
            return self._bare(edit)
        word, value = place.holder.value[place.number]
        given = f"{edit.key}: {edit.value}"
        if isinstance(value, yaml.ScalarNode):
            principal = OPS[word.value].principal if word.value in OPS else None
            if principal is None:
                return None
            start, end = self._span(value)
            alone = self.text[start:end]
            if set(alone) & _FLOW_MARKS and not alone.startswith(("'", '"')):
                alone = '"' + alone.replace("\\", "\\\\").replace('"', '\\"') + '"'
            return Patch(start, end, f"{{{principal}: {alone}, {given}}}")
        if not isinstance(value, yaml.MappingNode):
            return None
        for key, old in value.value:
            if key.value == edit.key:
                return Patch(*self._span(old), edit.value)
        start, end = self._span(value.value[-1])
        if value.flow_style:
            return Patch(end, end, f", {given}")
        column = value.value[0][0].start_mark.column
        return Patch(end, end, f"{self.newline}{' ' * column}{given}")

    def _bare(self, edit: Edit) -> Patch | None:
        place = self.layers.get(edit.at)
        if place is None or not isinstance(place.holder.value[place.number], yaml.ScalarNode):
            return None
        start, end = self._span(place.holder.value[place.number])
        text = f"{self.text[start:end]}: {{{edit.key}: {edit.value}}}"
        return Patch(start, end, f"{{{text}}}" if place.holder.flow_style else text)

    def _span(self, part: Any) -> tuple[int, int]:
        """Return the start and the end of an item or entry.

        For the parser, a list over several lines ends where the next word begins.
        """
        first, last = part if isinstance(part, tuple) else (part, part)
        while not isinstance(last, yaml.ScalarNode) and not last.flow_style:
            last = last.value[-1]
            last = last[1] if isinstance(last, tuple) else last
        start, end = first.start_mark.index, last.end_mark.index
        return start, start + len(self.text[start:end].rstrip())


def _position(node: Any) -> Position:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _word(item: Any) -> Any:
    """Return the node at the position of a layer: the key of its operator or block."""
    if isinstance(item, yaml.MappingNode):
        for key, _ in item.value:
            if key.value not in MODIFIERS:
                return key
    return item


def _plain(item: Any, unread: bool) -> bool:
    """Return whether a layer has no modifiers that something might depend on."""
    if not isinstance(item, yaml.MappingNode):
        return True
    said = {key.value for key, _ in item.value} & set(MODIFIERS)
    return said <= {"name", "from"} if unread else not said


def apply(text: str, patches: list[Patch]) -> tuple[str, list[bool]]:
    """Return the patched text, and which patches were applied: of overlapping ones, the first."""
    made = [False] * len(patches)
    end = -1
    for number in sorted(range(len(patches)), key=lambda n: (patches[n].start, patches[n].end)):
        if patches[number].start >= end:
            made[number], end = True, patches[number].end
    chosen = [patch for patch, fits in zip(patches, made, strict=True) if fits]
    for patch in sorted(chosen, key=lambda patch: patch.start, reverse=True):
        text = text[: patch.start] + patch.text + text[patch.end :]
    return text, made

"""Which values stand in which instance, once all decisions of a space are made."""

from __future__ import annotations

from msgspec import Struct, structs

from archscope.language.document import Document
from archscope.language.expression import Expression
from archscope.language.holes import CHOICE, Hole
from archscope.language.limits import LIMITS
from archscope.language.syntax import Block, Layer, Value
from archscope.space.open_values import Scene, Spot
from archscope.space.search_space import Choices, Decision
from archscope.space.survey import Conditions, Room, Survey, decision_of, path_of

Held = dict[tuple[str, tuple[int, ...]], Value]
"""The values of one slot of a layer, by instance of the block and turns of the loops in it.

A slot is the name of an argument, the empty name of one that stands alone, or `@when` and its
like for a modifier.
"""


class Call(Struct, frozen=True):
    """Where an instance of a block was made: by which layer, in which instance, in which turns."""

    layer: int
    room: str
    turns: tuple[int, ...]


def is_loop(layer: Layer) -> bool:
    """Return whether a layer takes turns."""
    return layer.repeat is not None or layer.each is not None


def has_holes(value: Value) -> bool:
    """Return whether anything in a value is open."""
    return next(value.holes(), None) is not None


class Trace(Survey):
    """Walks a document with all its decisions made, and notes which values stand where."""

    def __init__(self, document: Document, choices: Choices) -> None:
        super().__init__(document, LIMITS)
        self.choices = choices
        self.values: dict[int, dict[str, Held]] = {}  # by layer and slot
        self.calls: dict[str, dict[str, Call]] = {}  # by block and room
        self.loops: dict[tuple[int, str, tuple[int, ...]], int] = {}
        self.truth: dict[int, set[bool]] = {}
        self.decisions()

    def decide(self, hole: Hole, path: str, *when: Conditions) -> Decision:
        """Return a decision with the value that is given as the only alternative."""
        made = decision_of(hole, path, *when)
        return structs.replace(made, kind=CHOICE, alternatives=(self.choices[path],), labels=())

    def asked(self, layer: Layer, yes: bool, no: bool) -> None:
        """Take note of what a condition is."""
        self.truth.setdefault(id(layer), set()).update({True} if yes else {False})

    def note(self, layer: Layer, slot: str, value: Value | None, room: Room, spot: Spot) -> None:
        """Note the value of a slot in an instance, if it is a hole or has one."""
        if value is not None and has_holes(value):
            held = self.values.setdefault(id(layer), {}).setdefault(slot, {})
            held[room.path, room.turns] = filled(value, self.choices, spot)

    def layer(self, layer: Layer, scene: Scene, room: Room, conditions: Conditions) -> None:
        """Survey a layer, with the holes that stand outside its turns."""
        spot = self.spot(layer, room)
        self.note(layer, "@repeat", layer.repeat, room, spot)
        for name, value in (layer.each or {}).items():
            self.note(layer, f"@{name}", value, room, spot)
        super().layer(layer, scene, room, conditions)

    def once(self, layer: Layer, scene: Scene, room: Room, conditions: Conditions) -> None:
        """Survey a layer in one turn."""
        if is_loop(layer):
            key = id(layer), room.path, room.turns[:-1]
            self.loops[key] = max(self.loops.get(key, 0), room.turns[-1] + 1)
        self.note(layer, "@when", layer.when, room, self.spot(layer, room))
        super().once(layer, scene, room, conditions)

    def live(self, layer: Layer, room: Room) -> None:
        """Note the values of a layer that is there."""
        spot = self.spot(layer, room)
        self.note(layer, "@split", layer.split, room, spot)
        for name, value in layer.args.items():
            self.note(layer, name, value, room, spot)
        self.note(layer, "", layer.alone, room, spot)

    def block(
        self, block: Block, layer: Layer, scene: Scene, room: Room, conditions: Conditions
    ) -> None:
        """Survey an instance of a block, with the defaults that it was not given."""
        spot = self.spot(layer, room)
        self.calls.setdefault(block.name, {})[spot.path] = Call(id(layer), room.path, room.turns)
        given = {*layer.args, *([next(iter(block.defaults))] if layer.alone is not None else ())}
        for name, default in block.defaults.items():
            if name not in given:
                self.note(layer, name, default, room, Spot(spot.path, f"{block.name}."))
        super().block(block, layer, scene, room, conditions)


def filled(value: Value, choices: Choices, spot: Spot) -> Value:
    """Return a value with the holes in it filled."""
    content = value.content
    if value.constant or isinstance(content, Expression):
        return value
    if isinstance(content, Hole):
        choice = choices[path_of(content, spot)]
        if content.scalar:
            return Value(choice, value.at, True)
        return filled(content.alternatives[choice], choices, spot)
    if isinstance(content, list):
        parts = [filled(part, choices, spot) for part in content]
        if all(part.constant for part in parts):
            return Value([part.content for part in parts], value.at, True)
        return structs.replace(value, content=parts)
    rows = {key: filled(part, choices, spot) for key, part in content.items()}
    if all(part.constant for part in rows.values()):
        return Value({key: part.content for key, part in rows.items()}, value.at, True)
    return structs.replace(value, content=rows)

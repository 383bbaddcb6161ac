"""Record the values of all slots in all instances, after all decisions of a space are made."""

from __future__ import annotations

from msgspec import Struct, structs

from archscope.language.document import Block, Layer
from archscope.language.elaborate import Instance
from archscope.language.expression import Expression
from archscope.language.value import Hole, HolePaths, Value
from archscope.space.decisions import Choices

Turns = tuple[int, ...]
Occurring = dict[tuple[str, Turns], Value]
"""The values of a slot of a layer, by path of the instance and indices of its loops.

Slots are named as by `Layer.slots`.
"""


class Call(Struct, frozen=True):
    """The use of a block: by which layer, in which instance, at which loop indices."""

    layer: Layer | None  # None for the body of the document
    path: str
    turns: Turns


class Occurrences:
    """Records the values met during a walk with all decisions made."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.values: dict[Layer, dict[str, Occurring]] = {}  # by slot
        self.calls: dict[str, dict[str, Call]] = {}  # by block and path of the instance
        self.loops: dict[tuple[Layer, str, Turns], int] = {}  # number of iterations of each loop
        self.conditions: dict[Layer, set[bool]] = {}  # the values of `when`

    def value(
        self, layer: Layer, slot: str, value: Value, instance: Instance, paths: HolePaths
    ) -> None:
        """Record the value of a slot in an instance, if it is or contains a hole."""
        if value.open:
            slots = self.values.setdefault(layer, {})
            slots.setdefault(slot, {})[instance.path, instance.turns] = filled(
                value, self.choices, paths
            )

    def loop(self, layer: Layer, instance: Instance, turns: int) -> None:
        """Record the number of iterations of a layer in an instance."""
        self.loops[layer, instance.path, instance.turns] = turns

    def condition(self, layer: Layer, true: bool) -> None:
        """Record the value of a layer's condition."""
        self.conditions.setdefault(layer, set()).add(true)

    def call(self, block: Block, layer: Layer, instance: Instance, path: str) -> None:
        """Record that a layer creates an instance of a block, at a path."""
        self.calls.setdefault(block.name, {})[path] = Call(layer, instance.path, instance.turns)


def filled(value: Value, choices: Choices, paths: HolePaths) -> Value:
    """Return a value with its holes filled."""
    content = value.content
    if value.constant or isinstance(content, Expression):
        return value
    if isinstance(content, Hole):
        choice = choices[paths.path(content)]
        if content.scalar:
            return Value(choice, value.at, True)
        return filled(content.alternatives[choice], choices, paths)
    if isinstance(content, list):
        parts = [filled(part, choices, paths) for part in content]
        if all(part.constant for part in parts):
            return Value([part.content for part in parts], value.at, True)
        return structs.replace(value, content=parts)
    rows = {key: filled(part, choices, paths) for key, part in content.items()}
    if all(part.constant for part in rows.values()):
        return Value({key: part.content for key, part in rows.items()}, value.at, True)
    return structs.replace(value, content=rows)

"""Write a network of a search space as a readable plain spec.

If all instances of a block agree on a value, it replaces the hole. If they differ, the block gets
a parameter, and its users pass the value: loops iterate over a list, `each: {kernel: [3, 5, 3]}`
instead of `repeat: 3`, and lists move up through the blocks until they are the same for all. The
written text is read again and must give the same network; otherwise each node is written as a layer
of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import structs

from archscope.errors import ArchscopeError
from archscope.ir import Graph
from archscope.language.document import Block, Chain, Document, Layer, blocks_used, layers_in
from archscope.language.expand import expand
from archscope.language.expression import Expression
from archscope.language.files import Collector, document_of
from archscope.language.limits import Limits
from archscope.language.value import HolePaths, Value
from archscope.language.write import document_text, to_yaml
from archscope.space.decisions import Choices
from archscope.space.occurrences import Call, Occurring, Turns, filled
from archscope.space.open_domain import occurrences_of
from archscope.space.search_space import Space, checked_choices


def bound_text(space: Space, choices: Choices, name: str = "", about: str = "") -> str:
    """Return the plain spec of a network of a space, under another name if one is given.

    Raises OptionError for choices that do not fit the space, SpecError if they make no valid
    network.
    """
    choices = checked_choices(space, choices)
    document = structs.replace(
        space.document,
        name=name or space.document.name,
        about=about or space.document.about,
        reference={},  # it describes another network
    )
    graph = expand(document, space.limits, choices=choices)
    full = {**space.defaults, **choices}  # decisions without a choice are inactive
    for prune in (True, False):
        try:
            text = document_text(_Lift(document, full, prune).document())
            if same(graph, _read(text, space.limits)):
                return text
        except (ArchscopeError, CannotLiftError):
            continue
    return to_yaml(graph)


def same(graph: Graph, other: Graph) -> bool:
    """Return whether two graphs have the same nodes by name, and the same outputs."""

    def nodes(of: Graph) -> list[Any]:
        return [(node.name, node.op, node.inputs, node.out, node.shares) for node in of.nodes]

    return nodes(graph) == nodes(other) and graph.outputs == other.outputs


def _read(text: str, limits: Limits) -> Graph:
    parts = Collector(limits).text(text, "bound", Path())
    return expand(document_of(parts, "bound", ""), limits)


class CannotLiftError(Exception):
    """The values cannot be expressed with parameters and lists."""


class _Moved:
    """A block from which values that differ between its instances are being moved out."""

    def __init__(self, instances: dict[str, Call], taken: set[str]) -> None:
        self.instances, self.taken = instances, taken  # by path; names already used
        self.parameters: dict[str, Value | None] = {}  # new ones
        self.columns: dict[Layer, dict[str, Value]] = {}  # new lists to iterate over, by loop


class _Lift:
    """Moves values that differ between instances up into parameters."""

    def __init__(self, document: Document, choices: dict[str, Any], prune: bool) -> None:
        self.source, self.choices, self.prune = document, choices, prune
        self.occurrences = occurrences_of(document, choices)

    def document(self) -> Document:
        """Return the document without holes. Raises CannotLiftError."""
        source, paths = self.source, HolePaths()
        let = {name: filled(value, self.choices, paths) for name, value in source.let.items()}
        inputs = {name: filled(value, self.choices, paths) for name, value in source.inputs.items()}
        blocks = dict(source.blocks)
        for name in self._callees_first():
            blocks[name] = self._block(blocks[name], self.occurrences.calls.get(name, {}))
        body = self._block(source.body, {"": Call(None, "", ())})
        return structs.replace(source, let=let, inputs=inputs, blocks=blocks, body=body)

    def _callees_first(self) -> list[str]:
        blocks = self.source.blocks
        used = {
            name: blocks_used(blocks, blocks[name])
            for name in blocks_used(blocks, self.source.body)
        }
        if any(name in names for name, names in used.items()):
            raise CannotLiftError  # a block uses itself
        return sorted(used, key=lambda name: len(used[name]))

    def _block(self, block: Block, instances: dict[str, Call]) -> Block:
        """Return a block without holes, and pass the differing values to its callers."""
        columns = {name for layer in layers_in(block.layers) for name in layer.each or {}}
        moved = _Moved(instances, {*block.defaults, *self.source.let, *columns})
        layers = self._chain(block.layers, (), moved)
        # Every caller passes the value of a default that had a hole.
        defaults = {
            name: None if value is not None and value.open else value
            for name, value in block.defaults.items()
        }
        return structs.replace(block, defaults={**defaults, **moved.parameters}, layers=layers)

    def _chain(self, chain: Chain, loops: tuple[Layer, ...], moved: _Moved) -> Chain:
        return tuple(made for layer in chain for made in self._layer(layer, loops, moved))

    def _layer(self, layer: Layer, loops: tuple[Layer, ...], moved: _Moved) -> Chain:
        """Return a layer without holes, or the layers that replace it."""
        conditions = self.occurrences.conditions.get(layer)
        if self.prune and conditions == {False} and not layer.looped:
            return self._chain(layer.otherwise, loops, moved)
        inside = (*loops, layer) if layer.looped else loops
        made = layer.with_chains(lambda chain: self._chain(chain, inside, moved))
        slots = {}
        for slot, values in self.occurrences.values.get(layer, {}).items():
            outside = slot == "@repeat" or slot.startswith("@each.")
            slots[slot] = self._said(layer, slot, values, loops if outside else inside, moved)
        made = made.with_slots(slots)
        made = made.with_slots({slot: _any_filled(value) for slot, value in made.slots().items()})
        if self.prune and conditions == {True}:
            made = structs.replace(made, when=None, otherwise=())
        columns = moved.columns.pop(layer, None)
        if columns:
            made = structs.replace(made, repeat=None, each={**(made.each or {}), **columns})
        return (made,)

    def _said(
        self,
        layer: Layer,
        slot: str,
        values: Occurring,
        loops: tuple[Layer, ...],
        moved: _Moved,
    ) -> Value:
        """Return the value of a slot if all instances agree, or else a name for it."""
        first = next(iter(values.values()))
        if all(_key(value) == _key(first) for value in values.values()):
            return first
        if not all(value.constant for value in values.values()):
            raise CannotLiftError
        name = _name(layer, slot, moved.taken)
        moved.taken.add(name)
        column = Value(Expression(f"={name}", layer.at), layer.at, False)
        nested = {path: self._nested(values, path, (), loops, first) for path in moved.instances}
        outer = next(iter(nested.values()))
        if any(_key(value) != _key(outer) for value in nested.values()):
            moved.parameters[name] = None
            outer = column
            for path, value in nested.items():
                call = moved.instances[path]
                assert call.layer is not None
                slots = self.occurrences.values.setdefault(call.layer, {})
                slots.setdefault(name, {})[call.path, call.turns] = value
        for place, loop in enumerate(loops):
            moved.columns.setdefault(loop, {})[name] = outer if place == 0 else column
        return column if loops else outer

    def _nested(
        self, values: Occurring, path: str, turns: Turns, loops: tuple[Layer, ...], rest: Value
    ) -> Value:
        """Return the value in an instance, or nested lists of values, one level per loop."""
        if len(turns) == len(loops):
            return values.get((path, turns), rest)
        count = self.occurrences.loops.get((loops[len(turns)], path, turns), 0)
        parts = [self._nested(values, path, (*turns, i), loops, rest) for i in range(count)]
        return Value([part.content for part in parts], rest.at, True)


def _any_filled(value: Value) -> Value:
    """Return a value with its holes, which no instance uses, set to their first alternatives."""
    while value.open:
        choices = {}
        for hole in value.holes():
            first = hole.alternatives[0].content if hole.alternatives else hole.low
            choices[hole.label] = first if hole.scalar else 0
        value = filled(value, choices, HolePaths())
    return value


def _key(value: Value) -> str:
    content = value.content
    return repr(content.text if isinstance(content, Expression) else content)


def _name(layer: Layer, slot: str, taken: set[str]) -> str:
    """Return a free name for a parameter: that of the slot, perhaps with the layer's."""
    base, own = slot.removeprefix("@").removeprefix("each."), layer.base.replace(".", "_")
    name = base
    if name in taken or slot.startswith("@"):
        name = f"{own}_{base}"
    while name in taken:
        name += "_"
    return name

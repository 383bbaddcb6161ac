"""A network of a search space as a plain spec that people can read.

Values that all instances of a block agree on stand in the place of the hole. Where instances
differ, the block gets a parameter, and those who use it say its value: loops walk a list of
them, `each: {kernel: [3, 5, 3]}` in place of `repeat: 3`, and lists go up through the blocks to
where they are the same for all. What is written is read again and must give the same network;
where it does not, each node is written as a layer of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import structs

from archscope.errors import ArchscopeError
from archscope.ir import Graph
from archscope.language.document import Document
from archscope.language.documents import Collector, document_of
from archscope.language.expand import Expander
from archscope.language.expression import Expression
from archscope.language.limits import Limits
from archscope.language.syntax import Block, Chain, Layer, Value, layers_in
from archscope.language.write import to_yaml
from archscope.language.write_document import document_text, used_blocks
from archscope.space.occurrences import Call, Held, Trace, filled, has_holes, is_loop
from archscope.space.open_values import Spot
from archscope.space.search_space import Choices, Space, checked_choices


def bound_text(space: Space, choices: Choices, name: str = "", about: str = "") -> str:
    """Return the plain spec of one network of a space, under another name if one is given.

    Raises OptionError for choices that do not fit the space, SpecError if they make no network.
    """
    choices = checked_choices(space, choices)
    document = structs.replace(
        space.document,
        name=name or space.document.name,
        about=about or space.document.about,
        reference={},  # it speaks of another network
    )
    graph = Expander(document, space.limits, choices).graph({})
    for prune in (True, False):
        try:
            text = document_text(_Lift(document, choices, prune).document())
            if same(graph, _read(text, space.limits)):
                return text
        except (ArchscopeError, CannotLiftError):
            continue
    return to_yaml(graph)


def same(one: Graph, other: Graph) -> bool:
    """Return whether two graphs have the same nodes by name, and the same outputs."""
    nodes = [
        [(n.name, n.op, n.inputs, n.out, n.shares) for n in graph.nodes] for graph in (one, other)
    ]
    return nodes[0] == nodes[1] and one.outputs == other.outputs


def _read(text: str, limits: Limits) -> Graph:
    parts = Collector(limits).text(text, "bound", Path())
    return Expander(document_of(parts, "bound", ""), limits).graph({})


class CannotLiftError(Exception):
    """The values cannot be said with parameters and lists."""


class _Home:
    """A block while its values are moved."""

    def __init__(self, block: Block, rooms: dict[str, Call], taken: set[str]) -> None:
        self.block, self.rooms, self.taken = block, rooms, taken
        self.fresh: dict[str, Value | None] = {}  # new parameters
        self.columns: dict[int, dict[str, Value]] = {}  # new lists to walk, by layer


class _Lift:
    """Moves values that differ between instances up into parameters."""

    def __init__(self, document: Document, choices: dict[str, Any], prune: bool) -> None:
        self.source, self.choices, self.prune = document, choices, prune
        self.trace = Trace(document, choices)

    def document(self) -> Document:
        """Return the document without holes. Raises CannotLiftError."""
        source = self.source
        top = Spot("", "")
        let = {name: filled(value, self.choices, top) for name, value in source.let.items()}
        inputs = {name: filled(value, self.choices, top) for name, value in source.inputs.items()}
        blocks = dict(source.blocks)
        for name in self._callees_first():
            blocks[name] = self._block(blocks[name], self.trace.calls.get(name, {}))
        body = self._block(source.body, {"": Call(0, "", ())})
        return structs.replace(source, let=let, inputs=inputs, blocks=blocks, body=body, open=False)

    def _callees_first(self) -> list[str]:
        order: list[str] = []
        pending: set[str] = set()

        def visit(name: str) -> None:
            if name in pending:
                raise CannotLiftError  # it uses itself
            if name not in order:
                pending.add(name)
                for layer in layers_in(self.source.blocks[name].layers):
                    if layer.word in self.source.blocks:
                        visit(layer.word)
                pending.discard(name)
                order.append(name)

        for name in used_blocks(self.source):
            visit(name)
        return order

    def _block(self, block: Block, rooms: dict[str, Call]) -> Block:
        """Return a block without holes; callers are told what its instances differ in."""
        columns = {name for layer in layers_in(block.layers) for name in layer.each or {}}
        home = _Home(block, rooms, {*block.defaults, *self.source.let, *columns})
        layers = self._chain(block.layers, (), home)
        # A default that had a hole is given by every caller.
        defaults = {
            name: None if value is not None and has_holes(value) else value
            for name, value in block.defaults.items()
        }
        return structs.replace(block, defaults={**defaults, **home.fresh}, layers=layers)

    def _chain(self, chain: Chain, loops: tuple[Layer, ...], home: _Home) -> Chain:
        return tuple(made for layer in chain for made in self._layer(layer, loops, home))

    def _layer(self, layer: Layer, loops: tuple[Layer, ...], home: _Home) -> Chain:
        """Return what becomes of a layer: itself without holes, or what stands for it."""
        truth = self.trace.truth.get(id(layer))
        if self.prune and truth == {False} and not is_loop(layer):
            return self._chain(layer.otherwise, loops, home)
        inside = (*loops, layer) if is_loop(layer) else loops
        fields: dict[str, Any] = {
            "then": self._chain(layer.then, inside, home),
            "otherwise": self._chain(layer.otherwise, inside, home),
        }
        if layer.branches is not None:
            fields["branches"] = tuple(
                self._chain(branch, inside, home) for branch in layer.branches
            )
        args, each = dict(layer.args), dict(layer.each or {})
        for slot, held in self.trace.values.get(id(layer), {}).items():
            outside = slot == "@repeat" or slot.removeprefix("@") in each
            value = self._said(layer, slot, held, loops if outside else inside, home)
            if slot.removeprefix("@") in each:
                each[slot.removeprefix("@")] = value
            elif slot.startswith("@"):
                fields[slot.removeprefix("@")] = value
            elif slot == "":
                fields["alone"] = value
            else:
                args[slot] = value
        if self.prune and truth == {True}:
            fields.update(when=None, otherwise=())
        more = home.columns.pop(id(layer), {})
        if more:
            fields["repeat"] = None
        fields["each"] = {**each, **more} or None
        fields["args"] = {name: _filler(value) for name, value in args.items()}
        made = structs.replace(layer, **fields)
        for key in ("alone", "when", "repeat", "split"):
            value = getattr(made, key)
            if value is not None:
                made = structs.replace(made, **{key: _filler(value)})
        if made.alone is not None and made.args and layer.word in self.source.blocks:
            first = next(iter(self.source.blocks[layer.word].defaults))
            made = structs.replace(made, alone=None, args={first: made.alone, **made.args})
        return (made,)

    def _said(
        self, layer: Layer, slot: str, held: Held, loops: tuple[Layer, ...], home: _Home
    ) -> Value:
        """Return what stands in a slot: the value that all agree on, or a name for theirs."""
        first = next(iter(held.values()))
        if all(_key(value) == _key(first) for value in held.values()):
            return first
        if not all(value.constant for value in held.values()):
            raise CannotLiftError
        name = _name(layer, slot, home.taken)
        home.taken.add(name)
        column = Value(Expression(f"={name}", layer.at), layer.at, False)
        nested = {room: self._nested(held, room, (), loops, first) for room in home.rooms}
        outer = next(iter(nested.values()))
        if any(_key(value) != _key(outer) for value in nested.values()):
            home.fresh[name] = None
            outer = column
            for room, value in nested.items():
                call = home.rooms[room]
                slots = self.trace.values.setdefault(call.layer, {})
                slots.setdefault(name, {})[call.room, call.turns] = value
        for place, loop in enumerate(loops):
            home.columns.setdefault(id(loop), {})[name] = outer if place == 0 else column
        return column if loops else outer

    def _nested(
        self, held: Held, room: str, turns: tuple[int, ...], loops: tuple[Layer, ...], rest: Value
    ) -> Value:
        """Return the values of one instance: one, or a list of them for each loop around."""
        if len(turns) == len(loops):
            return held.get((room, turns), rest)
        count = self.trace.loops.get((id(loops[len(turns)]), room, turns), 0)
        parts = [self._nested(held, room, (*turns, i), loops, rest) for i in range(count)]
        return Value([part.content for part in parts], rest.at, True)


def _filler(value: Value) -> Value:
    """Return a value whose holes, which no instance has, hold their first alternatives."""
    while has_holes(value):
        hole = next(value.holes())
        choices = {hole.label: hole.alternatives[0].content if hole.alternatives else hole.low}
        if not hole.scalar:
            choices = {hole.label: 0}
        rest = dict.fromkeys((other.label for other in value.holes()), 0)
        value = filled(value, {**rest, **choices}, Spot("", ""))
    return value


def _key(value: Value) -> str:
    content = value.content
    return repr(content.text if isinstance(content, Expression) else content)


def _name(layer: Layer, slot: str, taken: set[str]) -> str:
    """Return a name for a parameter that nothing has yet: the slot's, or with the layer's."""
    base, own = slot.removeprefix("@"), layer.base.replace(".", "_")
    name = base or own
    if name in taken or slot.startswith("@"):
        name = f"{own}_{base}"
    while name in taken:
        name += "_"
    return name

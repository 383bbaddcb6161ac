"""The records of a spec that has been read: layers in chains, blocks, and the document."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from msgspec import Struct, structs

from archscope.ir import Source
from archscope.language.value import Value

Chain = tuple["Layer", ...]
GROUP = ""
"""The word of a layer that only groups others, in `then`; made by patterns."""
COUNTED = ("params", "weight_macs")
"""The modifiers of a layer that state counts its operator does not know."""
VALUES = ("repeat", "when", "split", *COUNTED)
"""The modifiers of a layer that are a value."""
_NAME = re.compile(r"[A-Za-z_]\w*")
VALUES_IN_STEP = 8  # constants or small operations that cost about as much as visiting a layer


class Head(Struct, frozen=True):
    """The `output:` of a layer."""

    name: str
    weight: Value
    train_only: Value


class Layer(Struct, frozen=True, eq=False, dict=True):
    """An entry of a chain. Layers compare by identity, so that they can be keys."""

    word: str  # the operator or block
    at: Source
    path: str  # its place in the file: `layers[2]`
    args: dict[str, Value]
    alone: bool = False  # whether its only argument has no name: `conv: 64`
    branches: tuple[Chain, ...] | None = None
    then: Chain = ()
    repeat: Value | None = None
    each: dict[str, Value] | None = None
    when: Value | None = None
    otherwise: Chain = ()
    name: str | None = None
    sources: tuple[str, ...] | None = None
    share: str | None = None
    params: Value | None = None  # params to count here, if weights are computed from others
    weight_macs: Value | None = None  # macs of the products that compute the weights
    output: Head | None = None
    split: Value | None = None

    @property
    def base(self) -> str:
        """The name of this layer's nodes, without an index."""
        return self.name or self.word

    @property
    def looped(self) -> bool:
        """Whether it is a loop, with `repeat` or `each`."""
        return self.repeat is not None or self.each is not None

    @cached_property
    def open(self) -> bool:
        """Whether it, or a layer in it, has a hole."""
        return any(value.open for value in self.slots().values()) or any(
            layer.open for chain in self.chains for layer in chain
        )

    @cached_property
    def cost(self) -> int:
        """The work of a visit, in steps."""
        work = sum(value.cost for value in self.slots().values())
        return 1 + len(self.branches or ()) + work // VALUES_IN_STEP

    @property
    def chains(self) -> tuple[Chain, ...]:
        """The chains inside: its branches, `then` and `else`, in the order of the file."""
        return (*(self.branches or ()), self.then, self.otherwise)

    def slots(self) -> dict[str, Value]:
        """Return its values: arguments by name, modifiers as `@when` and `@each.row`."""
        slots = {**self.args}
        slots |= {f"@each.{name}": value for name, value in (self.each or {}).items()}
        modifiers = {f"@{key}": getattr(self, key) for key in VALUES}
        return slots | {slot: value for slot, value in modifiers.items() if value is not None}

    def with_slots(self, slots: Mapping[str, Value]) -> Layer:
        """Return a copy with some values replaced or added."""
        args = {slot: value for slot, value in slots.items() if not slot.startswith("@")}
        args = {**self.args, **args}
        fields: dict[str, Any] = {"args": args, "alone": self.alone and len(args) == 1}
        if self.each is not None:
            fields["each"] = {
                name: slots.get(f"@each.{name}", value) for name, value in self.each.items()
            }
        for key in VALUES:
            fields[key] = slots.get(f"@{key}", getattr(self, key))
        return structs.replace(self, **fields)

    def with_chains(self, change: Callable[[Chain], Chain]) -> Layer:
        """Return a copy with `change` applied to the chains inside."""
        then, otherwise = change(self.then), change(self.otherwise)
        branches = None if self.branches is None else tuple(map(change, self.branches))
        return structs.replace(self, branches=branches, then=then, otherwise=otherwise)


class Label(Struct, frozen=True, gc=False):
    """The name of a layer in the paths of holes."""

    text: str
    numbered: bool  # whether the text ends in a number that distinguishes layers of one name

    def in_turn(self, turns: tuple[int, ...]) -> str:
        """Return the label with the indices of the surrounding loops: `block2`, `conv0_2`."""
        text, numbered = self.text, self.numbered
        for turn in turns:
            text += f"_{turn}" if numbered or text[-1].isdigit() else str(turn)
            numbered = True
        return text


class Block(Struct, frozen=True, dict=True):
    """A chain with parameters."""

    name: str
    at: Source
    defaults: dict[str, Value | None]  # None: required
    layers: Chain
    about: str = ""
    entries: tuple[str, ...] = ()  # the names of its inputs, if they are named

    @cached_property
    def open(self) -> bool:
        """Whether its defaults contain a hole."""
        return any(value.open for value in self.defaults.values() if value is not None)

    @cached_property
    def cost(self) -> int:
        """The work of its defaults, in steps."""
        return sum(value.cost for value in self.defaults.values() if value) // VALUES_IN_STEP

    @cached_property
    def names(self) -> frozenset[str]:
        """The names given to its layers by `name`."""
        return frozenset(layer.name for layer in layers_in(self.layers) if layer.name)

    @cached_property
    def numbered(self) -> frozenset[str]:
        """The node names that occur more than once and therefore get an index."""
        seen: set[str] = set()
        twice: set[str] = set()

        def visit(chain: Chain, looped: bool) -> None:
            for layer in chain:
                inside = looped or layer.looped
                if layer.word != GROUP:
                    if inside or (layer.base in seen and not layer.name):
                        twice.add(layer.base)
                    seen.add(layer.base)
                if layer.split is not None:
                    twice.add("slice")
                for part in layer.chains:
                    visit(part, inside)

        visit(self.layers, False)
        return frozenset(twice)

    @cached_property
    def labels(self) -> dict[Layer, Label]:
        """The label of each layer in the paths of holes.

        It depends only on the text, so that a path means the same whatever other holes contain.
        """
        layers = [layer for layer in layers_in(self.layers) if layer.word != GROUP]
        often = Counter(layer.base for layer in layers)
        seen: Counter[str] = Counter()
        labels = {}
        for layer in layers:
            base, numbered = layer.base, often[layer.base] > 1
            number = f"{'_' if base[-1].isdigit() else ''}{seen[base]}" if numbered else ""
            labels[layer] = Label(base + number, numbered)
            seen[base] += 1
        return labels

    def values(self) -> Iterator[Value]:
        """Yield its defaults and the values of its layers."""
        yield from (value for value in self.defaults.values() if value is not None)
        for layer in layers_in(self.layers):
            yield from layer.slots().values()
            if layer.output is not None:
                yield from (layer.output.weight, layer.output.train_only)


class Document(Struct, frozen=True, dict=True):
    """A whole spec, including everything from the files that it uses."""

    name: str
    inputs: dict[str, Value]
    let: dict[str, Value]
    blocks: dict[str, Block]
    body: Block
    about: str = ""
    reference: dict[str, Any] = {}
    paper: str = ""
    file: str = ""  # the file it was read from

    @cached_property
    def open(self) -> bool:
        """Whether it has holes, which makes it a search space."""
        values = (*self.let.values(), *self.inputs.values())
        return any(value.open for value in values) or any(
            block.open or any(layer.open for layer in block.layers) for block in self.all_blocks
        )

    @property
    def all_blocks(self) -> tuple[Block, ...]:
        """The body, and the blocks."""
        return (self.body, *self.blocks.values())


def layers_in(chain: Chain) -> Iterator[Layer]:
    """Yield all layers of a chain, including nested ones, in the order of the file."""
    for layer in chain:
        yield layer
        for part in layer.chains:
            yield from layers_in(part)


def blocks_used(blocks: Mapping[str, Block], root: Block) -> set[str]:
    """Return the names of the blocks that a block uses, directly or through others."""
    used: set[str] = set()
    waiting = [root]
    while waiting:
        words = {layer.word for layer in layers_in(waiting.pop().layers)}
        new = words & blocks.keys() - used
        used |= new
        waiting += [blocks[name] for name in new]
    return used


def names_used(document: Document) -> set[str]:
    """Return the names of `let` that inputs and layers read, directly or through other names.

    Every word of an expression counts as a name, even an attribute, so that a name is never
    reported as unused if something might use it.
    """
    used: set[str] = set()
    blocks = [document.blocks[name] for name in blocks_used(document.blocks, document.body)]
    waiting = [value for block in (document.body, *blocks) for value in block.values()]
    waiting += document.inputs.values()
    while waiting:
        expressions = list(waiting.pop().expressions())
        words = {word for part in expressions for word in _NAME.findall(part.text)}
        new = words & document.let.keys() - used
        used |= new
        waiting += [document.let[name] for name in new]
    return used

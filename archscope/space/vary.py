"""Turn a plain spec into a search space: numbers of a role become holes.

From where a number is used (`repeat`, the `kernel` of a convolution, its `out`) it is traced back
through parameters, loops over lists and `let` to where it is written. There it becomes a hole, with
the alternatives for which the network is still valid.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct, structs

from archscope.errors import ArchscopeError, OptionError, did_you_mean, quoted
from archscope.ir import Source
from archscope.language.document import Block, Chain, Document, Layer
from archscope.language.expand import expand
from archscope.language.expression import Expression, reads_in
from archscope.language.value import CHOICE, INT, Hole, Value
from archscope.language.write import document_text

ROLES = ("width", "kernel", "depth")
KERNELS = (3, 5, 7)
SCALES = (0.5, 0.75, 1.0, 1.25)
MULTIPLIER = 4  # a width up to this is a factor, above it a number of channels

MOST_TRIED = 16  # most depths to try one by one; of more, only the ends

Key = tuple[Any, ...]
"""The place of a number: `("let", name)`, `("default", block, name)` or
`("layer", layer, slot)`, followed by the path inside the value."""


class Context(Struct, frozen=True):
    """The context of a layer: its block and the loops around it."""

    block: str
    loops: tuple[Layer, ...]


def vary_text(document: Document, names: Sequence[str]) -> str:
    """Return the spec of a space around a network: `width`, `kernel`, `depth`, or names of `let`.

    The network itself is in the space. Raises OptionError for a name with nothing to vary.
    """
    return document_text(vary(document, names))


def vary(document: Document, names: Sequence[str]) -> Document:
    """Return a document with holes, as `vary_text` writes it. Raises OptionError."""
    if document.open:
        raise OptionError(f"'{document.name}' is already a search space")
    holes: dict[Key, Hole] = {}
    for name in names:
        found = _found(document, name.strip())
        if not found and name.strip() in ROLES:
            raise OptionError(f"'{document.name}' has no {name.strip()} to vary")
        if not found:
            known = dict.fromkeys((*ROLES, *document.let))
            hint = did_you_mean(name, known) or f"; it has {', '.join(known)}"
            raise OptionError(
                f"nothing of '{document.name}' to vary is called {quoted(name)}{hint}"
            )
        holes.update(found)
    kept: dict[Key, Hole] = {}
    for key, hole in holes.items():
        fitting = _fitting(document, key, hole)
        if fitting is not None:
            kept[key] = fitting
    if not kept:
        listed = ", ".join(names)
        raise OptionError(f"'{document.name}' is not valid with any other {listed}")
    name = f"{document.name}_space"
    return structs.replace(_with(document, kept), name=name, reference={})


def _found(document: Document, name: str) -> dict[Key, Hole]:
    """Return the holes for a role or name, by their places."""
    role = name
    if name in document.let and (name not in ROLES or _is_number(document.let[name].content)):
        role = "width"  # a factor, or a number of channels
        keys: Iterable[Key] = _leaves(("let", name), document.let[name].content)
    elif name in ROLES:
        keys = _NumberTracer(document).keys(name)
    else:
        return {}
    holes = {}
    for key in keys:
        number = _number_at(document, key)
        hole = _hole(role, number) if _is_number(number) else None
        if hole is not None:
            holes[key] = hole
    return holes


def _is_number(content: Any) -> bool:
    return isinstance(content, int | float) and not isinstance(content, bool)


def _leaves(key: Key, content: Any) -> list[Key]:
    if isinstance(content, list):
        return [leaf for i, part in enumerate(content) for leaf in _leaves((*key, i), part)]
    if isinstance(content, dict):
        return [leaf for i, part in content.items() for leaf in _leaves((*key, i), part)]
    return [key]


def _hole(role: str, number: Any) -> Hole | None:
    """Return the hole that may replace a number, or None if it should not vary."""
    at = Source("--vary", 1, 1)
    if role == "depth":
        if not isinstance(number, int) or number < 1:
            return None
        low, high = max(1, number - (number + 1) // 2), number + max(1, number // 2)
        return Hole(INT, "", at, low=low, high=high, step=1)
    if role == "kernel":
        if not isinstance(number, int) or number < 3 or number % 2 == 0:
            return None
        choices: list[Any] = sorted({*KERNELS, number})
    elif number <= MULTIPLIER:
        choices = sorted({number * scale for scale in SCALES} - {float(number)} | {number})
    else:
        near = {max(8, round(number * scale / 8) * 8) for scale in SCALES if scale != 1}
        choices = sorted({*near, number})
    if len(choices) < 2:
        return None
    return Hole(CHOICE, "", at, tuple(Value(choice, at, True) for choice in choices))


class _NumberTracer:
    """Traces numbers from where they are used to where they are written."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.places: list[tuple[Layer, Context]] = []
        for block in document.all_blocks:
            self._walk(block.layers, Context(block.name, ()))
        self.found: dict[Key, None] = {}
        self.seen: set[tuple[Any, ...]] = set()

    def _walk(self, chain: Chain, context: Context) -> None:
        for layer in chain:
            loops = (*context.loops, layer) if layer.looped else context.loops
            inside = Context(context.block, loops)
            self.places.append((layer, inside))
            for part in layer.chains:
                self._walk(part, inside)

    def keys(self, role: str) -> list[Key]:
        """Return the places at which the numbers of a role are written."""
        for layer, context in self.places:
            if role == "depth" and layer.repeat is not None:
                outside = Context(context.block, context.loops[:-1])
                self.value(layer.repeat, ("layer", layer, "@repeat"), outside)
            elif layer.word == "conv" and role == "kernel" and _keeps_size(layer):
                self.value(layer.args["kernel"], ("layer", layer, "kernel"), context)
            elif layer.word == "conv" and role == "width" and "out" in layer.args:
                self.value(layer.args["out"], ("layer", layer, "out"), context)
        return list(self.found)

    def value(self, value: Value, key: Key, context: Context) -> None:
        """Trace the value at a place."""
        if value.constant:
            self.found.setdefault(key)
        elif isinstance(value.content, Expression):
            for name, attribute in reads_in(value.content.text):
                self.name(name, () if attribute is None else (attribute,), context)

    def name(self, name: str, inside: Key, context: Context) -> None:
        """Trace a name; `inside` is the part of its value that is read, None for any element."""
        loops = context.loops
        while loops:
            loop, loops = loops[-1], loops[:-1]
            column = (loop.each or {}).get(name)
            if column is not None:
                key = ("layer", loop, f"@each.{name}")
                self.part(column, key, (None, *inside), Context(context.block, loops))
                return
        block = self.document.blocks.get(context.block)
        mark = (name, inside, context.block)
        if mark in self.seen:
            return
        self.seen.add(mark)
        if block is not None and name in block.defaults:
            self._parameter(block, name, inside)
        elif name in self.document.let:
            self.part(self.document.let[name], ("let", name), inside, Context("", ()))

    def _parameter(self, block: Block, name: str, inside: Key) -> None:
        default = block.defaults[name]
        if default is not None:
            self.part(default, ("default", block.name, name), inside, Context(block.name, ()))
        for layer, context in self.places:
            if layer.word == block.name and name in layer.args:
                self.part(layer.args[name], ("layer", layer, name), inside, context)

    def part(self, value: Value, key: Key, inside: Key, context: Context) -> None:
        """Trace a part of a value."""
        if not value.constant:
            if isinstance(value.content, Expression):
                for name, attribute in reads_in(value.content.text):
                    more = inside if attribute is None else (attribute, *inside)
                    self.name(name, more, context)
            return
        content = value.content
        if not inside:
            self.found.setdefault(key)
        elif inside[0] is None and isinstance(content, list):
            for i, row in enumerate(content):
                self.part(Value(row, value.at, True), (*key, i), inside[1:], context)
        elif isinstance(content, dict) and inside[0] in content:
            part = Value(content[inside[0]], value.at, True)
            self.part(part, (*key, inside[0]), inside[1:], context)


def _keeps_size(layer: Layer) -> bool:
    """Return whether a convolution yields the same size with another kernel."""
    kernel, padding, stride = (layer.args.get(key) for key in ("kernel", "padding", "stride"))
    if kernel is None or padding is None:
        return False
    if not kernel.constant:
        return True  # either the padding follows the kernel, or the network will be invalid
    if not isinstance(kernel.content, int) or padding.content != kernel.content // 2:
        return False
    return stride is None or stride.content == 1


def _slot(document: Document, key: Key) -> tuple[Value, Key]:
    """Return the value of a key, and the path inside it."""
    if key[0] == "let":
        return document.let[key[1]], key[2:]
    layer = key[0] == "layer"
    value = key[1].slots()[key[2]] if layer else document.blocks[key[1]].defaults[key[2]]
    assert value is not None
    return value, key[3:]


def _number_at(document: Document, key: Key) -> Any:
    value, inside = _slot(document, key)
    content = value.content
    for part in inside:
        content = content[part]
    return content


def _with(document: Document, holes: dict[Key, Hole]) -> Document:
    """Return a document with holes in place of some numbers."""

    def put(value: Value, key: Key) -> Value:
        for place, hole in holes.items():
            if place[: len(key)] == key:
                value = _put(value, place[len(key) :], hole)
        return value

    def layer(old: Layer) -> Layer:
        slots = {slot: put(value, ("layer", old, slot)) for slot, value in old.slots().items()}
        if old.word == "conv" and ("layer", old, "kernel") in holes:
            slots["padding"] = Value("same", old.at, True)
        return old.with_chains(chain).with_slots(slots)

    def chain(layers: Chain) -> Chain:
        return tuple(map(layer, layers))

    blocks = {}
    for name, block in document.blocks.items():
        defaults = {
            key: None if value is None else put(value, ("default", name, key))
            for key, value in block.defaults.items()
        }
        blocks[name] = structs.replace(block, defaults=defaults, layers=chain(block.layers))
    let = {name: put(value, ("let", name)) for name, value in document.let.items()}
    body = structs.replace(document.body, layers=chain(document.body.layers))
    return structs.replace(document, let=let, blocks=blocks, body=body)


def _put(value: Value, inside: Key, hole: Hole) -> Value:
    """Return a value with a hole inserted."""
    if not inside:
        return Value(hole, value.at, False)
    content = value.content
    if isinstance(content, list):
        parts: Any = [_valued(part, value.at) for part in content]
    else:
        parts = {key: _valued(part, value.at) for key, part in content.items()}
    parts[inside[0]] = _put(parts[inside[0]], inside[1:], hole)
    return Value(parts, value.at, False)


def _valued(content: Any, at: Source) -> Value:
    return content if isinstance(content, Value) else Value(content, at, True)


def _fitting(document: Document, key: Key, hole: Hole) -> Hole | None:
    """Return a hole restricted to values that make a valid network when nothing else changes."""
    open_ = _with(document, {key: hole})
    number = _number_at(document, key)
    values: Iterable[Any] = [alternative.content for alternative in hole.alternatives]
    if hole.kind == INT:
        values = range(hole.low, hole.high + 1)
        if len(values) > MOST_TRIED:  # trying each builds a whole network, and a deep one
            values = (hole.low, number, hole.high)
    good = []
    for value in values:
        try:
            expand(open_, choices=_Every(value))
        except ArchscopeError:
            continue
        good.append(value)
    if number not in good or len(good) < 2:
        return None
    if hole.kind == INT:
        return structs.replace(hole, low=min(good), high=max(good))
    return structs.replace(
        hole, alternatives=tuple(c for c in hole.alternatives if c.content in good)
    )


class _Every(dict[str, Any]):
    """Choices that give the same value to every hole."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value

    def __contains__(self, path: object) -> bool:
        return True

    def __getitem__(self, path: str) -> Any:
        return self.value

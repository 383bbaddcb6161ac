"""Document -> decisions: every hole of every instance, and when it counts.

Layers are walked as `expand` does, but without shapes, and with values that may depend on
decisions. A condition or a number of turns is computed for all values of the decisions that it
reads, so that it is known, not guessed, which other decisions they bring in.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

from msgspec import Struct

from archscope.errors import LimitError, SpecError, quoted, shortened
from archscope.language.block_cache import labels_of
from archscope.language.document import Document, label_text
from archscope.language.expression import Expression, reads_in
from archscope.language.holes import CHOICE, Hole
from archscope.language.limits import Limits
from archscope.language.syntax import GROUP, Block, Chain, Layer, Value, layers_in
from archscope.ops import OPS
from archscope.space.open_values import (
    SHAPES,
    Cell,
    Scene,
    Spot,
    Trial,
    UnknownError,
    constant,
    element,
    last,
    length,
    whole,
)
from archscope.space.search_space import Condition, Decision

MOST_ROWS = 1 << 14  # of the table of one condition
Conditions = tuple[Condition, ...]


class Room(Struct, frozen=True):
    """One instance of a block while it is surveyed."""

    path: str
    home: str  # the block's name
    turns: tuple[int, ...] = ()


class Survey:
    """Walks a document once and collects its decisions."""

    def __init__(self, document: Document, limits: Limits) -> None:
        self.document, self.limits = document, limits
        self.found: dict[str, Decision] = {}
        self.defaults: dict[str, Any] = {}  # for what a value holds beside what is read of it
        self.labels = labels_of(document)
        self.used = open_blocks(document)
        self.steps = self.depth = 0
        self.lets = Scene(None, {})

    def decisions(self) -> tuple[Decision, ...]:
        """Return the decisions in the order of the text. Raises SpecError."""
        if not self.document.open:
            return ()
        top = Spot("", "")
        for name, value in self.document.let.items():
            self.register(value, top, ())
            self.lets.cells[name] = self.cell(value, self.lets, top)
        for value in self.document.inputs.values():
            self.register(value, top, ())
        scene = Scene(self.lets, {"in": SHAPES, "x": SHAPES})
        self.chain(self.document.body.layers, scene, Room("", ""), ())
        return tuple(self.found.values())

    def cell(self, value: Value, scene: Scene, spot: Spot) -> Cell:
        """Return the cell of a value that stands somewhere."""
        content = value.content
        if value.constant:
            return constant(content)
        parts: dict[Any, Cell] | None = None
        if isinstance(content, Expression):
            same = scene.find(content.text[1:].strip())
            if same is not None:
                return same
        elif isinstance(content, list | dict):
            items = content.items() if isinstance(content, dict) else enumerate(content)
            parts = {key: self.cell(part, scene, spot) for key, part in items}
        return Cell(
            lambda choices: value(Trial(scene, choices, spot)),
            lambda: self.reads(value, scene, spot),
            parts,
        )

    def reads(self, value: Value, scene: Scene, spot: Spot) -> set[str] | None:
        """Return the decisions that a value reads; None if it reads shapes."""
        deps: set[str] = set()
        for part in value.parts():
            content = part.content
            if isinstance(content, Hole):
                deps.add(path_of(content, spot))
                cells = [
                    self.cell(alternative, scene, spot) for alternative in content.alternatives
                ]
            else:
                assert isinstance(content, Expression)
                named = [(scene.find(name), part) for name, part in reads_in(content.text)]
                cells = [
                    (cell.parts or {}).get(part, cell) for cell, part in named if cell is not None
                ]
            for cell in cells:
                if cell.deps is None:
                    return None
                deps |= cell.deps
        return deps

    def decide(self, hole: Hole, path: str, *when: Conditions) -> Decision:
        """Return the decision of a hole."""
        return decision_of(hole, path, *when)

    def register(self, value: Value | None, spot: Spot, conditions: Conditions) -> None:
        """Take up the holes of a value as decisions."""
        if value is None:
            return
        for part in value.parts():
            hole = part.content
            if not isinstance(hole, Hole):
                continue
            path = path_of(hole, spot)
            old = self.found.get(path)
            if old is None or old.at != hole.at:
                if old is not None:
                    raise SpecError(f"two holes are called '{path}'", hole.at)
                made = self.found[path] = self.decide(hole, path, conditions)
                self.defaults[path] = made.default
            elif conditions not in old.when and () not in old.when:
                when = ((),) if not conditions else (*old.when, conditions)
                self.found[path] = self.decide(hole, path, *when)
            for index, choice in enumerate(hole.alternatives):
                here = Condition((path,), frozenset({(index,)}))
                self.register(choice, spot, (*conditions, here))
            if len(self.found) > self.limits.items:
                raise LimitError(f"more decisions than the limit of {self.limits.items}", hole.at)

    def chain(self, chain: Chain, scene: Scene, room: Room, conditions: Conditions) -> None:
        """Survey the layers of a chain."""
        self.depth += 1
        for layer in chain:
            if self.depth > self.limits.depth:
                raise LimitError(
                    f"blocks and branches nested deeper than the limit of {self.limits.depth};"
                    " does a block contain itself?",
                    layer.at,
                )
            if any(one.open or one.word in self.used for one in layers_in((layer,))):
                self.layer(layer, scene, room, conditions)
        self.depth -= 1

    def spot(self, layer: Layer, room: Room) -> Spot:
        """Return by which paths the holes of a layer are called."""
        if layer.word == GROUP:
            return Spot(room.path, room.home)
        label, numbered = self.labels[id(layer)]
        path = f"{room.path}{label_text(label, numbered, room.turns)}."
        return Spot(path, f"{room.home}.{label}." if room.home else f"{label}.")

    def layer(self, layer: Layer, scene: Scene, room: Room, conditions: Conditions) -> None:
        """Survey a layer in all turns that it may take."""
        if layer.repeat is None and layer.each is None:
            self.once(layer, scene, room, conditions)
            return
        spot = self.spot(layer, room)
        columns: dict[str, Cell] = {}
        for name, value in (layer.each or {}).items():
            self.register(value, spot, conditions)
            columns[name] = self.cell(value, scene, spot)
        self.register(layer.repeat, spot, conditions)
        count = length(next(iter(columns.values()))) if columns else None
        if layer.repeat is not None:
            count = self.cell(layer.repeat, scene, spot)
        assert count is not None
        table = self.table(count)
        if table is None:
            raise SpecError(
                "how often this turns depends on shapes or on too many decisions, and it has holes"
                " inside: let it depend on a few named values, so that its decisions are known",
                layer.at,
            )
        paths, rows = table
        counts = {row: whole(value) for row, value in rows.items()}
        for turn in range(max(counts.values(), default=0)):
            if turn >= self.limits.repeat:
                raise LimitError(f"more turns than the limit of {self.limits.repeat}", layer.at)
            self.spend(len(counts))
            allowed = frozenset(row for row, number in counts.items() if number > turn)
            more = with_condition(conditions, paths, allowed, len(counts))
            cells = {name: element(cell, turn) for name, cell in columns.items()}
            cells |= {"i": constant(turn), "first": constant(turn == 0), "last": last(count, turn)}
            turns = Room(room.path, room.home, (*room.turns, turn))
            self.once(layer, Scene(scene, cells), turns, more)

    def table(self, cell: Cell) -> tuple[tuple[str, ...], dict[tuple[Any, ...], Any]] | None:
        """Return the decisions that a value reads, and the value for all that they may be.

        None if it depends on shapes, or on more than can be listed.
        """
        if cell.deps is None:
            return None
        paths = tuple(path for path in self.found if path in cell.deps)
        sizes = [self.found[path].size for path in paths]
        if None in sizes or prod(size or 0 for size in sizes) > MOST_ROWS:
            return None
        rows: dict[tuple[Any, ...], Any] = {}
        error: SpecError | None = None
        try:
            for row in product(*(self.found[path].values() for path in paths)):
                self.spend()
                try:
                    choices = dict(zip(paths, row, strict=True))
                    rows[row] = cell.compute({**self.defaults, **choices})
                except SpecError as refusal:  # these values make no network
                    rows[row], error = None, refusal
        except UnknownError:
            return None
        if error is not None and all(value is None for value in rows.values()):
            raise error
        return paths, rows

    def spend(self, steps: int = 1) -> None:
        """Count steps of work. Raises LimitError beyond the limit."""
        self.steps += steps
        if self.steps > self.limits.steps:
            raise LimitError(
                f"more work than the limit of {self.limits.steps} steps", self.document.body.at
            )

    def once(self, layer: Layer, scene: Scene, room: Room, conditions: Conditions) -> None:
        """Survey a layer in one turn."""
        self.spend()
        spot = self.spot(layer, room)
        if layer.when is not None:
            self.register(layer.when, spot, conditions)
            table = self.table(self.cell(layer.when, scene, spot))
            if table is None:
                unknown = Condition((), None)
                otherwise = conditions = (*conditions, unknown)
            else:
                paths, rows = table
                yes = frozenset(row for row, value in rows.items() if value)
                self.asked(layer, bool(yes), len(yes) < len(rows))
                otherwise = with_condition(conditions, paths, frozenset(rows) - yes, len(rows))
                conditions = with_condition(conditions, paths, yes, len(rows))
                if len(yes) < len(rows):
                    self.chain(layer.otherwise, scene, room, otherwise)
                if not yes:
                    return
            if table is None:
                self.chain(layer.otherwise, scene, room, otherwise)
        self.live(layer, room)
        self.register(layer.split, spot, conditions)
        for branch in layer.branches or ():
            self.chain(branch, scene, room, conditions)
        for value in (*layer.args.values(), layer.alone):
            self.register(value, spot, conditions)
        if layer.word in self.used:
            block = self.document.blocks[layer.word]
            self.block(block, layer, scene, room, conditions)
        self.chain(layer.then, scene, room, conditions)

    def live(self, layer: Layer, room: Room) -> None:
        """Take note that a layer may be there."""

    def asked(self, layer: Layer, yes: bool, no: bool) -> None:
        """Take note that the condition of a layer may be true, and that it may be false."""

    def block(
        self, block: Block, layer: Layer, scene: Scene, room: Room, conditions: Conditions
    ) -> None:
        """Survey the body of a block with its arguments."""
        spot = self.spot(layer, room)
        given = dict(layer.args)
        if layer.alone is not None:
            given[next(iter(block.defaults))] = layer.alone
        cells = {name: self.cell(value, scene, spot) for name, value in given.items()}
        inner = Scene(self.lets, {"in": SHAPES, "x": SHAPES, **cells})
        home = Spot(spot.path, f"{block.name}.")
        for name, default in block.defaults.items():
            if name not in given and default is not None:
                self.register(default, home, conditions)
                inner.cells[name] = self.cell(default, inner, home)
        self.chain(block.layers, inner, Room(spot.path, block.name), conditions)


def path_of(hole: Hole, spot: Spot) -> str:
    """Return the path of a hole."""
    return (spot.shared if hole.shared else spot.path) + hole.label


def decision_of(hole: Hole, path: str, *when: Conditions) -> Decision:
    """Return the decision of a hole."""
    if hole.kind != CHOICE:
        return Decision(
            path, hole.kind, hole.at,
            low=hole.low, high=hole.high, step=hole.step, log=hole.log, when=when,
        )  # fmt: skip
    if hole.scalar:
        choices = tuple(value.content for value in hole.alternatives)
        return Decision(path, hole.kind, hole.at, choices, when=when)
    labels = tuple(shortened(_text(value)) for value in hole.alternatives)
    return Decision(path, hole.kind, hole.at, tuple(range(len(labels))), labels, when=when)


def _text(value: Value) -> str:
    content = value.content
    if value.constant:
        return quoted(content)
    if isinstance(content, Expression):
        return content.text
    if isinstance(content, Hole):
        return f"!{content.kind}"
    if isinstance(content, list):
        return f"[{', '.join(map(_text, content))}]"
    return f"{{{', '.join(f'{name}: {_text(part)}' for name, part in content.items())}}}"


def with_condition(
    conditions: Conditions, paths: tuple[str, ...], allowed: frozenset[tuple[Any, ...]], rows: int
) -> Conditions:
    """Return conditions with one more, unless it always holds; same paths are merged."""
    if len(allowed) == rows:
        return conditions
    for place, one in enumerate(conditions):
        if one.paths == paths and one.allowed is not None:
            both = Condition(paths, one.allowed & allowed)
            return (*conditions[:place], both, *conditions[place + 1 :])
    return (*conditions, Condition(paths, allowed))


def open_blocks(document: Document) -> frozenset[str]:
    """Return the blocks that have holes, or use blocks that do."""
    own = {name: list(layers_in(block.layers)) for name, block in document.blocks.items()}
    open_ = {
        name
        for name, block in document.blocks.items()
        if block.open or any(layer.open for layer in own[name])
    }
    while True:
        more = {
            name
            for name, layers in own.items()
            if name not in open_ and any(layer.word in open_ for layer in layers)
        }
        if not more:
            return frozenset(name for name in open_ if name not in OPS)
        open_ |= more

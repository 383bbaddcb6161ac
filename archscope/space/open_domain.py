"""Document -> decisions: every hole of every instance, and when it counts.

This is a domain of `language.elaborate` without shapes, in which values may depend on decisions.
A condition or a number of turns is computed for all values of the decisions that it reads, so that
it is known, not guessed, which other decisions they bring in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product, repeat
from math import prod
from typing import Any

from msgspec import structs

from archscope.errors import LimitError, SpecError, quoted, shortened
from archscope.language.document import Block, Chain, Document, Layer, layers_in
from archscope.language.elaborate import Elaborator, Instance, Walk
from archscope.language.expression import Expression, reads_in
from archscope.language.limits import LIMITS, Limits, StepCounter
from archscope.language.value import CHOICE, Hole, HolePaths, Value
from archscope.space.decisions import Choices, Condition, Decision
from archscope.space.occurrences import Occurrences
from archscope.space.open_values import (
    SHAPES,
    ChosenFrame,
    Conditions,
    OpenScope,
    OpenValue,
    UnknownError,
    constant,
    element,
    last,
    length,
    whole,
)

MOST_ROWS = 1 << 14  # of the table of one condition
NoFlow = tuple[()]
"""Layers are walked without what flows through them."""
Table = tuple[tuple[str, ...], dict[tuple[Any, ...], Any]]
"""The decisions that a value reads, and the value for all that they may be."""


def decisions_of(document: Document, limits: Limits) -> tuple[Decision, ...]:
    """Return the decisions of a document in the order of the text. Raises SpecError."""
    if not document.open:
        return ()
    domain = OpenDomain(document, limits)
    domain.run()
    return tuple(domain.found.values())


def occurrences_of(document: Document, choices: Choices) -> Occurrences:
    """Return which values stand where, once all decisions are made. Raises SpecError."""
    occurrences = Occurrences(choices)
    if document.open:
        OpenDomain(document, LIMITS, occurrences).run()
    return occurrences


class OpenDomain:
    """The domain of values that depend on decisions."""

    def __init__(
        self, document: Document, limits: Limits, occurrences: Occurrences | None = None
    ) -> None:
        """Take what is told which values stand where; its choices make all decisions."""
        self.document, self.limits = document, limits
        self.occurrences = occurrences
        self.found: dict[str, Decision] = {}
        self.defaults: dict[str, Any] = {}  # for what a value holds beside what is read of it
        self.visited = open_layers(document)
        self.steps = StepCounter(limits.steps)
        self.lets = OpenScope(None, {})

    def run(self) -> None:
        """Collect the decisions in `found`. Raises SpecError."""
        document, lets = self.document, self.lets
        for name, value in document.let.items():
            lets.values[name] = self.value(value, lets, HolePaths())
        for value in document.inputs.values():
            self.value(value, lets, HolePaths())
        scope = OpenScope(lets, {"in": SHAPES, "x": SHAPES})
        walk = Elaborator(document.blocks, self.limits, self)
        walk.chain(document.body.layers, Instance(document.body), scope, ())

    def layers(self, chain: Chain) -> Iterable[Layer]:
        """Return the layers of a chain that have holes in them."""
        return [layer for layer in chain if layer in self.visited]

    def enter(self, layer: Layer, instance: Instance, scope: OpenScope, flow: NoFlow) -> None:
        """Do nothing: `x` is unknown throughout."""

    def sources(self, layer: Layer, instance: Instance, flow: NoFlow) -> NoFlow:
        """Return nothing."""
        return flow

    def turns(self, layer: Layer, instance: Instance, scope: OpenScope) -> Iterator[OpenScope]:
        """Yield a scope for each turn that there may be, under the condition that there is."""
        columns = {
            name: self.slot(layer, f"@each.{name}", value, instance, scope)
            for name, value in (layer.each or {}).items()
        }
        if layer.repeat is not None:
            count = self.slot(layer, "@repeat", layer.repeat, instance, scope)
        else:
            count = length(next(iter(columns.values())))
        table = self.table(count)
        if table is None:
            raise SpecError(
                "how often this turns depends on shapes or on too many decisions, and it has holes"
                " inside: let it depend on a few named values, so that its decisions are known",
                layer.at,
            )
        paths, rows = table
        counts = {row: whole(value) for row, value in rows.items()}
        most = max(counts.values(), default=0)
        if self.occurrences is not None:
            self.occurrences.loop(layer, instance, most)
        for turn in range(most):
            if turn >= self.limits.repeat:
                raise LimitError(f"more turns than the limit of {self.limits.repeat}", layer.at)
            self.steps.spend(len(counts), layer.at)
            allowed = frozenset(row for row, number in counts.items() if number > turn)
            conditions = _with_condition(scope.conditions, paths, allowed, len(counts))
            names = {name: element(column, turn) for name, column in columns.items()}
            names |= {"i": constant(turn), "first": constant(turn == 0), "last": last(count, turn)}
            yield OpenScope(scope, names, conditions)

    def condition(
        self, layer: Layer, instance: Instance, scope: OpenScope
    ) -> tuple[OpenScope | None, OpenScope | None]:
        """Return the scopes in which `when` is true and false, as far as decisions allow."""
        assert layer.when is not None
        table = self.table(self.slot(layer, "@when", layer.when, instance, scope))
        if table is None:
            unknown = OpenScope(scope, {}, (*scope.conditions, Condition((), None)))
            return unknown, unknown
        paths, rows = table
        true = frozenset(row for row, value in rows.items() if value)

        def under(allowed: frozenset[tuple[Any, ...]]) -> OpenScope | None:
            conditions = _with_condition(scope.conditions, paths, allowed, len(rows))
            return OpenScope(scope, {}, conditions) if allowed else None

        if self.occurrences is not None:
            self.occurrences.condition(layer, bool(true))
        return under(true), under(frozenset(rows) - true)

    def either(self, then: NoFlow, otherwise: NoFlow) -> NoFlow:
        """Return nothing."""
        return then

    def branches(
        self, layer: Layer, instance: Instance, scope: OpenScope, flow: NoFlow
    ) -> Iterable[NoFlow]:
        """Take up the holes of `split`."""
        if layer.split is not None:
            self.slot(layer, "@split", layer.split, instance, scope)
        return repeat(flow, len(layer.branches or ()))

    def merge(self, layer: Layer, ends: Iterable[NoFlow]) -> NoFlow:
        """Walk the branches."""
        for _ in ends:
            pass
        return ()

    def operator(self, layer: Layer, instance: Instance, scope: OpenScope, flow: NoFlow) -> NoFlow:
        """Take up the holes of the arguments."""
        for name, value in layer.args.items():
            self.slot(layer, name, value, instance, scope)
        return flow

    def call(
        self, layer: Layer, block: Block, instance: Instance, scope: OpenScope, flow: NoFlow
    ) -> tuple[Instance, OpenScope]:
        """Return an instance of a block, and a scope of its values."""
        path = instance.hole_paths(layer).own
        if self.occurrences is not None:
            self.occurrences.call(block, layer, instance, path)
        values = {"in": SHAPES, "x": SHAPES}
        for name, value in layer.args.items():
            values[name] = self.slot(layer, name, value, instance, scope)
        inner = OpenScope(self.lets, values, scope.conditions)
        paths = HolePaths(path, f"{block.name}.")
        for name, default in block.defaults.items():
            if name not in layer.args and default is not None:
                values[name] = self.value(default, inner, paths)
                if self.occurrences is not None:
                    self.occurrences.value(layer, name, default, instance, paths)
        return Instance(block, path, prefix=path), inner

    def body(
        self,
        instance: Instance,
        scope: OpenScope,
        flow: NoFlow,
        walk: Walk[OpenScope, NoFlow],
    ) -> NoFlow:
        """Walk a block if there are holes in it."""
        return walk(instance.block.layers, instance, scope, flow)

    def output(self, layer: Layer, scope: OpenScope, flow: NoFlow) -> None:
        """Do nothing: an output has no holes."""

    def slot(
        self, layer: Layer, slot: str, value: Value, instance: Instance, scope: OpenScope
    ) -> OpenValue:
        """Return the open value of an argument or modifier, and take up the holes in it."""
        paths = instance.hole_paths(layer)
        if self.occurrences is not None:
            self.occurrences.value(layer, slot, value, instance, paths)
        return self.value(value, scope, paths)

    def value(self, value: Value, scope: OpenScope, paths: HolePaths) -> OpenValue:
        """Return the open value of a value, and take up the holes in it."""
        self._take_up(value, paths, scope.conditions)
        return self._open(value, scope, paths)

    def _take_up(self, value: Value, paths: HolePaths, conditions: Conditions) -> None:
        """Take up the holes of a value as decisions."""
        for part in value.parts():
            hole = part.content
            if not isinstance(hole, Hole):
                continue
            path = paths.path(hole)
            old = self.found.get(path)
            if old is None or old.at != hole.at:
                if old is not None:
                    raise SpecError(f"two holes are called '{path}'", hole.at)
                decision = self.found[path] = self._decision(hole, path, (conditions,))
                self.defaults[path] = decision.default
            elif conditions not in old.when and () not in old.when:
                when = (*old.when, conditions) if conditions else ((),)
                self.found[path] = structs.replace(old, when=when)
            for index, alternative in enumerate(hole.alternatives):
                chosen = Condition((path,), frozenset({(index,)}))
                self._take_up(alternative, paths, (*conditions, chosen))
            if len(self.found) > self.limits.items:
                raise LimitError(f"more decisions than the limit of {self.limits.items}", hole.at)

    def _decision(self, hole: Hole, path: str, when: tuple[Conditions, ...]) -> Decision:
        if self.occurrences is not None:
            return Decision(path, CHOICE, hole.at, (self.occurrences.choices[path],), when=when)
        if hole.kind != CHOICE:
            return Decision(
                path, hole.kind, hole.at,
                low=hole.low, high=hole.high, step=hole.step, log=hole.log, when=when,
            )  # fmt: skip
        if hole.scalar:
            alternatives = tuple(value.content for value in hole.alternatives)
            return Decision(path, CHOICE, hole.at, alternatives, when=when)
        labels = tuple(shortened(_text(value)) for value in hole.alternatives)
        return Decision(path, CHOICE, hole.at, tuple(range(len(labels))), labels, when=when)

    def _open(self, value: Value, scope: OpenScope, paths: HolePaths) -> OpenValue:
        content = value.content
        if value.constant:
            return constant(content)
        parts: dict[Any, OpenValue] | None = None
        if isinstance(content, Expression):
            same = scope.find(content.text[1:].strip())
            if same is not None:
                return same
        elif isinstance(content, list | dict):
            items = content.items() if isinstance(content, dict) else enumerate(content)
            parts = {key: self._open(part, scope, paths) for key, part in items}
        return OpenValue(
            lambda choices: value(ChosenFrame(scope, choices, paths)),
            lambda: self._reads(value, scope, paths),
            parts,
        )

    def _reads(self, value: Value, scope: OpenScope, paths: HolePaths) -> set[str] | None:
        """Return the decisions that a value reads; None if it reads shapes."""
        deps: set[str] = set()
        for part in value.parts():
            content = part.content
            if isinstance(content, Hole):
                deps.add(paths.path(content))
                read = [self._open(choice, scope, paths) for choice in content.alternatives]
            else:
                assert isinstance(content, Expression)
                named = [(scope.find(name), part) for name, part in reads_in(content.text)]
                read = [
                    (found.parts or {}).get(part, found)
                    for found, part in named
                    if found is not None
                ]
            for found in read:
                if found.deps is None:
                    return None
                deps |= found.deps
        return deps

    def table(self, value: OpenValue) -> Table | None:
        """Return a value for all decisions that it reads.

        None if it depends on shapes, or on more than can be listed.
        """
        if value.deps is None:
            return None
        paths = tuple(path for path in self.found if path in value.deps)
        sizes = [self.found[path].size for path in paths]
        if None in sizes or prod(size or 0 for size in sizes) > MOST_ROWS:
            return None
        rows: dict[tuple[Any, ...], Any] = {}
        error: SpecError | None = None
        try:
            for row in product(*(self.found[path].values() for path in paths)):
                self.steps.spend(1, self.document.body.at)
                try:
                    choices = dict(zip(paths, row, strict=True))
                    rows[row] = value.compute({**self.defaults, **choices})
                except SpecError as refusal:  # these values make no network
                    rows[row], error = None, refusal
        except UnknownError:
            return None
        if error is not None and all(held is None for held in rows.values()):
            raise error
        return paths, rows


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


def _with_condition(
    conditions: Conditions, paths: tuple[str, ...], allowed: frozenset[tuple[Any, ...]], rows: int
) -> Conditions:
    """Return conditions with one more, unless it always holds; same paths are merged."""
    if len(allowed) == rows:
        return conditions
    for place, condition in enumerate(conditions):
        if condition.paths == paths and condition.allowed is not None:
            both = Condition(paths, condition.allowed & allowed)
            return (*conditions[:place], both, *conditions[place + 1 :])
    return (*conditions, Condition(paths, allowed))


def open_layers(document: Document) -> frozenset[Layer]:
    """Return the layers that have holes, or use blocks that do, also in chains inside of them."""
    inside = {name: list(layers_in(block.layers)) for name, block in document.blocks.items()}
    open_ = {
        name
        for name, layers in inside.items()
        if document.blocks[name].open or any(layer.open for layer in layers)
    }
    words = {name: {layer.word for layer in layers} for name, layers in inside.items()}
    while more := {name for name in words.keys() - open_ if words[name] & open_}:
        open_ |= more
    return frozenset(
        layer
        for layers in (layers_in(document.body.layers), *inside.values())
        for layer in layers
        if any(part.open or part.word in open_ for part in layers_in((layer,)))
    )

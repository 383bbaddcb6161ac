"""Turn holes into decisions, and values that depend on them into tables."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

from msgspec import structs

from archscope.errors import LimitError, SpecError, quoted, shortened
from archscope.ir import Source
from archscope.language.expression import Expression
from archscope.language.limits import Limits, StepCounter
from archscope.language.value import CHOICE, Hole, HolePaths, Value
from archscope.space.decisions import Choices, Condition, Decision
from archscope.space.open_values import Conditions, OpenValue, UnknownError

MOST_ROWS = 1 << 14  # of a table
Row = tuple[Any, ...]
Table = tuple[tuple[str, ...], dict[Row, Any]]
"""The paths of the decisions that a value reads, and the value for all their combinations."""


class HoleDecisions:
    """The decisions of the holes of a document, in the order of the walk."""

    def __init__(
        self, limits: Limits, steps: StepCounter, at: Source, made: Choices | None = None
    ) -> None:
        """Take the choices of all decisions, if made: then each has a single alternative."""
        self.limits, self.steps, self.at, self.made = limits, steps, at, made
        self.by_path: dict[str, Decision] = {}
        self.defaults: dict[str, Any] = {}

    def add(self, value: Value, paths: HolePaths, conditions: Conditions) -> None:
        """Add the decisions of the holes in a value, which is active under some conditions."""
        for part in value.parts():
            hole = part.content
            if not isinstance(hole, Hole):
                continue
            path = paths.path(hole)
            old = self.by_path.get(path)
            if old is None or old.at != hole.at:
                if old is not None:
                    raise SpecError(f"two holes are called '{path}'", hole.at)
                decision = self.by_path[path] = self._decision(hole, path, (conditions,))
                self.defaults[path] = decision.default
            elif conditions not in old.when and () not in old.when:
                when = (*old.when, conditions) if conditions else ((),)
                self.by_path[path] = structs.replace(old, when=when)
            for index, alternative in enumerate(hole.alternatives):
                chosen = Condition((path,), frozenset({(index,)}))
                self.add(alternative, paths, (*conditions, chosen))
            if len(self.by_path) > self.limits.items:
                raise LimitError(f"more decisions than the limit of {self.limits.items}", hole.at)

    def _decision(self, hole: Hole, path: str, when: tuple[Conditions, ...]) -> Decision:
        if self.made is not None:
            return Decision(path, CHOICE, hole.at, (self.made[path],), when=when)
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

    def table(self, value: OpenValue) -> Table | None:
        """Return an open value for all combinations of its decisions. Raises SpecError.

        None if it depends on shapes, or has too many combinations. Rows of combinations that make
        no network contain None.
        """
        if value.deps is None:
            return None
        paths = tuple(path for path in self.by_path if path in value.deps)
        sizes = [self.by_path[path].size for path in paths]
        if None in sizes or prod(size or 0 for size in sizes) > MOST_ROWS:
            return None
        rows: dict[tuple[Any, ...], Any] = {}
        error: SpecError | None = None
        try:
            for row in product(*(self.by_path[path].values() for path in paths)):
                self.steps.spend(1, self.at)
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


def with_condition(
    conditions: Conditions, paths: tuple[str, ...], allowed: frozenset[Row], rows: int
) -> Conditions:
    """Add a condition, unless it always holds; conditions on the same paths are merged."""
    if len(allowed) == rows:
        return conditions
    for place, condition in enumerate(conditions):
        if condition.paths == paths and condition.allowed is not None:
            both = Condition(paths, condition.allowed & allowed)
            return (*conditions[:place], both, *conditions[place + 1 :])
    return (*conditions, Condition(paths, allowed))


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

"""A search space: the decisions of a spec with holes, and the networks that they lead to."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
from typing import Any

from msgspec import Struct, structs

from archscope.analysis.cost import Sums, sums_of
from archscope.errors import OptionError, did_you_mean, quoted, shortened
from archscope.ir import Graph, Shape, Source
from archscope.language.document import Document
from archscope.language.limits import LIMITS, Limits
from archscope.language.overrides import input_shapes, settings
from archscope.language.value import CHOICE, Value
from archscope.space.additive_costs import AdditiveCost
from archscope.space.block_cache import BlockCache
from archscope.space.cost_tables import CostTables
from archscope.space.decisions import Choices, Condition, Decision
from archscope.space.open_domain import decisions_of


class Space(Struct, frozen=True, dict=True):
    """All networks that a spec with holes can become."""

    document: Document
    decisions: tuple[Decision, ...]
    limits: Limits = LIMITS

    @property
    def name(self) -> str:
        """The name of the spec."""
        return self.document.name

    @cached_property
    def by_path(self) -> dict[str, Decision]:
        """The decisions by path."""
        return {decision.path: decision for decision in self.decisions}

    @cached_property
    def controlling(self) -> frozenset[str]:
        """The paths of decisions that determine whether others count."""
        return frozenset(
            path
            for decision in self.decisions
            for conditions in decision.when
            for condition in conditions
            for path in condition.paths
        )

    @cached_property
    def certain(self) -> bool:
        """Whether it is known for every decision when it counts."""
        return all(decision.certain for decision in self.decisions)

    @cached_property
    def _blocks(self) -> BlockCache:
        return BlockCache(self.document, self.limits)

    @property
    def cost_tables(self) -> CostTables | None:
        """The costs of segments; None if the networks are not chains of segments."""
        return self.cost_tables_with(())

    def cost_tables_with(self, extras: Sequence[AdditiveCost]) -> CostTables | None:
        """Return `cost_tables` with additional costs."""
        key = tuple(extra.key for extra in extras)
        if key not in self._cost_tables:
            alternatives = (decision.alternatives for decision in self.decisions)
            # 1 and true are equal, but make different networks.
            told_apart = all(len({*values}) == len(values) for values in alternatives)
            self._cost_tables[key] = (
                CostTables.of(self.document, self.limits, extras) if told_apart else None
            )
        return self._cost_tables[key]

    @cached_property
    def _cost_tables(self) -> dict[Hashable, CostTables | None]:
        return {}

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """The first value of every decision."""
        return {decision.path: decision.default for decision in self.decisions}

    @cached_property
    def _rules(self) -> tuple[tuple[tuple[Rule, ...], tuple[str, ...]], ...]:
        """Conditions with the paths of the decisions that they control, parents first."""
        rules: dict[tuple[tuple[Condition, ...], ...], list[str]] = {}
        for decision in self.decisions:
            if decision.when != ((),):
                rules.setdefault(decision.when, []).append(decision.path)
        return tuple((tuple(map(_rule, when)), tuple(paths)) for when, paths in rules.items())

    def masked(self, choices: Choices) -> dict[str, Any]:
        """Return a value for every decision, the default if it does not count or is missing."""
        defaults = self.defaults
        full = {path: choices.get(path, value) for path, value in defaults.items()}
        for rules, paths in self._rules:
            if not any(_holds(rule, full) for rule in rules):
                for path in paths:
                    full[path] = defaults[path]
        return full

    def counting(self, choices: Choices) -> list[Decision]:
        """Return the decisions that count for these choices."""
        full = self.masked(choices)
        idle = {
            path
            for rules, paths in self._rules
            if not any(_holds(rule, full) for rule in rules)
            for path in paths
        }
        return [decision for decision in self.decisions if decision.path not in idle]

    def active(self, choices: Choices) -> dict[str, Any]:
        """Return the choices of the decisions that count."""
        full = self.masked(choices)
        return {decision.path: full[decision.path] for decision in self.counting(full)}

    def sums(self, choices: Choices) -> Sums:
        """Return the sums over the network of choices that are known to be valid.

        Faster than making the graph. Raises SpecError if these choices make no network.
        """
        sums = None if self.cost_tables is None else self.cost_tables.sums(choices)
        return sums_of(self.graph(choices).inference().nodes) if sums is None else sums

    def graph(self, choices: Choices) -> Graph:
        """Return the network of choices that are known to be valid; `bind` checks them first.

        Raises SpecError if these choices make no network.
        """
        return self._blocks.graph(choices)


Rule = tuple[tuple[str | tuple[str, ...], frozenset[Any]], ...]
"""Alternative conditions of a decision: a path with its values, or paths with their rows."""


def _rule(conditions: tuple[Condition, ...]) -> Rule:
    return tuple(
        (condition.paths[0], frozenset(row[0] for row in condition.allowed))
        if len(condition.paths) == 1
        else (condition.paths, condition.allowed)
        for condition in conditions
        if condition.allowed is not None  # an unknown condition is assumed to hold
    )


def _holds(rule: Rule, choices: Choices) -> bool:
    for path, allowed in rule:
        held = choices[path] if isinstance(path, str) else tuple([choices[part] for part in path])
        if held not in allowed:
            return False
    return True


def space(
    document: Document,
    *,
    set: Choices | None = None,
    input: Shape | Mapping[str, Shape] | None = None,
    limits: Limits = LIMITS,
) -> Space:
    """Return the search space of a document. Raises ArchscopeError.

    `set` overrides values of `let` and fixes decisions by their paths; `input` replaces the shapes
    of inputs. A document without holes is a space of one network.
    """
    given = {} if set is None else dict(set)
    named = {name: given.pop(name) for name in [*given] if name in document.let}
    if named:
        document = structs.replace(document, let={**document.let, **settings(document, named)})
    if input is not None:
        inputs = {
            name: Value(list(shape), Source("--input", 1, 1), True)
            for name, shape in input_shapes(document, input).items()
        }
        document = structs.replace(document, inputs={**document.inputs, **inputs})
    found = Space(document, decisions_of(document, limits), limits)
    closed = checked_choices(found, given, partial=True)
    decisions = tuple(
        structs.replace(decision, kind=CHOICE, alternatives=(closed[decision.path],), labels=())
        if decision.path in closed
        else decision
        for decision in found.decisions
    )
    return structs.replace(found, decisions=decisions)


def bind(space: Space, choices: Choices) -> Graph:
    """Return the network of choices, which have a value for each decision that counts, by path.

    Raises OptionError for an unknown path, an invalid value or a missing decision, SpecError if
    the choices make no network.
    """
    return space.graph(checked_choices(space, choices))


def checked_choices(space: Space, choices: Choices, partial: bool = False) -> dict[str, Any]:
    """Check choices and complete them; if `partial`, some may be missing. Raises OptionError."""
    for path, value in choices.items():
        decision = space.by_path.get(path)
        if decision is None:
            hint = did_you_mean(path, space.by_path) or "; 'archscope space' lists them"
            raise OptionError(f"'{space.name}' has no decision {quoted(path)}{hint}")
        if not decision.takes(value):
            raise OptionError(
                f"'{path}' must be one of {shortened(decision.text, 200)}, got {quoted(value)}"
                if decision.kind == CHOICE
                else f"'{path}' must be {decision.text}, got {quoted(value)}"
            )
    if partial:
        return {path: space.by_path[path].exact(value) for path, value in choices.items()}
    full = space.masked(choices)
    missing = [
        decision.path
        for decision in space.counting(full)
        if decision.certain and decision.path not in choices
    ]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        have = "have" if more else "has"
        raise OptionError(f"'{missing[0]}'{more} of '{space.name}' {have} no value")
    # Decisions that may or may not count are checked when the network is made.
    return {
        path: space.by_path[path].exact(value)
        for path, value in full.items()
        if path in choices or space.by_path[path].certain
    }

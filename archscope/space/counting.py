"""Count the networks of a space exactly, sample them uniformly and enumerate them.

Inactive decisions make no difference, so networks are counted by the values of their active
decisions. A plan is a tree: free decisions multiply, decisions that control others become branches,
and groups of decisions that do not depend on each other are counted separately, as a product.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from random import Random
from typing import Any

from msgspec import Struct

from archscope.space.decisions import Condition, Decision
from archscope.space.search_space import Space

MOST_WORK = 1_000_000  # visited decisions in the whole tree


class TooManyError(Exception):
    """The plan is too large, as too many decisions depend on each other."""


class Branch(Struct, frozen=True, gc=False):
    """A decision that controls others, with a plan of the rest for each of its values."""

    path: str
    options: tuple[tuple[Any, Plan], ...]
    count: int


class Plan(Struct, frozen=True, gc=False):
    """Decisions and branches that are independent of each other."""

    free: tuple[Decision, ...]
    branches: tuple[Branch, ...]
    count: int  # number of networks; a continuous decision counts as one value
    endless: bool  # whether there is a continuous decision


def plan(space: Space) -> Plan:
    """Return the plan of a space. Raises TooManyError."""
    return _Planner(space).plan(list(space.decisions), {})


def networks_text(space: Space) -> str:
    """Return the number of networks of a space as text."""
    try:
        return f"{plan(space).count:,}"
    except TooManyError:
        return "more than can be counted"


class _Planner:
    def __init__(self, space: Space) -> None:
        self.controlling = space.controlling
        self.work = 0

    def plan(self, decisions: list[Decision], fixed: dict[str, Any]) -> Plan:
        """Return the plan of decisions, given the values of those before them."""
        self.work += 1 + len(decisions)
        if self.work > MOST_WORK:
            raise TooManyError
        free: list[Decision] = []
        rest: list[Decision] = []
        for decision in decisions:
            state = _is_active(decision, fixed)
            if state is False:
                fixed = {**fixed, decision.path: decision.default}
            elif state is True and decision.path not in self.controlling:
                free.append(decision)
            else:
                rest.append(decision)
        branches = [self.branch(part, fixed) for part in _apart(rest)]
        count = 1
        endless = False
        for decision in free:
            count *= decision.size or 1
            endless |= decision.size is None
        for branch in branches:
            count *= branch.count
            endless |= any(option.endless for _, option in branch.options)
        return Plan(tuple(free), tuple(branches), count, endless)

    def branch(self, decisions: list[Decision], fixed: dict[str, Any]) -> Branch:
        """Return a branch over the first decision that is certainly active."""
        first = next(decision for decision in decisions if _is_active(decision, fixed) is True)
        if first.size is None:
            raise TooManyError
        rest = [decision for decision in decisions if decision is not first]
        options = tuple(
            (value, self.plan(rest, {**fixed, first.path: value})) for value in first.values()
        )
        return Branch(first.path, options, sum(option.count for _, option in options))


def _is_active(decision: Decision, fixed: dict[str, Any]) -> bool | None:
    """Return whether a decision is active; None if that depends on values not fixed yet."""
    open_ = False
    for conditions in decision.when:
        states = [_holds(condition, fixed) for condition in conditions]
        if all(state is True for state in states):
            return True
        open_ |= False not in states
    return None if open_ else False


def _holds(condition: Condition, fixed: dict[str, Any]) -> bool | None:
    allowed = condition.allowed
    if allowed is None:
        return True
    known = [(place, fixed[path]) for place, path in enumerate(condition.paths) if path in fixed]
    fitting = sum(all(row[place] == value for place, value in known) for row in allowed)
    if not fitting:
        return False
    return True if len(known) == len(condition.paths) else None


def _apart(decisions: list[Decision]) -> list[list[Decision]]:
    """Return independent groups of decisions, each in order."""
    group = {decision.path: [decision] for decision in decisions}
    for decision in decisions:
        for conditions in decision.when:
            for condition in conditions:
                for path in condition.paths:
                    mine, other = group[decision.path], group.get(path)
                    if other is not None and other is not mine:
                        mine += other
                        for moved in other:
                            group[moved.path] = mine
    order = {decision.path: place for place, decision in enumerate(decisions)}
    parts = {id(part): part for part in group.values()}
    return [sorted(part, key=lambda member: order[member.path]) for part in parts.values()]


def draw(plan: Plan, random: Random) -> dict[str, Any]:
    """Return the choices of a network drawn uniformly from a plan.

    Continuous decisions are drawn uniformly on their own scale.
    """
    choices = {decision.path: draw_value(decision, random) for decision in plan.free}
    for branch in plan.branches:
        place = random.randrange(branch.count)
        for value, option in branch.options:
            if place < option.count:
                choices[branch.path] = value
                choices.update(draw(option, random))
                break
            place -= option.count
    return choices


def draw_value(decision: Decision, random: Random) -> Any:
    """Return an alternative of a decision, drawn uniformly."""
    if decision.size is not None:
        return decision.values()[random.randrange(decision.size)]
    low, high = decision.low, decision.high
    if decision.log:
        return float(min(high, low * (high / low) ** random.random()))
    return float(random.uniform(low, high))


def every(plan: Plan) -> Iterator[dict[str, Any]]:
    """Yield the choices of every network of a plan without continuous decisions."""
    parts: list[list[dict[str, Any]]] = [
        [{decision.path: value} for value in decision.values()] for decision in plan.free
    ]
    parts += [
        [
            {branch.path: value, **choices}
            for value, option in branch.options
            for choices in every(option)
        ]
        for branch in plan.branches
    ]
    for row in product(*parts):
        choices: dict[str, Any] = {}
        for part in row:
            choices.update(part)
        yield choices

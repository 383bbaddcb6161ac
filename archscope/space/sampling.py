"""Sample candidates of a search space: draw uniformly, mutate, cross, and repair for a budget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from random import Random
from typing import Any

from msgspec import Struct

from archscope.errors import OptionError, SpecError
from archscope.ir import Graph
from archscope.space.budget import Budget, violation
from archscope.space.budget import cost_model as cost_model_of
from archscope.space.costs import CostModel, Costs
from archscope.space.counting import Plan, TooManyError, draw, draw_value, plan
from archscope.space.decisions import Choices, Decision
from archscope.space.search_space import Space

TRIES = 500  # uniform draws to find a feasible candidate
REPAIRS = 20  # nearest draws to repair if none is feasible
STEPS = 400  # candidates to evaluate per repair
GRID = 5  # values that represent a continuous decision


class Candidate(Struct, frozen=True):
    """A network of a space by its choices, with its costs."""

    choices: dict[str, Any]
    costs: Costs


class Sampler:
    """Draws candidates of a space, reproducibly for a seed."""

    def __init__(
        self,
        space: Space,
        budgets: Sequence[Budget] = (),
        seed: int = 0,
        cost_model: CostModel | None = None,
    ) -> None:
        """Take a space, its budgets, and a cost model to share, if any."""
        self.space, self.budgets = space, tuple(budgets)
        self.random = Random(seed)  # noqa: S311 nothing secret is drawn
        self.cost_model = cost_model or cost_model_of(space, budgets)

    @cached_property
    def plan(self) -> Plan | None:
        """The plan for counting networks; None if it would be too large."""
        try:
            return plan(self.space)
        except TooManyError:
            return None

    def any(self) -> dict[str, Any]:
        """Return the choices of a network drawn uniformly, regardless of its cost.

        If networks cannot be counted, each decision is drawn uniformly instead.
        """
        if self.plan is not None:
            return {**self.space.defaults, **draw(self.plan, self.random)}
        return self.space.masked(random_choices(self.space, self.random))

    def feasible(self, tries: int = TRIES) -> Candidate:
        """Return a candidate within the budgets, drawn uniformly if `tries` draws find one.

        Otherwise the draws nearest to the budgets are repaired, and the distribution is not
        uniform. Raises OptionError if no repair succeeds.
        """
        drawn: list[tuple[float, dict[str, Any]]] = []
        for _ in range(tries):
            choices = self.any()
            costs = self.cost_model.masked(choices)
            beyond = violation(self.budgets, costs)
            if costs is not None and beyond == 0:
                return Candidate(choices, costs)
            drawn.append((beyond, choices))
        drawn.sort(key=lambda draw: draw[0])
        for _, choices in drawn[:REPAIRS]:
            found = repair(self.space, self.budgets, choices, self.cost_model, self.random)
            if found is not None:
                return found
        listed = " and ".join(f"{budget.text} ({budget.bounds})" for budget in self.budgets)
        raise OptionError(
            f"no network of '{self.space.name}' was found within {listed};"
            f" 'archscope space' says which decision to relax"
        )


def example(space: Space) -> Graph:
    """Return a network of a space: that of the first alternatives, or else one that is drawn.

    Raises SpecError if none of many choices makes a network.
    """
    try:
        return space.graph(space.defaults)
    except SpecError as error:
        sampler = Sampler(space)
        for _ in range(TRIES):
            with suppress(SpecError):
                return space.graph(sampler.any())
        raise error from None


def random_choices(space: Space, random: Random) -> dict[str, Any]:
    """Return a random value for every decision, including inactive ones."""
    return {decision.path: draw_value(decision, random) for decision in space.decisions}


def repair(
    space: Space,
    budgets: Sequence[Budget],
    choices: Choices,
    cost_model: CostModel,
    random: Random,
    steps: int = STEPS,
) -> Candidate | None:
    """Find a candidate within the budgets near the given one by local search.

    Each step changes one decision so that the violation shrinks. Returns None if no change helps,
    or after `steps` evaluations.
    """
    choices = space.masked(choices)
    costs = cost_model(choices)
    beyond = violation(budgets, costs)
    while beyond > 0 or costs is None:
        moves = list(neighbours(space, choices))
        random.shuffle(moves)
        for path, value in moves:
            steps -= 1
            if steps < 0:
                return None
            moved = space.masked({**choices, path: value})
            there = cost_model.masked(moved)
            if violation(budgets, there) < beyond:
                choices, costs, beyond = moved, there, violation(budgets, there)
                break
        else:
            return None
    return Candidate(dict(choices), costs)


def neighbours(space: Space, choices: Choices) -> Iterator[tuple[str, Any]]:
    """Yield every other value of every active decision, with its path."""
    full = space.masked(choices)
    for decision in space.counting(full):
        for value in alternatives(decision):
            if value != full[decision.path]:
                yield decision.path, value


def alternatives(decision: Decision) -> tuple[Any, ...]:
    """Return the alternatives of a decision, or a grid over the range of a continuous one."""
    if decision.size is not None:
        return decision.values()
    low, high, log = decision.low, decision.high, decision.log
    parts = [place / (GRID - 1) for place in range(GRID)]
    if log:
        return tuple(low * (high / low) ** part for part in parts)
    return tuple(low + (high - low) * part for part in parts)


def mutate(
    space: Space, choices: Choices, random: Random, rate: float | None = None
) -> dict[str, Any]:
    """Change each decision with probability `rate`, but at least one.

    By default, one change is expected. Decisions that become active are drawn at random.
    """
    counting = space.counting(choices)
    movable = [decision for decision in counting if decision.size != 1]
    if not movable:
        return space.masked(choices)
    probability = 1 / len(movable) if rate is None else rate
    chosen = [decision for decision in movable if random.random() < probability]
    changed: dict[str, Any] = {}
    for decision in chosen or [movable[random.randrange(len(movable))]]:
        value = draw_value(decision, random)
        while value == choices[decision.path]:
            value = draw_value(decision, random)
        changed[decision.path] = value
    kept = {decision.path: choices[decision.path] for decision in counting}
    return space.masked({**random_choices(space, random), **kept, **changed})

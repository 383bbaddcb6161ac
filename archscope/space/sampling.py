"""Candidates: drawn evenly, moved, crossed, and brought inside a budget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from random import Random
from typing import Any

from msgspec import Struct

from archscope.errors import OptionError
from archscope.space.budget import Budget, needs_peak, violation
from archscope.space.costs import Costs, Evaluator
from archscope.space.counting import Plan, TooManyError, draw, draw_value, plan
from archscope.space.search_space import Choices, Decision, Space

TRIES = 500  # even draws for one feasible candidate
REPAIRS = 20  # of the nearest draws, if none of them is feasible
STEPS = 400  # candidates that one repair may look at
ENDS = 5  # values that stand for a decision without end


class Candidate(Struct, frozen=True):
    """A network of a space by its choices, with its costs."""

    choices: dict[str, Any]
    costs: Costs


class Sampler:
    """Draws candidates of one space, the same ones for the same seed."""

    def __init__(
        self,
        space: Space,
        budgets: Sequence[Budget] = (),
        seed: int = 0,
        evaluate: Evaluator | None = None,
    ) -> None:
        """Take the evaluator of others, if given, so that its knowledge is shared."""
        self.space, self.budgets = space, tuple(budgets)
        self.random = Random(seed)  # noqa: S311 nothing secret is drawn
        self.evaluate = evaluate or Evaluator(space, peak=needs_peak(budgets))

    @cached_property
    def plan(self) -> Plan | None:
        """The plan of the space, None if it cannot be made."""
        try:
            return plan(self.space)
        except TooManyError:
            return None

    def any(self) -> dict[str, Any]:
        """Return the choices of any network, each with the same chance.

        Where networks cannot be counted, each value of each decision has the same chance.
        """
        if self.plan is not None:
            return {**self.space.defaults, **draw(self.plan, self.random)}
        return self.space.masked(random_choices(self.space, self.random))

    def feasible(self, tries: int = TRIES) -> Candidate:
        """Return a candidate inside the budgets, each with the same chance if draws find one.

        After `tries` draws the nearest of them are moved towards the budgets, decision by
        decision; then the chances are not the same. Raises OptionError if that fails, too: it
        always ends.
        """
        near: list[tuple[float, int, dict[str, Any]]] = []
        for number in range(tries):
            choices = self.any()
            costs = self.evaluate.masked(choices)
            beyond = violation(self.budgets, costs)
            if costs is not None and beyond == 0:
                return Candidate(choices, costs)
            near.append((beyond, number, choices))
        near.sort(key=lambda one: one[:2])
        for _, _, choices in near[:REPAIRS]:
            found = repair(self.space, self.budgets, choices, self.evaluate, self.random)
            if found is not None:
                return found
        listed = " and ".join(budget.text for budget in self.budgets)
        raise OptionError(
            f"no network of '{self.space.name}' was found inside {listed};"
            f" 'archscope space' says which decision to relax"
        )


def random_choices(space: Space, random: Random) -> dict[str, Any]:
    """Return a value for every decision, also for those that do not count."""
    return {decision.path: draw_value(decision, random) for decision in space.decisions}


def repair(
    space: Space,
    budgets: Sequence[Budget],
    choices: Choices,
    evaluate: Evaluator,
    random: Random,
    steps: int = STEPS,
) -> Candidate | None:
    """Return a candidate inside the budgets, near the given one; None after `steps` candidates.

    Each step changes one decision to what brings the candidate nearer to the budgets.
    """
    choices = space.masked(choices)
    costs = evaluate(choices)
    beyond = violation(budgets, costs)
    while beyond > 0 or costs is None:
        moves = list(neighbours(space, choices))
        random.shuffle(moves)
        for path, value in moves:
            steps -= 1
            if steps < 0:
                return None
            moved = space.masked({**choices, path: value})
            there = evaluate.masked(moved)
            if violation(budgets, there) < beyond:
                choices, costs, beyond = moved, there, violation(budgets, there)
                break
        else:
            return None
    return Candidate(dict(choices), costs)


def neighbours(space: Space, choices: Choices) -> Iterator[tuple[str, Any]]:
    """Yield each other value of each decision that counts, with its path."""
    full = space.masked(choices)
    for decision in space.counting(full):
        for value in alternatives(decision):
            if value != full[decision.path]:
                yield decision.path, value


def alternatives(decision: Decision) -> tuple[Any, ...]:
    """Return the alternatives, or a few along the way where there is no end of them."""
    if decision.size is not None:
        return decision.values()
    low, high, log = decision.low, decision.high, decision.log
    parts = [place / (ENDS - 1) for place in range(ENDS)]
    if log:
        return tuple(low * (high / low) ** part for part in parts)
    return tuple(low + (high - low) * part for part in parts)


def mutate(
    space: Space, choices: Choices, random: Random, rate: float | None = None
) -> dict[str, Any]:
    """Return choices with some decisions changed: at least one, each with the chance `rate`.

    Without a rate one change is expected. Decisions that begin to count are drawn.
    """
    counting = space.counting(choices)
    movable = [decision for decision in counting if decision.size != 1]
    if not movable:
        return space.masked(choices)
    chance = 1 / len(movable) if rate is None else rate
    chosen = [one for one in movable if random.random() < chance]
    changed: dict[str, Any] = {}
    for one in chosen or [movable[random.randrange(len(movable))]]:
        value = draw_value(one, random)
        while value == choices[one.path]:
            value = draw_value(one, random)
        changed[one.path] = value
    kept = {decision.path: choices[decision.path] for decision in counting}
    return space.masked({**random_choices(space, random), **kept, **changed})


def crossover(space: Space, one: Choices, other: Choices, random: Random) -> dict[str, Any]:
    """Return choices of which each is from either parent, from the one where it counts."""
    left, right = space.active(one), space.active(other)
    choices = random_choices(space, random)
    for decision in space.decisions:
        path = decision.path
        held = [parent[path] for parent in (left, right) if path in parent]
        if held:
            choices[path] = held[random.randrange(len(held))]
    return space.masked(choices)

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
from archscope.space.search_space import Decision, Genes, Space

TRIES = 500  # even draws for one feasible candidate
REPAIRS = 20  # of the nearest draws, if none of them is feasible
STEPS = 400  # candidates that one repair may look at
ENDS = 5  # values that stand for a decision without end


class Candidate(Struct, frozen=True):
    """A network of a space by its genes, with its costs."""

    genes: dict[str, Any]
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
        """Return the genes of any network, each with the same chance.

        Where networks cannot be counted, each value of each decision has the same chance.
        """
        if self.plan is not None:
            return {**self.space.defaults, **draw(self.plan, self.random)}
        return self.space.masked(random_genes(self.space, self.random))

    def feasible(self, tries: int = TRIES) -> Candidate:
        """Return a candidate inside the budgets, each with the same chance if draws find one.

        After `tries` draws the nearest of them are moved towards the budgets, decision by
        decision; then the chances are not the same. Raises OptionError if that fails, too: it
        always ends.
        """
        near: list[tuple[float, int, dict[str, Any]]] = []
        for number in range(tries):
            genes = self.any()
            costs = self.evaluate.masked(genes)
            beyond = violation(self.budgets, costs)
            if costs is not None and beyond == 0:
                return Candidate(genes, costs)
            near.append((beyond, number, genes))
        near.sort(key=lambda one: one[:2])
        for _, _, genes in near[:REPAIRS]:
            found = repair(self.space, self.budgets, genes, self.evaluate, self.random)
            if found is not None:
                return found
        listed = " and ".join(one.text for one in self.budgets)
        raise OptionError(
            f"no network of '{self.space.name}' was found inside {listed};"
            f" 'archscope space' says which decision to relax"
        )


def random_genes(space: Space, random: Random) -> dict[str, Any]:
    """Return a value for every decision, also for those that do not count."""
    return {one.path: draw_value(one, random) for one in space.decisions}


def repair(
    space: Space,
    budgets: Sequence[Budget],
    genes: Genes,
    evaluate: Evaluator,
    random: Random,
    steps: int = STEPS,
) -> Candidate | None:
    """Return a candidate inside the budgets, near the given one; None after `steps` candidates.

    Each step changes one decision to what brings the candidate nearer to the budgets.
    """
    genes = space.masked(genes)
    costs = evaluate(genes)
    beyond = violation(budgets, costs)
    while beyond > 0 or costs is None:
        moves = list(neighbours(space, genes))
        random.shuffle(moves)
        for path, value in moves:
            steps -= 1
            if steps < 0:
                return None
            moved = space.masked({**genes, path: value})
            there = evaluate.masked(moved)
            if violation(budgets, there) < beyond:
                genes, costs, beyond = moved, there, violation(budgets, there)
                break
        else:
            return None
    return Candidate(dict(genes), costs)


def neighbours(space: Space, genes: Genes) -> Iterator[tuple[str, Any]]:
    """Yield each other value of each decision that counts, with its path."""
    full = space.masked(genes)
    for one in space.counting(full):
        for value in alternatives(one):
            if value != full[one.path]:
                yield one.path, value


def alternatives(decision: Decision) -> tuple[Any, ...]:
    """Return the alternatives, or a few along the way where there is no end of them."""
    if decision.size is not None:
        return decision.values()
    low, high, log = decision.low, decision.high, decision.log
    parts = [place / (ENDS - 1) for place in range(ENDS)]
    if log:
        return tuple(low * (high / low) ** part for part in parts)
    return tuple(low + (high - low) * part for part in parts)


def mutate(space: Space, genes: Genes, random: Random, rate: float | None = None) -> dict[str, Any]:
    """Return genes with some decisions changed: at least one, each with the chance `rate`.

    Without a rate one change is expected. Decisions that begin to count are drawn.
    """
    counting = space.counting(genes)
    movable = [one for one in counting if one.size != 1]
    if not movable:
        return space.masked(genes)
    chance = 1 / len(movable) if rate is None else rate
    chosen = [one for one in movable if random.random() < chance]
    changed: dict[str, Any] = {}
    for one in chosen or [movable[random.randrange(len(movable))]]:
        value = draw_value(one, random)
        while value == genes[one.path]:
            value = draw_value(one, random)
        changed[one.path] = value
    kept = {one.path: genes[one.path] for one in counting}
    return space.masked({**random_genes(space, random), **kept, **changed})


def crossover(space: Space, one: Genes, other: Genes, random: Random) -> dict[str, Any]:
    """Return genes of which each is from either parent, from the one where it counts."""
    left, right = space.active(one), space.active(other)
    genes = random_genes(space, random)
    for decision in space.decisions:
        path = decision.path
        held = [parent[path] for parent in (left, right) if path in parent]
        if held:
            genes[path] = held[random.randrange(len(held))]
    return space.masked(genes)

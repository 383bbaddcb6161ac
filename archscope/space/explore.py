"""What a space holds: how many networks, what they cost, how many fit, what is in the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod, sqrt
from statistics import median
from typing import Any

from msgspec import Struct

from archscope.errors import SpecError
from archscope.ir import Shape
from archscope.language.holes import CHOICE
from archscope.space.budget import Budget, needs_peak, violation
from archscope.space.costs import MACS, PEAK, STATIC, Costs, Evaluator
from archscope.space.counting import Plan, every
from archscope.space.sampling import Candidate, Sampler, alternatives, repair
from archscope.space.search_space import Choices, Decision, Space, word

ENUMERABLE = 20_000  # networks that are looked at one by one
SAMPLES = 300
SWEEPS = 4
SURE = 1.96  # standard deviations on both sides of 95 %
Tell = Callable[[int, int], None]


class Range(Struct, frozen=True):
    """The costs of one kind that networks of a space have."""

    metric: str
    least: int
    middle: float | None  # None if it was not asked of those that were drawn
    most: int
    exact: (
        bool  # every network was looked at; else the ends were searched for, decision by decision
    )


class Share(Struct, frozen=True):
    """The share of networks inside the budgets."""

    share: float
    low: float  # of a 95 % confidence interval, Wilson 1927
    high: float
    inside: int  # of those looked at
    seen: int
    invalid: int  # of those seen: values that make no network
    exact: bool


class Relaxation(Struct, frozen=True):
    """How much a decision moves a cost where the space ends."""

    path: str  # with * where instances of one hole are moved together
    value: str  # which it has at the end
    step: float  # what the next value changes
    ordered: bool  # whether it is a number, of which there is always a further one


class Exploration(Struct, frozen=True):
    """The answers of `archscope space`."""

    inputs: tuple[tuple[Shape, ...], ...]  # of the smallest and the largest, once if they agree
    networks: int  # with a value of 1 for each decision without end
    endless: bool
    exact: bool  # whether the number is; else it is the most that there may be
    ranges: tuple[Range, ...]
    share: Share | None
    example: Candidate | None  # one inside the budgets
    blocking: tuple[Budget, ...]  # budgets that no network was found in
    relax: dict[str, tuple[Relaxation, ...]]  # by metric, what would help most first


def explore(
    space: Space,
    budgets: Sequence[Budget] = (),
    *,
    seed: int = 0,
    samples: int | None = None,
    dtype: str = "float32",
    tell: Tell = lambda done, of: None,
) -> Exploration:
    """Return what a space holds; the same for the same seed.

    Up to 20,000 networks are all looked at, unless `samples` says how many to draw. Raises
    SpecError if no values make a network.
    """
    static = [budget for budget in budgets if not budget.measured]
    evaluate = Evaluator(space, dtype, peak=needs_peak(static))
    sampler = Sampler(space, static, seed, evaluate)
    plan = sampler.plan
    exact = samples is None and plan is not None and space.certain
    whole = exact and not plan.endless and plan.count <= ENUMERABLE if plan else False
    costs: list[Costs | None] = []
    fitting: Candidate | None = None
    many = plan.count if whole and plan else SAMPLES if samples is None else samples
    for number, choices in enumerate(_all(plan, space) if whole else _drawn(sampler, many)):
        found = evaluate.masked(choices)
        costs.append(found)
        if fitting is None and found is not None and violation(static, found) == 0:
            fitting = Candidate(choices, found)
        if number % 100 == 0:
            tell(number, many)
    seen = [cost for cost in costs if cost is not None]
    if not seen:
        space.graph(sampler.any())  # which says what is wrong
        raise SpecError("no values of the decisions that were tried make a network", space.name)
    share = _share(costs, static, whole) if static else None
    ends = _ends(space, evaluate, sampler, fitting)
    ranges = tuple(_range(metric, seen, ends, whole) for metric in STATIC)
    blocking: tuple[Budget, ...] = ()
    relax: dict[str, tuple[Relaxation, ...]] = {}
    reachable = all(_within(one, ranges) for one in static)
    if static and fitting is None and not whole and reachable:
        fitting = _found(space, static, [*(ends.values()), *_nearest(sampler, static)], sampler)
    if static and fitting is None:
        blocking = tuple(one for one in static if not _within(one, ranges)) or tuple(static)
        for reason in blocking:
            relax[reason.metric] = relaxations(space, reason, ends)
    networks = plan.count if plan else prod(decision.size or 1 for decision in space.decisions)
    endless = plan.endless if plan else any(decision.size is None for decision in space.decisions)
    certain = plan is not None and space.certain
    both = (space.graph(ends[MACS, largest].choices).inputs for largest in (False, True))
    inputs = tuple(dict.fromkeys(tuple(node.out for node in nodes) for nodes in both))
    return Exploration(
        inputs,
        networks,
        endless,
        certain,
        ranges,
        share,
        fitting if static else None,
        blocking,
        relax,
    )


def _all(plan: Plan | None, space: Space) -> Iterable[dict[str, Any]]:
    assert plan is not None
    return ({**space.defaults, **choices} for choices in every(plan))


def _drawn(sampler: Sampler, many: int) -> Iterable[dict[str, Any]]:
    return (sampler.any() for _ in range(many))


def _share(costs: list[Costs | None], budgets: Sequence[Budget], whole: bool) -> Share:
    inside = sum(violation(budgets, cost) == 0 for cost in costs)
    invalid = sum(cost is None for cost in costs)
    seen = len(costs)
    low, high = (inside / seen,) * 2 if whole else wilson(inside, seen)
    return Share(inside / seen, low, high, inside, seen, invalid, whole)


def wilson(inside: int, seen: int) -> tuple[float, float]:
    """Return the ends of Wilson's 95 % interval (1927) for a share."""
    share, z = inside / seen, SURE
    middle = share + z * z / (2 * seen)
    spread = z * sqrt(share * (1 - share) / seen + z * z / (4 * seen * seen))
    scale = 1 + z * z / seen
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def _range(
    metric: str, seen: list[Costs], ends: dict[tuple[str, bool], Candidate], whole: bool
) -> Range:
    values = [value for one in seen if (value := getattr(one, metric)) is not None]
    found = [getattr(ends[metric, largest].costs, metric) for largest in (False, True)]
    exact = whole and len(values) == len(seen)
    middle = median(values) if values else None
    if exact:
        return Range(metric, min(values), middle, max(values), True)
    return Range(metric, min([found[0], *values]), middle, max([found[1], *values]), False)


def groups_of(space: Space) -> list[list[Decision]]:
    """Return the decisions in groups, those of one hole together."""
    groups: dict[Any, list[Decision]] = {}
    for decision in space.decisions:
        groups.setdefault(decision.at, []).append(decision)
    return list(groups.values())


def pattern(paths: Sequence[str]) -> str:
    """Return one path for several, with * for what differs."""
    split = [path.split(".") for path in paths]
    if len({len(parts) for parts in split}) > 1:
        last = {parts[-1] for parts in split}
        return f"*.{last.pop()}" if len(last) == 1 else "*"
    words = []
    for column in zip(*split, strict=True):
        if len(set(column)) == 1:
            words.append(column[0])
            continue
        heads = {word.rstrip("0123456789") for word in column}
        words.append(f"{heads.pop()}*" if len(heads) == 1 else "*")
    return ".".join(words)


def _ends(
    space: Space, evaluate: Evaluator, sampler: Sampler, fitting: Candidate | None
) -> dict[tuple[str, bool], Candidate]:
    """Return the networks at both ends of each cost, found by moving all instances of a hole."""
    ends: dict[tuple[str, bool], Candidate] = {}
    full = evaluate if evaluate.peak else Evaluator(space, evaluate.dtype, peak=True)
    for largest in (False, True):
        choices: Choices = fitting.choices if fitting else sampler.any()
        for metric in STATIC:
            ask = full if metric == PEAK else evaluate
            end = extreme(space, ask, metric, largest, choices)
            if end is None:
                continue
            ends[metric, largest] = end
            choices = end.choices
    if len(ends) < 2 * len(STATIC):
        raise SpecError("no values of the decisions that were tried make a network", space.name)
    return ends


def extreme(
    space: Space, evaluate: Evaluator, metric: str, largest: bool, start: Choices
) -> Candidate | None:
    """Return the network with the least or most of a cost that single moves lead to.

    All instances of a hole move together, or one by one those that choose what there is. None
    if no move makes a network.
    """
    sign = -1 if largest else 1

    def worth(costs: Costs | None) -> float:
        return float("inf") if costs is None else sign * float(getattr(costs, metric))

    # Decisions that do not count yet keep the value that they will have when they do.
    starts = [
        {decision.path: alternatives(decision)[end] for decision in space.decisions}
        for end in (0, -1)
    ]
    everything = min([dict(start), *starts], key=lambda choices: worth(evaluate(choices)))
    best = evaluate(everything)
    # A word that decides what else there is may be best at different values in each instance.
    alone = [
        decision
        for decision in space.decisions
        if decision.path in space.controlling and not ordered(decision)
    ]
    moves = [*groups_of(space), *([one] for one in alone)]
    for _ in range(SWEEPS):
        before = worth(best)
        for group in moves:
            for value in alternatives(group[0]):
                trial = {**everything, **{one.path: value for one in group if one.takes(value)}}
                costs = evaluate(trial)
                if worth(costs) < worth(best):
                    best, everything = costs, trial
        if worth(best) == before:
            break
    return None if best is None else Candidate(space.masked(everything), best)


def _nearest(sampler: Sampler, budgets: Sequence[Budget]) -> list[Candidate]:
    """Return the candidates known so far that are nearest to the budgets."""
    paths = [decision.path for decision in sampler.space.decisions]
    known = [
        Candidate(dict(zip(paths, key, strict=True)), costs)
        for key, costs in sampler.evaluate.known.items()
        if costs is not None
    ]
    return sorted(known, key=lambda one: violation(budgets, one.costs))[:5]


def _found(
    space: Space, budgets: Sequence[Budget], starts: Sequence[Candidate], sampler: Sampler
) -> Candidate | None:
    for start in starts:
        costs = sampler.evaluate(start.choices)
        if violation(budgets, costs) == 0 and costs is not None:
            return Candidate(start.choices, costs)
    for start in reversed(starts):
        found = repair(space, budgets, start.choices, sampler.evaluate, sampler.random)
        if found is not None:
            return found
    return None


def _within(budget: Budget, ranges: Sequence[Range]) -> bool:
    """Return whether a budget alone overlaps what networks of the space cost."""
    one = next(one for one in ranges if one.metric == budget.metric)
    low = budget.most is None or one.least <= budget.most
    return low and (budget.least is None or one.most >= budget.least)


def relaxations(
    space: Space, budget: Budget, ends: dict[tuple[str, bool], Candidate]
) -> tuple[Relaxation, ...]:
    """Return the decisions that move a cost most at the end of the space next to a budget."""
    metric = budget.metric
    smallest = ends[metric, False]
    largest = budget.most is None or getattr(smallest.costs, metric) <= budget.most
    end = ends[metric, largest]
    evaluate = Evaluator(space, peak=metric == PEAK)
    base = evaluate(end.choices)
    assert base is not None
    found = []
    active = space.active(end.choices)
    for group in groups_of(space):
        counting = [one for one in group if one.path in active]
        if not counting:
            continue
        steps = []
        for value in alternatives(counting[0]):
            if value == end.choices[counting[0].path]:
                continue
            moved = evaluate({**end.choices, **{decision.path: value for decision in counting}})
            if moved is not None:
                steps.append(abs(getattr(moved, metric) - getattr(base, metric)))
        step = min((step for step in steps if step), default=0)
        if step:
            held = {_label(decision, end.choices[decision.path]) for decision in counting}
            path = pattern([decision.path for decision in counting])
            shown = " or ".join(sorted(held))
            found.append(Relaxation(path, shown, float(step), ordered(group[0])))
    numbers = [one for one in found if one.ordered] or found
    return tuple(sorted(numbers, key=lambda number: -number.step)[:3])


def ordered(decision: Decision) -> bool:
    """Return whether a decision is about a number."""
    if decision.kind != CHOICE:
        return True
    scalars = not decision.labels and not any(
        isinstance(alternative, bool) for alternative in decision.alternatives
    )
    return scalars and all(
        isinstance(alternative, int | float) for alternative in decision.alternatives
    )


def _label(decision: Decision, choice: Any) -> str:
    if decision.labels:
        return str(decision.labels[choice])
    return word(choice)

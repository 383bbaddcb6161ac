"""Explore a search space: how many networks it has, what they cost and how many fit a budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from statistics import median
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from archscope.errors import SpecError
from archscope.ir import Shape
from archscope.language.value import CHOICE
from archscope.latency.profile import Profile
from archscope.metrics import MACS, static_metrics
from archscope.space.budget import Budget, violation
from archscope.space.budget import cost_model as cost_model_of
from archscope.space.costs import CostModel, Costs
from archscope.space.counting import Plan, every
from archscope.space.decisions import Choices, Decision, word
from archscope.space.feasible_share import FeasibleShare, counted_share, evaluated_share
from archscope.space.sampling import Candidate, Sampler, alternatives, repair
from archscope.space.search_space import Space

if TYPE_CHECKING:
    from archscope.space.budget_counting import Count

ENUMERABLE = 20_000  # spaces of at most this many networks are evaluated completely
SAMPLES = 300
SWEEPS = 4
Progress = Callable[[int, int], None]
"""Called with the numbers of evaluated networks and of all to evaluate."""

Ends = dict[tuple[str, bool], Candidate]
"""The networks with the least (False) and the most (True) of each metric."""


class CostRange(Struct, frozen=True):
    """The values of one metric over the networks of a space."""

    metric: str  # its key in `Costs`
    least: float
    middle: float | None  # the median; None if the metric was not computed for drawn networks
    most: float
    exact: bool  # over all networks; otherwise the ends were found by coordinate descent


class Relaxation(Struct, frozen=True):
    """How much a decision changes a metric at an end of the space."""

    path: str  # with * if instances of a hole change together
    value: str  # its value at the end
    step: float  # the change by the next value
    ordered: bool  # whether the decision is numeric


class Exploration(Struct, frozen=True):
    """The result of `archscope space`."""

    inputs: tuple[tuple[Shape, ...], ...]  # of the smallest and the largest, or one if equal
    networks: int  # a continuous decision counts as one value
    endless: bool  # whether there is a continuous decision
    exact: bool  # whether `networks` is exact; otherwise it is an upper bound
    ranges: tuple[CostRange, ...]
    share: FeasibleShare | None
    counts: tuple[Count, ...]  # how many networks fit each budget, if that can be counted
    example: Candidate | None  # a network within the budgets
    blocking: tuple[Budget, ...]  # budgets for which no network was found
    relax: dict[str, tuple[Relaxation, ...]]  # by cost, the most effective first
    evaluated: int  # combinations of choices, all of them or some that were drawn
    invalid: int  # of these, those that make no network


def explore(
    space: Space,
    limits: Sequence[Budget] = (),
    *,
    seed: int = 0,
    samples: int | None = None,
    dtype: str = "float32",
    profile: Profile | None = None,
    progress: Progress = lambda done, of: None,
) -> Exploration:
    """Explore a space; reproducible for a seed. `profile` adds predicted latency.

    Spaces of up to 20,000 networks are enumerated, unless `samples` gives a number to draw. Raises
    SpecError if no choices make a network.
    """
    static = [limit for limit in limits if not limit.measured]
    cost_model = cost_model_of(space, static, dtype, profile=profile)
    sampler = Sampler(space, static, seed, cost_model)
    plan = sampler.plan
    counted = plan is not None and space.certain
    enumerated = _enumerable(plan) if counted and samples is None else None
    if enumerated is not None:
        candidates: Iterable[dict[str, Any]] = _all(enumerated, space)
        total = enumerated.count
    else:
        total = SAMPLES if samples is None else samples
        candidates = (sampler.any() for _ in range(total))
    costs, example = _evaluate(candidates, total, cost_model, static, progress)
    priced = [cost for cost in costs if cost is not None]
    if not priced:
        space.graph(sampler.any())  # raises the error
        raise _no_network(space)
    exact = enumerated is not None
    ends = _ends(space, cost_model, sampler, example, priced[0])
    ranges = tuple(_range(name, priced, ends, exact) for name in _cost_names(cost_model))
    share = evaluated_share(costs, static, exact) if static else None
    known = None if exact or plan is None else counted_share(space, plan, static, cost_model, seed)
    if known is not None:
        share, example = known.share, example or known.example
    possible = [limit for limit in static if _overlaps(limit, ranges)]
    if static and example is None and not exact and len(possible) == len(static):
        example = _search(space, static, [*ends.values(), *_nearest(sampler, static)], sampler)
    blocking: tuple[Budget, ...] = ()
    if static and example is None:
        blocking = tuple(limit for limit in static if limit not in possible) or tuple(static)
    return Exploration(
        inputs=_inputs(space, ends),
        networks=plan.count if plan else prod(decision.size or 1 for decision in space.decisions),
        endless=any(decision.size is None for decision in space.decisions)
        if plan is None
        else plan.endless,
        exact=counted,
        ranges=ranges,
        share=share,
        counts=() if known is None else known.counts,
        example=example if static else None,
        blocking=blocking,
        relax={limit.cost: relaxations(space, limit, ends, dtype) for limit in blocking},
        evaluated=len(costs),
        invalid=len(costs) - len(priced),
    )


def _cost_names(cost_model: CostModel) -> list[str]:
    """Return the costs to explore: all static metrics, and those that only a budget needs."""
    names = [metric.name for metric in static_metrics()]
    return list(dict.fromkeys([*names, *(extra.name for extra in cost_model.extras)]))


def _enumerable(plan: Plan | None) -> Plan | None:
    """Return the plan if its networks are few enough to evaluate them all."""
    small = plan is not None and not plan.endless and plan.count <= ENUMERABLE
    return plan if small else None


def _all(plan: Plan, space: Space) -> Iterable[dict[str, Any]]:
    return ({**space.defaults, **choices} for choices in every(plan))


def _evaluate(
    candidates: Iterable[dict[str, Any]],
    total: int,
    cost_model: CostModel,
    limits: Sequence[Budget],
    progress: Progress,
) -> tuple[list[Costs | None], Candidate | None]:
    """Return the costs of candidates, and the first candidate within the budgets."""
    costs: list[Costs | None] = []
    example: Candidate | None = None
    for number, choices in enumerate(candidates):
        found = cost_model.masked(choices)
        costs.append(found)
        if example is None and found is not None and violation(limits, found) == 0:
            example = Candidate(choices, found)
        if number % 100 == 0:
            progress(number, total)
    return costs, example


def _no_network(space: Space) -> SpecError:
    return SpecError("none of the tried choices makes a valid network", space.name)


def _inputs(space: Space, ends: Ends) -> tuple[tuple[Shape, ...], ...]:
    """Return the input shapes of the networks with the least and the most macs."""
    nodes = [space.graph(ends[MACS, largest].choices).inputs for largest in (False, True)]
    return tuple(dict.fromkeys(tuple(node.out for node in inputs) for inputs in nodes))


def _range(metric: str, known: list[Costs], ends: Ends, exact: bool) -> CostRange:
    values = [costs[metric] for costs in known if metric in costs]
    middle = median(values) if values else None
    if exact and len(values) == len(known):
        return CostRange(metric, min(values), middle, max(values), True)
    least, most = (ends[metric, largest].costs[metric] for largest in (False, True))
    return CostRange(metric, min([least, *values]), middle, max([most, *values]), False)


def groups_of(space: Space) -> list[list[Decision]]:
    """Group decisions so that all instances of a hole are together."""
    groups: dict[Any, list[Decision]] = {}
    for decision in space.decisions:
        groups.setdefault(decision.at, []).append(decision)
    return list(groups.values())


def pattern(paths: Sequence[str]) -> str:
    """Return a pattern that matches several paths: `a.b*.c` for `a.b0.c` and `a.b1.c`."""
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
    space: Space,
    cost_model: CostModel,
    sampler: Sampler,
    example: Candidate | None,
    known: Costs,
) -> Ends:
    """Return the networks at both ends of each metric, found by coordinate descent.

    `known` are the costs of any network by the cost model; others need a graph.
    """
    ends: Ends = {}
    with_graphs = CostModel(space, cost_model.dtype, graphs=True)
    for largest in (False, True):
        choices: Choices = example.choices if example else sampler.any()
        for name in _cost_names(cost_model):
            model = cost_model if name in known else with_graphs
            end = extreme(space, model, name, largest, choices)
            if end is None:
                raise _no_network(space)
            ends[name, largest] = end
            choices = end.choices
    return ends


def extreme(
    space: Space, cost_model: CostModel, metric: str, largest: bool, start: Choices
) -> Candidate | None:
    """Return the network with the least or the most of a metric, found by coordinate descent.

    All instances of a hole change together; categorical decisions that control others also change
    individually. None if no change makes a network.
    """
    sign = -1 if largest else 1

    def loss(costs: Costs | None) -> float:
        return float("inf") if costs is None else sign * costs[metric]

    # Inactive decisions keep the value for when they become active.
    starts = [
        {decision.path: alternatives(decision)[end] for decision in space.decisions}
        for end in (0, -1)
    ]
    choices = min([dict(start), *starts], key=lambda choices: loss(cost_model(choices)))
    best = cost_model(choices)
    # A categorical decision that controls others may have different optima in each instance.
    alone = [
        decision
        for decision in space.decisions
        if decision.path in space.controlling and not ordered(decision)
    ]
    moves = [*groups_of(space), *([decision] for decision in alone)]
    for _ in range(SWEEPS):
        before = loss(best)
        for group in moves:
            for value in alternatives(group[0]):
                taking = [decision.path for decision in group if decision.takes(value)]
                trial = choices | dict.fromkeys(taking, value)
                costs = cost_model(trial)
                if loss(costs) < loss(best):
                    best, choices = costs, trial
        if loss(best) == before:
            break
    return None if best is None else Candidate(space.masked(choices), best)


def _nearest(sampler: Sampler, limits: Sequence[Budget]) -> list[Candidate]:
    """Return the candidates closest to the budgets among those evaluated so far."""
    paths = [decision.path for decision in sampler.space.decisions]
    known = [
        Candidate(dict(zip(paths, key, strict=True)), costs)
        for key, costs in sampler.cost_model.known.items()
        if costs is not None
    ]
    return sorted(known, key=lambda candidate: violation(limits, candidate.costs))[:5]


def _search(
    space: Space, limits: Sequence[Budget], starts: Sequence[Candidate], sampler: Sampler
) -> Candidate | None:
    """Return a candidate within the budgets, one of the starts or repaired from one, if any."""
    for start in starts:
        costs = sampler.cost_model(start.choices)
        if violation(limits, costs) == 0 and costs is not None:
            return Candidate(start.choices, costs)
    for start in reversed(starts):
        found = repair(space, limits, start.choices, sampler.cost_model, sampler.random)
        if found is not None:
            return found
    return None


def _overlaps(limit: Budget, ranges: Sequence[CostRange]) -> bool:
    """Return whether the range of the metric in the space overlaps a budget."""
    span = next(span for span in ranges if span.metric == limit.cost)
    low = limit.most is None or span.least <= limit.most
    return low and (limit.least is None or span.most >= limit.least)


def relaxations(
    space: Space, limit: Budget, ends: Ends, dtype: str = "float32"
) -> tuple[Relaxation, ...]:
    """Return the decisions that change a metric most, at the end of the space next to a budget."""
    metric = limit.cost
    largest = limit.most is None or ends[metric, False].costs[metric] <= limit.most
    end = ends[metric, largest]
    cost_model = cost_model_of(space, [limit], dtype)
    base = end.costs[metric]
    found = []
    active = space.active(end.choices)
    for group in groups_of(space):
        moving = [decision for decision in group if decision.path in active]
        if not moving:
            continue
        steps = []
        for value in alternatives(moving[0]):
            if value == end.choices[moving[0].path]:
                continue
            moved = cost_model({**end.choices, **{decision.path: value for decision in moving}})
            if moved is not None:
                steps.append(abs(moved[metric] - base))
        step = min((step for step in steps if step), default=0)
        if step:
            held = {_label(decision, end.choices[decision.path]) for decision in moving}
            path = pattern([decision.path for decision in moving])
            values = " or ".join(sorted(held))
            found.append(Relaxation(path, values, float(step), ordered(group[0])))
    numbers = [relaxation for relaxation in found if relaxation.ordered] or found
    return tuple(sorted(numbers, key=lambda relaxation: -relaxation.step)[:3])


def ordered(decision: Decision) -> bool:
    """Return whether all alternatives of a decision are numbers."""
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

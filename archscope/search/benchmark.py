"""Search quality as a number: policies on a table of networks that were really trained."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

from msgspec import Struct

from archscope.analysis.canonical import canonical
from archscope.errors import OptionError, UnavailableError
from archscope.ir import Graph
from archscope.language import document
from archscope.records.study import Job, Trial, Verdict
from archscope.search.samplers import EVOLUTION, NSGA, RANDOM, TPE, UNIFORM
from archscope.search.study import Plan, Study
from archscope.space.budget import Budget
from archscope.space.search_space import Space, space

POLICIES = (TPE, EVOLUTION, NSGA, RANDOM, UNIFORM)
MARKS = (25, 50, 100)
RESAMPLES = 2000
"""Of the bootstrap for the confidence of a mean."""


class Curve(Struct, frozen=True):
    """The regret of one policy with one seed: points to the best network, after each payment."""

    policy: str
    seed: int
    regret: tuple[float, ...]
    asks: int
    hypervolume: float


class Quality(Struct, frozen=True):
    """A policy over many seeds."""

    policy: str
    seeds: int
    regret: dict[int, float]  # mean, after so many payments
    low: float  # 95 % interval of the last of them
    high: float
    hypervolume: float  # of the true one, accuracy against macs below the budget
    asks: float  # answers for each payment, the free ones with them


class Table:
    """Scores of networks by digest: equal networks have the mean of their rows."""

    def __init__(
        self, space_: Space, scores: Mapping[str, float], costs: Mapping[str, int]
    ) -> None:
        self.space, self.scores, self.costs = space_, scores, costs


def read(path: Path, space_: Space, column: str = "mean_acc") -> Table:
    """Return a table of real results: `arch` has one digit for each decision, in order.

    Raises ArchscopeError if the file is missing, has no such columns, or is of another space.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise UnavailableError(f"cannot read '{path}': {error.strerror}") from None
    wanted = {"arch", column}
    if not rows or not wanted <= rows[0].keys():
        has = ", ".join(rows[0]) if rows else "nothing"
        raise OptionError(f"{path}: needs the columns arch and {column}, has {has}")
    together: dict[str, list[float]] = {}
    costs: dict[str, int] = {}
    for line, row in enumerate(rows, 2):
        graph = space_.graph(_choices(space_, row["arch"], f"{path}:{line}"))
        digest = canonical(graph)
        try:
            together.setdefault(digest, []).append(float(row[column]))
        except ValueError:
            raise OptionError(
                f"{path}:{line}: {column} must be a number, got '{row[column]}'"
            ) from None
        costs[digest] = sum(facts.macs for facts in graph.facts.values())
    return Table(space_, {digest: fmean(values) for digest, values in together.items()}, costs)


def _choices(space_: Space, arch: str, where: str) -> dict[str, Any]:
    if len(arch) != len(space_.decisions) or not arch.isdigit():
        raise OptionError(
            f"{where}: arch must have a digit for each of the {len(space_.decisions)} decisions"
            f" of '{space_.name}', got '{arch}'"
        )
    choices = {}
    for one, digit in zip(space_.decisions, arch, strict=True):
        values = one.values()
        if int(digit) >= len(values):
            raise OptionError(
                f"{where}: '{one.path}' has {len(values)} alternatives, got '{digit}'"
            )
        choices[one.path] = values[int(digit)]
    return choices


class Lookup:
    """A judge that looks scores up."""

    def __init__(self, scores: Mapping[str, float]) -> None:
        self.scores = scores
        self.waiting: list[Verdict] = []

    def submit(self, job: Job, graph: Graph) -> None:
        """Answer at once."""
        self.waiting.append(Verdict(job.number, "trained", self.scores[job.digest]))

    def collect(self) -> Verdict:
        """Return the oldest answer."""
        return self.waiting.pop(0)

    def close(self, at_once: bool = False) -> None:
        """Forget what was not asked for."""
        self.waiting.clear()


def compare(
    table: Path,
    spec: str,
    budgets: Sequence[Budget],
    *,
    policies: Sequence[str] = POLICIES,
    paid: int = 100,
    seeds: int = 12,
    workers: int = 1,
    column: str = "mean_acc",
    progress: Callable[[str], None] = lambda text: None,
) -> list[Quality]:
    """Return how well policies search a table, the mean over seeds with a bootstrap interval."""
    tasks = [(table, spec, tuple(budgets), p, seed, paid, column) for p in policies
             for seed in range(seeds)]  # fmt: skip
    curves: list[Curve] = []
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            for curve in pool.map(_one, tasks):
                curves.append(curve)
                progress(f"{curve.policy}, seed {curve.seed}")
    else:
        for task in tasks:
            curves.append(_one(task))
            progress(f"{curves[-1].policy}, seed {curves[-1].seed}")
    return [
        _quality([curve for curve in curves if curve.policy == policy], paid) for policy in policies
    ]


_TABLES: dict[tuple[Path, str, str], Table] = {}


def _one(task: tuple[Path, str, tuple[Budget, ...], str, int, int, str]) -> Curve:
    path, spec, budgets, policy, seed, paid, column = task
    key = path, spec, column
    if key not in _TABLES:
        _TABLES[key] = read(path, space(document(spec)), column)
    table = _TABLES[key]
    limits = [budget for budget in budgets if budget.metric == "macs"]
    inside = {
        digest: score
        for digest, score in table.scores.items()
        if all(limit.most is None or table.costs[digest] <= limit.most for limit in limits)
    }
    best = max(inside.values())
    found = Study(
        table.space, Plan(budgets=budgets, sampler=policy, seed=seed, lag=1), Lookup(table.scores)
    )
    found.run(paid)
    judged = [trial for trial in found.trials if trial.paid]
    return Curve(
        policy, seed, _regret(judged, best), len(found.trials), _hypervolume(judged, inside, table)
    )


def _regret(trials: Sequence[Trial], best: float) -> tuple[float, ...]:
    reached = -float("inf")
    regret = []
    for trial in trials:
        reached = max(reached, trial.values[0])
        regret.append(best - reached)
    return tuple(regret)


def _hypervolume(trials: Sequence[Trial], inside: Mapping[str, float], table: Table) -> float:
    """Return the area that the found networks dominate, as a share of what all dominate."""
    low = min(inside.values())
    high = max(table.costs[digest] for digest in inside)
    area = _area([(trial.costs["macs"], trial.values[0]) for trial in trials], high, low)
    whole = _area([(table.costs[d], score) for d, score in inside.items()], high, low)
    return area / whole if whole else 1.0


def _area(points: Sequence[tuple[float, float]], high: float, low: float) -> float:
    area, reached = 0.0, low
    steps = []
    for cost, score in sorted(points):
        if score > reached and cost <= high:
            steps.append((cost, score))
            reached = score
    ends = [cost for cost, _ in steps[1:]] + [high]
    for (cost, score), end in zip(steps, ends, strict=True):
        area += (end - cost) * (score - low)
    return area


def _quality(curves: Sequence[Curve], paid: int) -> Quality:
    marks = sorted({*(mark for mark in MARKS if mark <= paid), paid})
    regret = {
        mark: fmean(curve.regret[min(mark, len(curve.regret)) - 1] for curve in curves)
        for mark in marks
    }
    last = [curve.regret[-1] for curve in curves]
    low, high = interval(last)
    return Quality(
        curves[0].policy,
        len(curves),
        regret,
        low,
        high,
        fmean(curve.hypervolume for curve in curves),
        fmean(curve.asks / len(curve.regret) for curve in curves),
    )


def interval(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of a mean, by the bootstrap (Efron 1979)."""
    random = Random(seed)  # noqa: S311 nothing secret is drawn
    means = sorted(fmean(random.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES) - 1]

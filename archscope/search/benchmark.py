"""Search quality as a number: samplers replayed on a table of networks that were really trained."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import lru_cache, partial
from pathlib import Path
from statistics import fmean
from typing import Any

from msgspec import Struct, field

from archscope.analysis.canonical import canonical
from archscope.errors import OptionError, UnavailableError
from archscope.ir import Graph
from archscope.language import document
from archscope.metrics import MACS
from archscope.records.study import Job, Trial, TrialResult
from archscope.search.samplers import SAMPLERS
from archscope.search.strategy import Strategy
from archscope.search.study import Study
from archscope.space.budget import Budget, violation, with_edge
from archscope.space.costs import Costs, costs_of
from archscope.space.search_space import Space, space
from archscope.stats import bootstrap_interval

MARKS = (16, 25, 50, 100)
"""Numbers of trained networks after which regret is told."""


class RegretCurve(Struct, frozen=True):
    """The simple regret of one sampler with one seed, after each network that was trained."""

    sampler: str
    seed: int
    regret: tuple[float, ...]  # distance to the best score inside the budgets
    proposals: int  # networks proposed, those that cost no training included
    hypervolume: float  # of the found networks, as a share of the true one


class SamplerQuality(Struct, frozen=True):
    """How well a sampler searches a table, over several seeds."""

    sampler: str = field(name="policy")
    seeds: int
    regret: dict[int, float]  # mean, after so many trained networks
    low: float  # 95 % interval of the last of them
    high: float
    hypervolume: float  # mean, as a share of the true one: score against macs inside the budgets
    proposals: float = field(name="asks")  # for each network that is trained


class TabularBenchmark(Struct, frozen=True):
    """The networks of a space by digest, with their scores and costs.

    Equal networks share one score, the mean of their rows. Their costs may differ, by branches
    that nothing reads.
    """

    space: Space
    scores: Mapping[str, float]
    costs: Mapping[str, Sequence[Costs]]

    def inside(self, limits: Sequence[Budget]) -> list[tuple[float, float]]:
        """Return macs and score of the networks inside the budgets.

        Raises OptionError if there is none.
        """
        found = [
            (costs[MACS], self.scores[digest])
            for digest, rows in self.costs.items()
            for costs in rows
            if violation(limits, costs) == 0
        ]
        if not found:
            listed = " and ".join(limit.text for limit in limits)
            raise OptionError(f"no network of the table is inside {listed}")
        return found


def read_table(path: Path, networks: Space, column: str = "mean_acc") -> TabularBenchmark:
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
    scores: dict[str, list[float]] = {}
    costs: dict[str, list[Costs]] = {}
    for line, row in enumerate(rows, 2):
        graph = networks.graph(_choices(networks, row["arch"], f"{path}:{line}"))
        digest = canonical(graph)
        try:
            scores.setdefault(digest, []).append(float(row[column]))
        except ValueError:
            raise OptionError(
                f"{path}:{line}: {column} must be a number, got '{row[column]}'"
            ) from None
        costs.setdefault(digest, []).append(costs_of(graph))
    means = {digest: fmean(values) for digest, values in scores.items()}
    return TabularBenchmark(networks, means, costs)


def _choices(networks: Space, arch: str, where: str) -> dict[str, Any]:
    if len(arch) != len(networks.decisions) or not arch.isdigit():
        raise OptionError(
            f"{where}: arch must have a digit for each of the {len(networks.decisions)} decisions"
            f" of '{networks.name}', got '{arch}'"
        )
    choices = {}
    for decision, digit in zip(networks.decisions, arch, strict=True):
        values = decision.values()
        if int(digit) >= len(values):
            raise OptionError(
                f"{where}: '{decision.path}' has {len(values)} alternatives, got '{digit}'"
            )
        choices[decision.path] = values[int(digit)]
    return choices


class TableLookup:
    """Answers each job with the score that the table has of its network."""

    def __init__(self, scores: Mapping[str, float]) -> None:
        self.scores = scores
        self.waiting: list[TrialResult] = []

    def submit(self, job: Job, graph: Graph) -> None:
        """Look a network up."""
        self.waiting.append(TrialResult(job.number, "trained", self.scores[job.digest]))

    def collect(self) -> TrialResult:
        """Return the oldest answer."""
        return self.waiting.pop(0)

    def close(self, at_once: bool = False) -> None:
        """Forget the answers that were not collected."""
        self.waiting.clear()


def compare_samplers(
    table: Path,
    spec: str,
    limits: Sequence[Budget],
    *,
    edge: float = 0.0,
    samplers: Sequence[str] = SAMPLERS,
    trials: int = 100,
    seeds: int = 12,
    workers: int = 1,
    column: str = "mean_acc",
    progress: Callable[[str], None] = lambda text: None,
) -> list[SamplerQuality]:
    """Return how well samplers search a table, the mean over seeds with a bootstrap interval.

    Regret is to the best network inside `limits`; searches keep to the lower `edge` of a single
    budget as well. Raises OptionError for a budget that must be measured, as a table has no
    networks to run, and ArchscopeError if the table cannot be read.
    """
    for limit in limits:
        if limit.measured:
            why = f"a table tells no {limit.metric}, which must be measured"
            raise OptionError(f"cannot hold the budget '{limit.text}': {why}")
    runs = [(sampler, seed) for sampler in samplers for seed in range(seeds)]
    search = partial(_search, (table, spec, column), tuple(limits), edge, trials)
    curves: list[RegretCurve] = []
    with ProcessPoolExecutor(workers) if workers > 1 else nullcontext() as pool:
        for curve in pool.map(search, runs) if pool else map(search, runs):
            curves.append(curve)
            progress(f"{curve.sampler}, seed {curve.seed}")
    return [
        _quality([curve for curve in curves if curve.sampler == sampler], trials)
        for sampler in samplers
    ]


@lru_cache(maxsize=1)
def _table(path: Path, spec: str, column: str) -> TabularBenchmark:
    """Return a table that this process may have read already."""
    return read_table(path, space(document(spec)), column)


def _search(
    source: tuple[Path, str, str],
    limits: tuple[Budget, ...],
    edge: float,
    trials: int,
    run: tuple[str, int],
) -> RegretCurve:
    """Run one search of a table: a sampler with a seed."""
    sampler, seed = run
    table = _table(*source)
    inside = table.inside(limits)
    strategy = Strategy(budgets=with_edge(limits, edge), sampler=sampler, seed=seed)
    study = Study(table.space, strategy, TableLookup(table.scores))
    study.run(trials)
    trained = [trial for trial in study.trials if trial.trained]
    regret = _regret(trained, max(score for _, score in inside))
    hypervolume = _hypervolume(trained, inside)
    return RegretCurve(sampler, seed, regret, len(study.trials), hypervolume)


def _regret(trials: Sequence[Trial], best: float) -> tuple[float, ...]:
    reached = -float("inf")
    regret = []
    for trial in trials:
        reached = max(reached, trial.values[0])
        regret.append(best - reached)
    return tuple(regret)


def _hypervolume(trials: Sequence[Trial], inside: Sequence[tuple[float, float]]) -> float:
    """Return the area that the found networks dominate, as a share of what all dominate.

    Score against macs. The reference point is the lowest score and the most macs inside the
    budgets.
    """
    low, high = min(score for _, score in inside), max(macs for macs, _ in inside)
    area = _area([(trial.costs[MACS], trial.values[0]) for trial in trials], high, low)
    whole = _area(inside, high, low)
    return area / whole if whole else 1.0


def _area(points: Sequence[tuple[float, float]], high: float, low: float) -> float:
    """Return the area that points of cost and score dominate below a cost and above a score."""
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


def _quality(curves: Sequence[RegretCurve], trials: int) -> SamplerQuality:
    marks = sorted({*(mark for mark in MARKS if mark <= trials), trials})
    low, high = bootstrap_interval([curve.regret[-1] for curve in curves])
    return SamplerQuality(
        sampler=curves[0].sampler,
        seeds=len(curves),
        regret={
            mark: fmean(curve.regret[min(mark, len(curve.regret)) - 1] for curve in curves)
            for mark in marks
        },
        low=low,
        high=high,
        hypervolume=fmean(curve.hypervolume for curve in curves),
        proposals=fmean(curve.proposals / len(curve.regret) for curve in curves),
    )

"""Measure search quality: replay samplers on a table of networks that were really trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import lru_cache, partial
from itertools import accumulate
from pathlib import Path
from random import Random
from statistics import fmean, stdev
from typing import Any

from msgspec import Struct, field

from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.language import document
from archscope.metrics import MACS
from archscope.records.study import Job, TrialResult
from archscope.search.anchors import anchors
from archscope.search.benchmark.nearest_rows import NearestRows
from archscope.search.benchmark.tables import Table, read_table
from archscope.search.benchmark.truth import Known, Truth
from archscope.search.prior_model import STARTS_WITH_PRIOR, PriorModel
from archscope.search.priors import load
from archscope.search.samplers import SAMPLERS
from archscope.search.strategy import Strategy
from archscope.search.study import Study
from archscope.space.budget import Budget, with_edge
from archscope.space.search_space import space
from archscope.stats import bootstrap_interval, dominated_area

MARKS = (16, 25, 50, 100)
"""Numbers of trained networks at which regret is reported."""


class RegretCurve(Struct, frozen=True):
    """The simple regret of a sampler with one seed, after each trained network."""

    sampler: str
    seed: int
    regret: tuple[float, ...]  # distance to the best score within the budgets
    proposals: int  # proposed networks, including those that needed no training
    hypervolume: float | None  # of the found networks, relative to the true one; None: unknown


class SamplerQuality(Struct, frozen=True):
    """How well a sampler searches a table, over several seeds."""

    sampler: str = field(name="policy")
    seeds: int
    regret: dict[int, float]  # mean, by number of trained networks
    spread: dict[int, float | None]  # standard deviation over seeds; None for a single seed
    low: float  # 95 % interval of the final regret
    high: float
    hypervolume: float | None  # mean, relative to the true one: score against macs inside
    proposals: float = field(name="asks")  # per trained network


class Comparison(Struct, frozen=True):
    """How well samplers search a table or a model of it."""

    about: tuple[str, ...]  # what they search, and what regret is relative to
    samplers: list[SamplerQuality]


class Source(Struct, frozen=True):
    """The source of the true scores of a benchmark."""

    table: Path
    spec: str
    column: str = "mean_acc"
    model: str = ""  # the kind of model of `fitted.py` to fit to the table, if any
    prior: str = ""  # the prior of the samplers, by name or file, if any


class Answers:
    """An executor that answers each job with the true score of its network, plus noise."""

    def __init__(self, truth: Truth, noise: float, seed: int) -> None:
        self.truth, self.noise, self.seed = truth, noise, seed
        self.waiting: list[TrialResult] = []
        self.true: dict[int, float] = {}  # by number of the trial
        self.choices: dict[str, Any] = {}

    def network(self, choices: dict[str, Any]) -> Graph:
        """Return the network of the next job."""
        self.choices = choices
        return self.truth.space.graph(choices)

    def submit(self, job: Job, graph: Graph) -> None:
        """Look up the score of a network."""
        score = self.true[job.number] = self.truth.score(self.choices, job.digest)
        if self.noise:
            random = Random(f"{self.seed} {job.digest}")  # noqa: S311 nothing secret is drawn
            score += random.gauss(0, self.noise)
        self.waiting.append(TrialResult(job.number, "trained", score))

    def collect(self) -> TrialResult:
        """Return the oldest answer."""
        return self.waiting.pop(0)

    def close(self, at_once: bool = False) -> None:
        """Drop the answers that were not collected."""
        self.waiting.clear()


def compare_samplers(
    source: Source,
    limits: Sequence[Budget] = (),
    *,
    edge: float = 0.0,
    samplers: Iterable[str] = SAMPLERS,
    trials: int = 100,
    seeds: int = 12,
    noise: float = 0.0,
    workers: int = 1,
    progress: Callable[[str], None] = lambda text: None,
) -> Comparison:
    """Compare how well samplers search a table or a model of it, over several seeds.

    Searches have the settings of `archscope search`: anchors, a lag, a share of uniform draws, and
    the lower `edge` of a single budget. Regret is the best true score within `limits`, without that
    edge, minus the best true score among the trained networks; samplers see scores with normal
    `noise`. Raises OptionError for a measured budget, as there are no networks to run, and
    ArchscopeError if the table cannot be read.
    """
    for limit in limits:
        if limit.measured:
            why = f"{limit.metric} must be measured, which a table cannot"
            raise OptionError(f"cannot hold the budget '{limit.text}': {why}")
    truth, known = truth_of(source), known_of(source, tuple(limits))
    prior_of(source)  # load all three before forking, so that workers inherit them
    runs = [(sampler, seed) for sampler in samplers for seed in range(seeds)]
    search = partial(_search, source, tuple(limits), edge, trials, noise)
    curves: list[RegretCurve] = []
    with ProcessPoolExecutor(workers) if workers > 1 else nullcontext() as pool:
        for curve in pool.map(search, runs) if pool else map(search, runs):
            curves.append(curve)
            progress(f"{curve.sampler}, seed {curve.seed}")
    noisy = (f"samplers are told scores with normal noise of {noise:g}",) if noise else ()
    return Comparison(
        (*truth.about, *noisy, f"regret is to {known.about}: {known.best:.4g}"),
        [
            _quality([curve for curve in curves if curve.sampler == sampler], trials)
            for sampler in samplers
        ],
    )


@lru_cache(maxsize=1)
def truth_of(source: Source) -> Truth:
    """Return the truth of a source, cached per process."""
    table = read_table(source.table, space(document(source.spec)), source.column)
    if not source.model:
        return table
    from archscope.search.benchmark.fitted import FittedTruth  # imports scikit-learn, slow

    return FittedTruth(table, source.model)


@lru_cache(maxsize=1)
def prior_of(source: Source) -> PriorModel | None:
    """Return the prior of the samplers. Raises OptionError, NotCoveredError."""
    return PriorModel(load(source.prior), truth_of(source).space) if source.prior else None


@lru_cache(maxsize=1)
def known_of(source: Source, limits: tuple[Budget, ...]) -> Known:
    """Return what is known about the networks of a source within budgets."""
    return truth_of(source).inside(limits)


def _search(
    source: Source,
    limits: tuple[Budget, ...],
    edge: float,
    trials: int,
    noise: float,
    run: tuple[str, int],
) -> RegretCurve:
    """Run one search: a sampler with a seed."""
    sampler, seed = run
    truth, known = truth_of(source), known_of(source, limits)
    inside = with_edge(limits, edge)
    prior = prior_of(source)
    first = tuple(anchors(truth.space, inside, (), seed))
    strategy = Strategy(
        budgets=inside,
        sampler=sampler,
        seed=seed,
        anchors=first if prior is None else (*prior.anchors(inside), *first),
        starts=None if prior is None else STARTS_WITH_PRIOR,
    )
    answers = Answers(truth, noise, seed)
    study = Study(truth.space, strategy, answers, trained_as=answers.network, prior=prior)
    if isinstance(truth, Table) and not truth.whole:
        study.proposer = NearestRows(study.proposer, truth)
    study.run(trials)
    points = [
        (trial.costs[MACS], answers.true[trial.number]) for trial in study.trials if trial.trained
    ]
    return RegretCurve(
        sampler=sampler,
        seed=seed,
        regret=_regret([score for _, score in points], known.best),
        proposals=len(study.trials),
        hypervolume=_hypervolume(points, known.networks) if known.networks else None,
    )


def _regret(scores: Sequence[float], best: float) -> tuple[float, ...]:
    return tuple(best - reached for reached in accumulate(scores, max))


def _hypervolume(
    found: Sequence[tuple[float, float]], inside: Sequence[tuple[float, float]]
) -> float:
    """Return the area that the found networks dominate, relative to that of all networks.

    The axes are score and macs; the reference point is the lowest score and the most macs inside
    the budgets.
    """
    low, high = min(score for _, score in inside), max(macs for macs, _ in inside)
    area = dominated_area(found, high, low)
    whole = dominated_area(inside, high, low)
    return area / whole if whole else 1.0


def _quality(curves: Sequence[RegretCurve], trials: int) -> SamplerQuality:
    marks = sorted({*(mark for mark in MARKS if mark <= trials), trials})
    at = {
        mark: [curve.regret[min(mark, len(curve.regret)) - 1] for curve in curves] for mark in marks
    }
    low, high = bootstrap_interval(at[marks[-1]])
    shares = [curve.hypervolume for curve in curves if curve.hypervolume is not None]
    return SamplerQuality(
        sampler=curves[0].sampler,
        seeds=len(curves),
        regret={mark: fmean(values) for mark, values in at.items()},
        spread={mark: stdev(values) if len(curves) > 1 else None for mark, values in at.items()},
        low=low,
        high=high,
        hypervolume=fmean(shares) if shares else None,
        proposals=fmean(curve.proposals / len(curve.regret) for curve in curves),
    )

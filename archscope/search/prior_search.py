"""Search by a prior: an answer without training, followed by a check that it learns.

The study is like any other, with the prior in place of training. It begins with the best network of
the space within the budgets by that prior, which is proved if the prior is a sum of parts.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct, structs

from archscope.errors import ArchscopeError, OptionError
from archscope.ir import Graph
from archscope.records.study import (
    LearningCheck,
    Predicted,
    PriorReport,
    Trial,
    TrialResult,
    missed,
)
from archscope.search.config import SearchConfig
from archscope.search.device_latency import (
    GROUPS,
    device_latencies,
    held_config,
    with_latencies,
)
from archscope.search.executor import ExecutorFactory, TrainingExecutor, stopped_at_end, train_all
from archscope.search.finalists import best, front
from archscope.search.local_executor import LocalExecutor
from archscope.search.prior_executor import PriorExecutor
from archscope.search.prior_model import PriorModel
from archscope.search.priors import NotCoveredError, Prior, about
from archscope.search.progress import SearchProgress, keep_new, open_study
from archscope.search.study import Study
from archscope.search.study_folder import StudyFolder
from archscope.search.time_plan import Clock
from archscope.search.trained_space import trained_space
from archscope.search.winner import remove_winner, write_winner
from archscope.sources import document, load
from archscope.space.budget import Budget
from archscope.space.costs import costs_of
from archscope.space.counting import networks_text
from archscope.space.optimum import Optimum
from archscope.space.sampling import example
from archscope.space.search_space import Space
from archscope.stats import beyond_chance

CHECK_TIME = 240.0
"""Seconds for the whole search; the trainings of the check take at most what is left."""

CHECK_EPOCHS, CHECK_IMAGES, CHECK_SIDE = 3, 1000, 32
"""Epochs of the check by default."""

REFERENCES = ("mobilenet_v2", "mnasnet_a1", "efficientnet_b0", "shufflenet_v2_x1_5")
"""Known networks of about 300 M macs, predicted for comparison."""


class PriorSearchResult(Struct, frozen=True):
    """The result of a search by a prior; stored in summary.json."""

    folder: str
    space: str
    networks: str  # the number of networks of the space as text
    outcomes: dict[str, int]
    seconds: float
    winner: Predicted | None  # None if no network that was measured holds the budgets
    front: tuple[Trial, ...]
    reason: str  # why the search ended
    verdict: str
    prior: PriorReport
    judge: str = "prior"
    met: bool = True  # whether the winner holds the latency budgets, as far as measured


class PriorSearch:
    """A search in an open folder."""

    def __init__(
        self,
        config: SearchConfig,
        deployed: Space,
        model: PriorModel,
        folder: StudyFolder,
        budgets: Sequence[Budget] | None = None,
    ) -> None:
        """Take the inputs of a search; `budgets` are the user's if `config` has corrected ones."""
        self.config, self.space, self.model, self.folder = config, deployed, model, folder
        self.budgets = config.budgets if budgets is None else budgets
        self.began = time.perf_counter()
        self.optimum: Optimum | None = None

    def run(self, on_trial: Callable[[Trial], None], top: int) -> PriorSearchResult:
        """Run the study and return its result. Raises OptionError if no network fits."""
        found = self.optimum = self.model.best(self.config.budgets)
        if found is not None and found.proved and not len(found.rows):
            raise OptionError(
                f"no network of '{self.space.name}' is within {self._budgets()}{self._below()}"
            )
        study = Study(
            self.space,
            self.config.strategy(self.space, self.model),
            PriorExecutor(self.model.prior),
            on_trial=on_trial,
            prior=self.model,
        )
        study.replay(list(self.folder.trials))
        study.run(self.config.trials)
        ranked = best(study.trials, len(study.trials))
        if not ranked:
            raise OptionError(
                f"no network of '{self.space.name}' within {self._budgets()} was found"
            )
        many = max(top, 1)
        rows: list[Predicted] = []
        for place in range(0, min(len(ranked), GROUPS * many), many):
            rows = sorted([*rows, *self._rows(ranked[place : place + many])], key=_misses)
            if not rows[0].misses:
                break
        return self._result(rows)

    def _rows(self, chosen: Sequence[Trial]) -> list[Predicted]:
        """Return trials with their predictions and latencies."""
        found_in = [self.space.graph(trial.choices) for trial in chosen]
        rows = [
            structs.replace(
                predicted(self.model.prior, f"trial {trial.number}", graph),
                trial=trial.number,
                choices=trial.choices,
            )
            for trial, graph in zip(chosen, found_in, strict=True)
        ]
        return self._with_latency(rows, found_in, self.config.measure)

    def _budgets(self) -> str:
        return " and ".join(budget.text for budget in self.budgets) or "any budget"

    def _below(self) -> str:
        """Return a hint if networks exist that are only below the lower end of a budget."""
        lower = [limit for limit in self.config.budgets if limit.least is not None]
        upper = [structs.replace(limit, least=None) for limit in self.config.budgets
                 if limit.most is not None]  # fmt: skip
        below = self.model.best(upper) if lower else None
        if below is None or not len(below.rows):
            return ""
        (limit, *_) = lower
        least = limit.readable(limit.least or 0)
        return (
            f": those within its upper end are below its lower end of {least};"
            " to include them, write both ends: macs 250M..300M"
        )

    def _with_latency(
        self, rows: Sequence[Predicted], graphs: Sequence[Graph], measured: bool
    ) -> list[Predicted]:
        latencies = device_latencies(self.budgets, graphs, measured=measured)
        return with_latencies(rows, latencies)

    def _result(self, networks: Sequence[Predicted]) -> PriorSearchResult:
        references, refused = self._references()
        found = self.optimum
        (first, *_) = networks
        report = PriorReport(
            prior=self.config.prior,
            about=about(self.config.prior),
            networks=tuple(networks),
            references=references,
            refused=refused,
            bound=None if found is None else found.bound,
            proved=found is not None and found.proved and first.mean >= found.bound - 1e-6,
        )
        trials = self.folder.trials
        return PriorSearchResult(
            folder=self.folder.path.as_posix(),
            space=self.space.name,
            networks=networks_text(self.space),
            outcomes=dict(Counter(trial.outcome for trial in trials)),
            seconds=time.perf_counter() - self.began,
            winner=None if first.misses else first,
            front=tuple(front(trials)),
            reason="all networks are predicted",
            verdict=_verdict(report, corrected=self.budgets != self.config.budgets),
            prior=report,
            met=not first.misses,
        )

    def _references(self) -> tuple[tuple[Predicted, ...], dict[str, str]]:
        """Return the predictions of known networks, and the reasons why others have none."""
        (entry, *_) = example(self.space).inputs
        rows, graphs, refused = [], [], {}
        for name in REFERENCES:
            try:
                graph = load(name, input=entry.out)
                rows.append(predicted(self.model.prior, name, graph))
                graphs.append(graph)
            except NotCoveredError as error:
                refused[name] = str(error)
            except ArchscopeError:  # it cannot take this input
                continue
        return tuple(self._with_latency(rows, graphs, measured=False)), refused


def search_by_prior(
    config: SearchConfig,
    path: Path,
    model: PriorModel,
    *,
    executor: ExecutorFactory = LocalExecutor,
    storage: str | None = None,
    max_time: float | None = None,
    trial_time: float | None = None,
    trial_bytes: int | None = None,
    top: int = 2,
    began: float | None = None,
    progress: SearchProgress | None = None,
) -> PriorSearchResult:
    """Search a space for the best network within budgets by a prior; store everything in a folder.

    The answer comes before any training, by `progress.on_answer` and as winner.yaml. Then the `top`
    best are trained briefly, to check that they learn, within `max_time` seconds (by default
    `CHECK_TIME`) from `began` (`time.perf_counter`) or now. Raises ArchscopeError; after
    KeyboardInterrupt a study can be resumed.
    """
    progress = progress or SearchProgress()
    clock = Clock(max_time or CHECK_TIME, began=began)
    deployed = model.space
    with open_study(path, deployed, config, storage, progress) as folder:
        progress.on_start(config, deployed, folder.trials)
        held = held_config(config, folder, deployed, model, progress)
        study = PriorSearch(held, deployed, model, folder, config.budgets)
        result = study.run(keep_new(folder, progress), top)
        folder.write_json("summary.json", result)
        if result.winner is None:
            remove_winner(folder)
            return result
        write_winner(folder, deployed, result.winner.choices, result.verdict)
        progress.on_answer(result.winner, result.verdict)
        if top:
            trains = executor(config.trainer, seconds=trial_time, memory_bytes=trial_bytes)
            with stopped_at_end(trains):
                checks, images = _checked(
                    result.prior.networks[:top], config, deployed, trains, clock
                )
            report = structs.replace(result.prior, checks=checks, images=images)
            result = structs.replace(result, seconds=clock.elapsed, prior=report)
            folder.write_json("summary.json", result)
        return result


def _checked(
    networks: Sequence[Predicted],
    config: SearchConfig,
    deployed: Space,
    executor: TrainingExecutor,
    clock: Clock,
) -> tuple[tuple[LearningCheck, ...], str]:
    """Return brief trainings of networks, and a description of them."""
    (entry, *_) = example(deployed).inputs
    side = config.resolution or max(entry.out[1:])
    if config.resolution is None:
        side = min(side, CHECK_SIDE)
    images = CHECK_IMAGES if config.trainer.images is None else config.trainer.images
    recipe = {"epochs": CHECK_EPOCHS, **config.trainer.recipe}
    trainer = structs.replace(config.trainer, images=images, recipe=recipe, proxies=False)
    trained = trained_space(document(config.spec), trainer, deployed, side, config.set)
    executor.deadline = clock.deadline()
    results = train_all(
        executor, [(trainer, trained.graph(network.choices), None) for network in networks]
    )
    epochs = recipe["epochs"]
    what = f"{epochs} epoch{'' if epochs == 1 else 's'} of {trainer.data} at {side}x{side}"
    pairs = zip(networks, results, strict=True)
    return tuple(_check(network, result) for network, result in pairs), what


def _check(network: Predicted, result: TrialResult | None) -> LearningCheck:
    """Return the finding of a brief training."""
    assert network.trial is not None
    if result is None or result.score is None:
        reason = result.reason if result else "its training was not ready in time"
        return LearningCheck(network.trial, None, None, False, 0.0, reason)
    learns = beyond_chance(result.score, result.validated, result.chance)
    return LearningCheck(network.trial, result.score, result.chance, learns, result.seconds)


def predicted(prior: Prior, name: str, graph: Graph) -> Predicted:
    """Return a network with its prediction. Raises NotCoveredError."""
    found = prior.predict(graph)
    return Predicted(name, costs_of(graph), found.mean, found.low, found.high, found.unlike)


def _misses(row: Predicted) -> bool:
    return row.misses


def _verdict(report: PriorReport, corrected: bool) -> str:
    """Return the prediction and its rank as a sentence."""
    (first, *others) = report.networks
    over = [f"{row.name} {missed(row)}" for row in report.networks if row.misses]
    if first.misses:
        many = "the network" if not others else f"none of the {len(report.networks)} networks"
        why = "that was measured misses" if not others else "that were measured holds"
        return "; ".join([f"no winner: {many} {why} its latency budget", *over])
    text = (
        f"predicted top-1 {first.mean:.1f} %, {first.low:.1f} to {first.high:.1f} %"
        f" ({report.about}; not this network's accuracy)"
    )
    text = "; ".join([text, *(latency.words for latency in first.latency), *over])
    if report.proved:
        inside = "the corrected budget" if corrected else "the budget"
        return f"{text}; no network of the space within {inside} has a higher prediction (proved)"
    if report.bound is not None:
        return f"{text}; at most {report.bound - first.mean:.2f} points below the best there is"
    return f"{text}; the best that was found, others may be predicted better"

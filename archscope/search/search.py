"""A search from its configuration to the winner: a study, its folder, and the last trainings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from msgspec import structs

from archscope.analysis import analyze
from archscope.errors import OptionError
from archscope.files import make_folder
from archscope.ir import Graph
from archscope.language import graph
from archscope.language.document import Document
from archscope.linter import lint
from archscope.linter.records import record
from archscope.metrics import MACS
from archscope.records.study import Finalist, Trial
from archscope.search.conclusion import conclusion
from archscope.search.config import SearchConfig
from archscope.search.evaluation import Trainer
from archscope.search.executor import ExecutorFactory, TrainingExecutor
from archscope.search.local_executor import LocalExecutor
from archscope.search.pilot import Pilot, PilotSetting, run_pilot
from archscope.search.reliability import notes, reliability
from archscope.search.result import SearchResult, result_of
from archscope.search.samplers import check_sampler
from archscope.search.stages import Stages
from archscope.search.study import ProxyScores, Study
from archscope.search.study_folder import StudyFolder
from archscope.search.time_plan import Clock, FinalPlan, TimePlan
from archscope.sources import document
from archscope.space.bound_spec import bound_text
from archscope.space.search_space import Space, space

PILOTS = 3
"""Anchors that the pilot trains: the smallest, the median and the largest."""


class SearchProgress:
    """Callbacks that do nothing; subclasses show what they like."""

    def on_start(self, config: SearchConfig, space: Space, resumed: Sequence[Trial]) -> None:
        """Handle the start; `resumed` are the trials of an earlier run."""

    def on_note(self, note: str) -> None:
        """Handle a sentence about a folder that was damaged."""

    def on_pilot(self, pilot: Pilot) -> None:
        """Handle what the pilot has chosen."""

    def on_plan(self, plan: TimePlan) -> None:
        """Handle the plan of what is going to be trained."""

    def on_trial(self, trial: Trial) -> None:
        """Handle a trial that has ended; they come in the order of their numbers."""

    def on_final(self, done: int, total: int) -> None:
        """Handle the end of one of the last trainings."""

    def close(self) -> None:
        """Handle the end of the search, however it ends."""


def search(
    config: SearchConfig,
    path: Path,
    *,
    executor: ExecutorFactory = LocalExecutor,
    storage: str | None = None,
    max_time: float | None = None,
    began: float | None = None,
    trial_time: float | None = None,
    trial_bytes: int | None = None,
    top: int = 3,
    seeds: int = 2,
    stretch: int = 2,
    progress: SearchProgress | None = None,
) -> SearchResult:
    """Search a space for the best network inside budgets, and keep all of it in a folder.

    A folder with the same configuration is resumed. A pilot chooses the epochs and the resolution
    that are left open. The study ends when `config.trials` networks are trained; then some are
    trained again with another seed, and the `top` best `stretch` times as long with `seeds` seeds.
    All of that ends within `max_time` seconds from `began` (`time.perf_counter`) or now, with fewer
    and shorter trainings where they do not fit. `executor` trains, each candidate within
    `trial_time` seconds and `trial_bytes` of memory. Raises ArchscopeError; after KeyboardInterrupt
    a study can be resumed.
    """
    progress = progress or SearchProgress()
    clock = Clock(max_time, began=began)
    read = document(config.spec)
    deployed = space(read)
    if not deployed.decisions:
        raise OptionError(
            f"'{config.spec}' leaves nothing open to search; 'archscope space {config.spec}"
            " --vary width,kernel,depth' makes a space of it"
        )
    check_sampler(config.sampler)
    strategy = config.strategy(deployed)
    folder = StudyFolder(path, deployed, config.record(), storage)
    trains: TrainingExecutor | None = None
    try:
        for note in folder.notes:
            progress.on_note(note)
        trains = executor(config.trainer, seconds=trial_time, memory_bytes=trial_bytes)
        progress.on_start(config, deployed, folder.trials)
        pilot = _pilot(folder, read, config, deployed, trains, clock)
        progress.on_pilot(pilot)
        trainer = pilot.trainer(config.trainer)
        trained = _trained_space(read, config.trainer, deployed, pilot.resolution)
        study = Study(
            deployed,
            strategy,
            trains,
            on_trial=_keep_new(folder, progress),
            trained_as=trained.graph,
            proxy_scores=_proxy_scores(trainer) if config.prescreen > 1 else None,
            weights=_weights_folder(path) if config.inherit else None,
        )
        stages = Stages(clock, trains, pilot, trainer, trained.graph)
        # One more than the best, which the search did not propose; of none, none.
        finals = FinalPlan(top + 1, seeds, stretch)
        progress.on_plan(stages.plan(config.trials, folder.trials, finals))
        reason = stages.candidates(study, config.trials, folder.trials)
        repeats = stages.repeats(folder.trials)
        last, plan = stages.finals(folder.trials, finals, path / "finals", progress.on_final)
        reason = "; ".join([reason, *_shortened(finals, plan, last)])
        shown = conclusion(last, folder.trials, repeats, _cost(config))
        ranked = reliability(folder.trials, repeats, _notes(config, deployed, trained))
        result = result_of(folder, deployed, shown, ranked, pilot, clock.elapsed, reason,
                           config.budgets)  # fmt: skip
        _export(folder, deployed, result)
        return result
    finally:
        if trains is not None:
            trains.close(at_once=True)
        progress.close()
        folder.release()


def _weights_folder(path: Path) -> Path:
    folder = path / "weights"
    make_folder(folder)
    return folder


def _keep_new(folder: StudyFolder, progress: SearchProgress) -> Callable[[Trial], None]:
    """Return what keeps and shows the trials that the folder does not have."""
    resumed = {trial.number for trial in folder.trials}

    def on_trial(trial: Trial) -> None:
        if trial.number not in resumed:
            folder.add(trial)
            progress.on_trial(trial)

    return on_trial


def _pilot(
    folder: StudyFolder,
    read: Document,
    config: SearchConfig,
    deployed: Space,
    executor: TrainingExecutor,
    clock: Clock,
) -> Pilot:
    """Return the pilot of a study: the one in its folder, or a new one."""
    kept = folder.read("pilot.json", Pilot)
    if kept is not None:
        return kept

    def graph_of(choices: dict[str, Any], resolution: int | None) -> Graph:
        return _trained_space(read, config.trainer, deployed, resolution).graph(choices)

    strategy = config.strategy(deployed)
    (entry, *_) = deployed.graph(deployed.defaults).inputs
    found = run_pilot(
        PilotSetting(
            executor, config.trainer, _images(config.trainer),
            [choices for _, choices in strategy.anchors[-PILOTS:]], graph_of,
            max(entry.out[1:]), config.resolution, clock,
        )
    )  # fmt: skip
    folder.write_json("pilot.json", found)
    return found


def _shortened(wanted: FinalPlan, plan: FinalPlan | None, last: Sequence[Finalist]) -> list[str]:
    """Return what the last trainings had to do without, as a list of at most one text."""
    if not last or wanted.networks < 2:
        return []
    if plan is None:
        return ["there was no time to train the best again"]
    if (plan.seeds, plan.stretch) != (wanted.seeds, wanted.stretch):
        return [
            f"for lack of time, the best were trained again {plan.stretch}x as long with"
            f" {plan.seeds} seed{'s' * (plan.seeds != 1)}"
        ]
    return []


def _cost(config: SearchConfig) -> str:
    """Return the metric that says which of several networks is the cheapest."""
    limited = [budget.metric for budget in config.budgets if not budget.measured]
    return limited[0] if limited else MACS


def _notes(config: SearchConfig, deployed: Space, trained: Space) -> list[str]:
    inputs = [space.graph(space.defaults).inputs[0].out for space in (deployed, trained)]
    return notes(config.trainer.data, inputs[0], inputs[1], _images(config.trainer).train.shape)


def _trained_space(
    read: Document, trainer: Trainer, deployed: Space, resolution: int | None
) -> Space:
    """Return the space with the resolution and the classes of the images trained on."""
    data = _images(trainer)
    given = {"classes": len(data.classes)} if "classes" in read.let else {}
    (entry, *more) = deployed.graph(deployed.defaults).inputs
    if more:
        raise OptionError(f"'{deployed.name}' has several inputs; a search trains on one image")
    shape = entry.out
    if resolution:
        shape = (shape[0], *[resolution] * (len(shape) - 1))
    return space(read, set=given, input=shape)


def _proxy_scores(trainer: Trainer) -> ProxyScores:
    """Return the zero-cost proxies of prescreening, on the images trained on."""
    from archscope.search.proxies import PRESCREEN, proxy_scores

    data = _images(trainer)

    def scores(graph: Graph) -> dict[str, float]:
        found = proxy_scores(graph, data, trainer.seed, trainer.adapt)
        return {name: found[name] for name in PRESCREEN}

    return scores


@lru_cache(maxsize=1)
def _read_images(name: str, folder: str | None) -> Any:
    from archscope.datasets import load

    return load(name, None if folder is None else Path(folder))


def _images(trainer: Trainer) -> Any:
    return _read_images(trainer.data, trainer.folder)


def _export(folder: StudyFolder, deployed: Space, result: SearchResult) -> None:
    """Write the result, and the winner as a plain spec with its analysis."""
    folder.write_json("summary.json", result)
    if result.winner is None:
        return
    seeds = len(result.winner.scores)
    about = (
        f"found in '{deployed.name}' by archscope search; validation accuracy"
        f" {result.winner.mean:.4f} over {seeds} seed{'s' * (seeds != 1)}; {result.verdict}"
    )
    name = f"{folder.path.name}_winner"
    text = bound_text(deployed, result.winner.choices, name=name, about=about)
    read = document(folder.write_text("winner.yaml", text))
    winner = graph(read)
    findings = tuple(map(record, lint(winner, read)))
    folder.write_json("winner.json", structs.replace(analyze(winner), findings=findings))

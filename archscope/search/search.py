"""A search from its configuration to the winner: a study, its folder, and the last trainings."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from msgspec import structs

from archscope.analysis import analyze
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.language import graph
from archscope.language.document import Document
from archscope.linter import lint
from archscope.linter.records import record
from archscope.records.study import Trial
from archscope.search.config import SearchConfig
from archscope.search.evaluation import Trainer
from archscope.search.executor import ExecutorFactory
from archscope.search.finalists import best, finalists
from archscope.search.local_executor import LocalExecutor
from archscope.search.result import SearchResult, result_of
from archscope.search.samplers import check_sampler
from archscope.search.study import ProxyScores, Study
from archscope.search.study_folder import StudyFolder
from archscope.sources import document
from archscope.space.bound_spec import bound_text
from archscope.space.search_space import Space, space


class SearchProgress:
    """Callbacks that do nothing; subclasses show what they like."""

    def on_start(self, config: SearchConfig, space: Space, resumed: Sequence[Trial]) -> None:
        """Handle the start; `resumed` are the trials of an earlier run."""

    def on_note(self, note: str) -> None:
        """Handle a sentence about a folder that was damaged."""

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
    trial_time: float | None = None,
    trial_bytes: int | None = None,
    top: int = 3,
    seeds: int = 2,
    stretch: int = 2,
    progress: SearchProgress | None = None,
) -> SearchResult:
    """Search a space for the best network inside budgets, and keep all of it in a folder.

    A folder with the same configuration is resumed. The study ends when `config.trials` networks
    are trained or after `max_time` seconds; then the `top` best are trained `stretch` times as
    long with `seeds` seeds. `executor` trains, each candidate within `trial_time` seconds and
    `trial_bytes` of memory. Raises ArchscopeError; after KeyboardInterrupt a study can be
    resumed.
    """
    progress = progress or SearchProgress()
    began = time.perf_counter()
    read = document(config.spec)
    deployed = space(read)
    if not deployed.decisions:
        raise OptionError(
            f"'{config.spec}' leaves nothing open to search; 'archscope space {config.spec}"
            " --vary width,kernel,depth' makes a space of it"
        )
    trained = _trained_space(read, config, deployed)
    strategy = config.strategy(deployed)
    check_sampler(config.sampler)
    folder = StudyFolder(path, deployed, config.record(), storage)
    try:
        for note in folder.notes:
            progress.on_note(note)
        study = Study(
            deployed,
            strategy,
            executor(config.trainer, seconds=trial_time, memory_bytes=trial_bytes),
            on_trial=_keep_new(folder, progress),
            trained_as=trained.graph,
            proxy_scores=_proxy_scores(config.trainer) if config.prescreen > 1 else None,
        )
        progress.on_start(config, deployed, folder.trials)
        reason = _run(study, folder, config.trials, max_time, began)
        last = finalists(
            best(study.trials, top), config.trainer, trained.graph,
            seeds=seeds, stretch=stretch, executor=executor, folder=path / "finals",
            on_final=progress.on_final,
        )  # fmt: skip
        result = result_of(folder, deployed, last, time.perf_counter() - began, reason)
        _export(folder, deployed, result)
        return result
    finally:
        progress.close()
        folder.release()


def _keep_new(folder: StudyFolder, progress: SearchProgress) -> Callable[[Trial], None]:
    """Return what keeps and shows the trials that the folder does not have."""
    resumed = {trial.number for trial in folder.trials}

    def on_trial(trial: Trial) -> None:
        if trial.number not in resumed:
            folder.add(trial)
            progress.on_trial(trial)

    return on_trial


def _run(
    study: Study, folder: StudyFolder, trainings: int, max_time: float | None, began: float
) -> str:
    """Run a study from where its folder has it, and return why it ended."""

    def is_late() -> bool:
        return max_time is not None and time.perf_counter() - began > max_time

    try:
        study.replay(list(folder.trials))
        study.run(trainings, is_late)
    except BaseException:
        study.executor.close(at_once=True)
        raise
    study.executor.close()
    if study.history.trainings >= trainings:
        return "all trials are done"
    if is_late():
        return f"the time of {max_time:g} s is over"
    return "every network inside the budget that could be found has been trained"


def _trained_space(read: Document, config: SearchConfig, deployed: Space) -> Space:
    """Return the space with the resolution and the classes of the images trained on."""
    data = _images(config.trainer)
    given = {"classes": len(data.classes)} if "classes" in read.let else {}
    (entry, *more) = deployed.graph(deployed.defaults).inputs
    if more:
        raise OptionError(f"'{deployed.name}' has several inputs; a search trains on one image")
    shape = entry.out
    if config.resolution is not None:
        shape = (shape[0], *[config.resolution] * (len(shape) - 1))
    return space(read, set=given, input=shape)


def _proxy_scores(trainer: Trainer) -> ProxyScores:
    """Return the zero-cost proxies of prescreening, on the images trained on."""
    from archscope.search.proxies import PRESCREEN, proxy_scores

    data = _images(trainer)

    def scores(graph: Graph) -> dict[str, float]:
        found = proxy_scores(graph, data, trainer.seed, trainer.adapt)
        return {name: found[name] for name in PRESCREEN}

    return scores


def _images(trainer: Trainer) -> Any:
    from archscope.datasets import load

    return load(trainer.data, None if trainer.folder is None else Path(trainer.folder))


def _export(folder: StudyFolder, deployed: Space, result: SearchResult) -> None:
    """Write the result, and the winner as a plain spec with its analysis."""
    folder.write_json("summary.json", result)
    if result.winner is None:
        return
    about = (
        f"found in '{deployed.name}' by archscope search; validation accuracy"
        f" {result.winner.mean:.4f} over {len(result.winner.scores)} seeds"
    )
    name = f"{folder.path.name}_winner"
    text = bound_text(deployed, result.winner.choices, name=name, about=about)
    read = document(folder.write_text("winner.yaml", text))
    winner = graph(read)
    findings = tuple(map(record, lint(winner, read)))
    folder.write_json("winner.json", structs.replace(analyze(winner), findings=findings))

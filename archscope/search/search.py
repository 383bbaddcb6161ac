"""Run a search from its configuration to the winner: a study, its folder and final trainings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from archscope.analysis.canonical import canonical
from archscope.errors import OptionError
from archscope.files import make_folder
from archscope.ir import Graph
from archscope.language.document import Document
from archscope.metrics import MACS
from archscope.records.study import DeviceLatency, Finalist, Trial
from archscope.search.conclusion import conclusion
from archscope.search.config import SearchConfig
from archscope.search.device_latency import (
    device_latencies,
    held_config,
    holding,
    with_latencies,
)
from archscope.search.evaluation import Trainer
from archscope.search.executor import ExecutorFactory, TrainingExecutor, stopped_at_end
from archscope.search.local_executor import LocalExecutor
from archscope.search.pilot import Pilot, PilotSetting, run_pilot
from archscope.search.prior_model import PriorModel
from archscope.search.progress import SearchProgress, keep_new, open_study
from archscope.search.reliability import notes, reliability, seeds_of
from archscope.search.result import SearchResult, result_of
from archscope.search.samplers import check_sampler
from archscope.search.stages import Choose, Stages
from archscope.search.strategy import Strategy
from archscope.search.study import ProxyScores, Study
from archscope.search.study_folder import StudyFolder
from archscope.search.time_plan import Clock, FinalPlan
from archscope.search.trained_space import images_of, trained_space
from archscope.search.winner import export_winner
from archscope.space.budget import Budget
from archscope.space.sampling import example
from archscope.space.search_space import Space

PILOT = "pilot.json"

PILOTS = 3
"""The anchors that the pilot trains: the smallest, the median and the largest."""


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
    prior: PriorModel | None = None,
    progress: SearchProgress | None = None,
) -> SearchResult:
    """Search a space for the best network within budgets, and store everything in a folder.

    A folder with the same configuration is resumed. A pilot chooses the epochs and the resolution
    that are left open. The study ends when `config.trials` networks are trained; then some are
    trained again with another seed, and the `top` best `stretch` times as long with `seeds` seeds.
    Everything ends within `max_time` seconds from `began` (`time.perf_counter`) or now, with fewer
    and shorter trainings if need be. `executor` trains, each candidate within `trial_time` seconds
    and `trial_bytes` of memory. `prior` is the prior on scores. Raises ArchscopeError; after
    KeyboardInterrupt a study can be resumed.
    """
    progress = progress or SearchProgress()
    clock = Clock(max_time, began=began)
    read, deployed = config.space()
    if not deployed.decisions:
        raise OptionError(
            f"'{config.spec}' has no holes to search; 'archscope space {config.spec}"
            " --vary width,kernel,depth' makes a space of it"
        )
    check_sampler(config.sampler)
    budgets = config.budgets
    with (
        open_study(path, deployed, config, storage, progress) as folder,
        stopped_at_end(
            executor(config.trainer, seconds=trial_time, memory_bytes=trial_bytes)
        ) as trains,
    ):
        progress.on_start(config, deployed, folder.trials)
        config = held_config(config, folder, deployed, prior, progress)
        strategy = config.strategy(deployed, prior)
        pilot = _pilot(folder, read, config, deployed, strategy, trains, clock)
        progress.on_pilot(pilot)
        trainer = pilot.trainer(config.trainer)
        trained = trained_space(read, config.trainer, deployed, pilot.resolution, config.set)
        study = Study(
            deployed,
            strategy,
            trains,
            on_trial=keep_new(folder, progress),
            trained_as=trained.graph,
            proxy_scores=_proxy_scores(trainer) if config.prescreen > 1 else None,
            weights=_weights_folder(path) if config.inherit else None,
            prior=prior,
        )
        stages = Stages(clock, trains, pilot, trainer, trained.graph)
        # One more for the best network that the search did not propose, unless there are none.
        finals = FinalPlan(top + 1, seeds, stretch)
        progress.on_plan(stages.plan(config.trials, folder.trials, finals))
        reason = stages.candidates(study, config.trials, folder.trials)
        if any(trial.trained for trial in folder.trials):
            folder.write_json(PILOT, pilot)  # even if it had no time: trials depend on it
        repeats = stages.repeats(folder.trials)
        over: list[str] = []
        last, plan = stages.finals(
            folder.trials, finals, path / "finals", progress.on_final,
            _held(deployed, budgets, over) if config.measure else None,
        )  # fmt: skip
        if config.measure:
            last = _with_latency(last, deployed, budgets)
        reason = "; ".join([reason, *over, *_shortened(finals, plan, last)])
        shown = conclusion(last, folder.trials, repeats, _cost(config))
        ranked = reliability(
            folder.trials, repeats or seeds_of(last), _notes(config, deployed, trained)
        )
        result = result_of(folder, deployed, shown, ranked, pilot, clock.elapsed, reason,
                           config.budgets)  # fmt: skip
        export_winner(folder, deployed, result)
        return result


def _weights_folder(path: Path) -> Path:
    folder = path / "weights"
    make_folder(folder)
    return folder


def _pilot(
    folder: StudyFolder,
    read: Document,
    config: SearchConfig,
    deployed: Space,
    strategy: Strategy,
    executor: TrainingExecutor,
    clock: Clock,
) -> Pilot:
    """Return the pilot of a study: the one in its folder, or a new one."""
    kept = folder.read(PILOT, Pilot)
    if kept is not None:
        return kept

    def graph_of(choices: dict[str, Any], resolution: int | None) -> Graph:
        return trained_space(read, config.trainer, deployed, resolution, config.set).graph(choices)

    (entry, *_) = example(deployed).inputs
    anchors = [choices for _, choices in strategy.anchors[-PILOTS:]]
    different = {canonical(deployed.graph(choices)): choices for choices in anchors}
    found = run_pilot(
        PilotSetting(
            executor, config.trainer, images_of(config.trainer),
            [*different.values()], graph_of,
            max(entry.out[1:]), config.resolution, clock,
        )
    )  # fmt: skip
    if found.scores:
        folder.write_json(PILOT, found)
    return found


def _shortened(wanted: FinalPlan, plan: FinalPlan | None, last: Sequence[Finalist]) -> list[str]:
    """Return a note about shortened final trainings, as a list of at most one text."""
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


def _held(deployed: Space, budgets: Sequence[Budget], over: list[str]) -> Choose:
    """Return a function that chooses the best networks that hold their latency budgets.

    It adds sentences about better ones that do not to `over`.
    """

    def latencies_of(chosen: Sequence[Trial]) -> list[tuple[DeviceLatency, ...]]:
        return device_latencies(budgets, [deployed.graph(trial.choices) for trial in chosen])

    def choose(ranked: Sequence[Trial], many: int) -> list[Trial]:
        chosen, notes = holding(ranked, many, latencies_of)
        over.extend(notes)
        return chosen

    return choose


def _with_latency(
    last: Sequence[Finalist], deployed: Space, budgets: Sequence[Budget]
) -> list[Finalist]:
    """Return the best networks with their latency on the devices of the budgets."""
    graphs = [deployed.graph(finalist.choices) for finalist in last]
    return with_latencies(last, device_latencies(budgets, graphs))


def _cost(config: SearchConfig) -> str:
    """Return the metric that decides which network is cheapest."""
    limited = [budget.cost for budget in config.budgets if not budget.measured]
    return limited[0] if limited else MACS


def _notes(config: SearchConfig, deployed: Space, trained: Space) -> list[str]:
    inputs = [example(space).inputs[0].out for space in (deployed, trained)]
    return notes(config.trainer.data, inputs[0], inputs[1], images_of(config.trainer).train.shape)


def _proxy_scores(trainer: Trainer) -> ProxyScores:
    """Return the zero-cost proxies for prescreening, computed on the training images."""
    from archscope.search.proxies import PRESCREEN, proxy_scores

    data = images_of(trainer)

    def scores(graph: Graph) -> dict[str, float]:
        found = proxy_scores(graph, data, trainer.seed, trainer.adapt)
        return {name: found[name] for name in PRESCREEN}

    return scores

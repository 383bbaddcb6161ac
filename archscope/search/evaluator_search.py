"""Search by a user's own evaluator: a function from a network to its score."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from math import isfinite
from numbers import Real
from pathlib import Path
from statistics import fmean
from typing import Any, get_args

from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.metrics import cost_metrics
from archscope.records.score_metric import Direction, ScoreMetric
from archscope.records.study import Finalist, Job, Trial, TrialResult, missed
from archscope.search.conclusion import Conclusion
from archscope.search.config import SearchConfig
from archscope.search.device_latency import device_latencies, held_config, with_latencies
from archscope.search.finalists import best, searched_only
from archscope.search.pilot import Pilot
from archscope.search.prior_model import PriorModel
from archscope.search.progress import SearchProgress, keep_new, open_study
from archscope.search.reliability import reliability
from archscope.search.result import SearchResult, result_of
from archscope.search.study import Study
from archscope.search.time_plan import Clock
from archscope.search.winner import export_winner
from archscope.space.search_space import Space

Evaluator = Callable[[Graph], "float | Mapping[str, float]"]
"""Returns the score of a network, or a dict with it under the name of the metric and further
numbers, which are kept. If it raises an error, the trial has failed."""

RESERVED = ("trial", "outcome", "origin")
"""Names of columns in tables of trials, which a metric cannot have."""

LONGEST = 40
"""Characters of the longest name of a metric."""


class EvaluatorExecutor:
    """Calls an evaluator for one network after another, in this process.

    The call is made when its result is needed, so that Ctrl-C loses no result.
    """

    def __init__(self, evaluator: Evaluator, metric: ScoreMetric) -> None:
        self.evaluator, self.metric = evaluator, metric
        self.waiting: deque[tuple[Job, Graph]] = deque()

    def submit(self, job: Job, graph: Graph) -> None:
        """Queue a network."""
        self.waiting.append((job, graph))

    def collect(self) -> TrialResult:
        """Evaluate the oldest network and return its result; errors become a failed result."""
        job, graph = self.waiting.popleft()
        began = time.perf_counter()
        try:
            scores = checked_scores(self.evaluator(graph), self.metric)
        except Exception as error:  # of the user's code
            reason = f"{type(error).__name__}: {error}".partition("\n")[0].removesuffix(": ")
            took = time.perf_counter() - began
            return TrialResult(job.number, "failed", reason=reason, seconds=took)
        took = time.perf_counter() - began
        return TrialResult(job.number, "trained", scores[self.metric.name], scores, seconds=took)

    def close(self, at_once: bool = False) -> None:
        """Drop the networks that were not evaluated."""
        self.waiting.clear()


def checked_scores(given: Any, metric: ScoreMetric) -> dict[str, float]:
    """Return what an evaluator returned as numbers by name, one of which is that of the metric.

    Raises ValueError with what was expected for anything else.
    """
    rows = given if isinstance(given, Mapping) else {metric.name: given}
    if metric.name not in rows:
        raise ValueError(f"expected a dict with '{metric.name}', got {_short(given)}")
    found = {str(name): _number(str(name), value) for name, value in rows.items()}
    score = found[metric.name]
    if metric.is_share and not 0 <= score <= 1:
        raise ValueError(
            f"expected a score from 0 to 1, got {score:g}; others need a metric and a direction"
        )
    return found


def metric_settings(name: str | None, direction: str | None, space: Space) -> dict[str, Any]:
    """Return the settings of a search for the metric of an evaluator, none for the default metric.

    Raises OptionError if scores cannot have this name or direction.
    """
    if name is None and direction is None:
        return {}
    if name is None:
        raise OptionError("direction needs metric, the name of the score")
    if direction not in get_args(Direction):
        expected = " or ".join(f"'{word}'" for word in get_args(Direction))
        raise OptionError(f"direction: expected {expected}, got {direction!r}")
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise OptionError(f"metric: expected the name of the score in one line, got {name!r}")
    if len(name) > LONGEST:
        raise OptionError(f"metric: expected at most {LONGEST} characters, got {len(name)}")
    taken = {metric.name: "a cost of networks" for metric in cost_metrics()}
    taken |= dict.fromkeys(RESERVED, "a column of the table of trials")
    taken |= {decision.path: f"a decision of '{space.name}'" for decision in space.decisions}
    if name in taken:
        raise OptionError(f"metric: '{name}' is {taken[name]}; give the score another name")
    return {"metric": name, "direction": direction, "objectives": (name,)}


def _number(name: str, value: Any) -> float:
    if callable(getattr(value, "item", None)) and getattr(value, "size", None) != ():
        value = value.item()  # of numpy and torch
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"expected a number as {name}, got {_short(value)}")
    number = float(value)
    if not isfinite(number):
        raise ValueError(f"expected a finite number as {name}, got {number}")
    return number


def _short(value: Any) -> str:
    text = repr(value).partition("\n")[0]
    return f"{type(value).__name__} {text if len(text) <= 60 else f'{text[:57]}...'}"


def name_of(evaluator: Any) -> str:
    """Return the name by which a study knows an evaluator: `my_module.score`.

    Raises OptionError for what cannot be called.
    """
    if not callable(evaluator):
        raise OptionError(
            "an evaluator is a function that takes a graph and returns its score, got a"
            f" {type(evaluator).__name__}"
        )
    named = evaluator if hasattr(evaluator, "__qualname__") else type(evaluator)
    return f"{named.__module__}.{named.__qualname__}"


def search_by_evaluator(
    config: SearchConfig,
    path: Path,
    evaluator: Evaluator,
    *,
    prior: PriorModel | None = None,
    max_time: float | None = None,
    top: int = 2,
    progress: SearchProgress | None = None,
) -> SearchResult:
    """Search a space for the best network by an evaluator, and store everything in a folder.

    The study ends when `config.trials` networks are evaluated, or before another evaluation after
    `max_time` seconds. The `top` best are listed, and measured for latency budgets of this machine.
    A folder with the same configuration is resumed. Raises ArchscopeError; after KeyboardInterrupt
    a study can be resumed.
    """
    progress = progress or SearchProgress()
    clock = Clock(max_time)
    _, space = config.space()
    if not space.decisions:
        raise OptionError(f"'{config.spec}' has no holes to search")
    budgets, metric = config.budgets, config.score
    with open_study(path, space, config, None, progress) as folder:
        progress.on_start(config, space, folder.trials)
        config = held_config(config, folder, space, prior, progress)
        study = Study(
            space,
            config.strategy(space, prior),
            EvaluatorExecutor(evaluator, metric),
            on_trial=keep_new(folder, progress),
            prior=prior,
        )
        study.replay(list(folder.trials))
        study.run(config.trials, lambda: clock.is_over)
        trials = folder.trials
        reason = "every network within the budget that could be found has been evaluated"
        if study.history.trainings >= config.trials:
            reason = "all trials are done"
        elif clock.is_over:
            reason = f"no more trials fit into {max_time:g} s"
        chosen = best(trials, max(top, 1), metric)
        last = [searched_only(trial) for trial in chosen]
        if config.measure:
            graphs = [space.graph(trial.choices) for trial in chosen]
            last = with_latencies(last, device_latencies(budgets, graphs))
        result = result_of(
            folder, space, _conclusion(last, trials, config),
            reliability(trials, (), []),
            _no_pilot(trials, config.evaluator), clock.elapsed, reason, budgets,
        )  # fmt: skip
        export_winner(folder, space, result, metric.name)
        return result


def _conclusion(last: list[Finalist], trials: list[Trial], config: SearchConfig) -> Conclusion:
    """Return the network of the best score as the winner, of those that hold their budgets."""
    name, metric = config.evaluator, config.score
    if not last:
        reasons = [t.result.reason for t in trials if t.outcome == "failed" and t.result]
        why = f"; the last error: {reasons[-1]}" if reasons else ""
        return Conclusion(f"no winner: '{name}' scored no network{why}", (), ())
    over = [f"trial {row.trial} {missed(row)}" for row in last if row.misses]
    first = last[0]
    if first.misses:
        verdict = "no winner: no network that was measured holds its latency budget"
        return Conclusion("; ".join([verdict, *over]), (), tuple(last), met=False)
    same = sum(trial.accuracy == first.mean for trial in trials) - 1
    others = f", as {'does 1 other' if same == 1 else f'do {same} others'}" if same else ""
    text = (
        f"trial {first.trial} has the best {metric.name} of '{name}', {metric.format(first.mean)}"
        f"{others};"
        " each network has one, so nothing is known of chance"
    )
    return Conclusion("; ".join([text, *over]), (first.trial,), tuple(last))


def _no_pilot(trials: list[Trial], name: str) -> Pilot:
    took = [trial.result.seconds for trial in trials if trial.result is not None]
    seconds = fmean(took) if took else 0.0
    return Pilot(0, None, 0, (), 0.0, 0, seconds, f"scores are those of '{name}'")

"""A study: propose networks, train those that are worth it, and learn from the results.

Networks over a budget or equal to an earlier one are answered without training. The order of
everything depends only on the seed: a network is proposed when all but the last `lag` trainings
before it are told, in the order of their numbers, whichever ends first. So the same seed gives the
same study for any number of workers, and a resumed study equals one that never stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Any

import optuna
from msgspec import Struct, structs

from archscope.ir import Graph
from archscope.language.write import to_yaml
from archscope.metrics import METRICS
from archscope.records.study import Job, Trial, TrialResult
from archscope.search.distributions import choices_of
from archscope.search.executor import DeadlineError, Executor
from archscope.search.history import History
from archscope.search.learner import Learner
from archscope.search.prior_model import PriorModel
from archscope.search.priors import NotCoveredError
from archscope.search.proposals import Proposal, Proposer
from archscope.search.pruning import rungs_of
from archscope.search.sampler_context import SamplerContext
from archscope.search.samplers import check_sampler
from archscope.search.screening import Measure, Screening
from archscope.search.strategy import Strategy
from archscope.space.search_space import Space

ProxyScores = Callable[[Graph], dict[str, float]]
"""Returns the zero-cost proxies of a network by name; higher is better."""

Candidate = tuple[optuna.Trial, Trial]
"""A trial of the learner, and the corresponding trial of the study."""


class SpaceExhaustedError(Exception):
    """All networks within the budgets that can be found have been trained."""


class _Running(Struct):
    """A training without a result, and equal networks that were proposed meanwhile."""

    draw: optuna.Trial
    trial: Trial
    duplicates: list[Candidate]


class Study:
    """Proposes networks, trains them and learns from the results."""

    def __init__(
        self,
        space: Space,
        strategy: Strategy,
        executor: Executor,
        *,
        on_trial: Callable[[Trial], None] = lambda trial: None,
        trained_as: Callable[[dict[str, Any]], Graph] | None = None,
        proxy_scores: ProxyScores | None = None,
        prior: PriorModel | None = None,
        weights: Path | None = None,
        measure: Measure = lambda name, graph: METRICS[name].measure(graph),
    ) -> None:
        """Take a space, a strategy and an executor.

        `on_trial` is called with every trial, in order. `trained_as` returns the network to train
        for choices, such as the same network at a lower resolution. `proxy_scores` ranks networks
        for prescreening; `prior` is the prior on scores for samplers; `weights` is a folder for the
        weights of trained networks, from which others are initialised. Raises OptionError for an
        unknown sampler.
        """
        check_sampler(strategy.sampler)
        self.space, self.strategy, self.executor = space, strategy, executor
        self.trained_as = trained_as or space.graph
        self.weights = weights
        self.proxy_scores, self.prior = proxy_scores, prior
        self.learner = Learner(space, strategy)
        self.screening = Screening(space, strategy, measure)
        self.history = History(on_trial)
        self.proposer = Proposer(
            SamplerContext(space, strategy, self.learner, self.screening, self.history, prior)
        )
        self.limit: int | None = None  # the number before which proposals end
        self.running: list[_Running] = []
        self.results: dict[int, TrialResult] = {}  # ahead of an earlier one

    @property
    def trials(self) -> list[Trial]:
        """The trials that have ended, up to the first that has not."""
        return self.history.trials

    def run(self, trainings: int, stop: Callable[[], bool] = lambda: False) -> None:
        """Continue until `trainings` networks are trained, `stop` returns True, or none is left.

        Then waits for the running trainings, until the deadline of the executor. Trainings that are
        not ready are discarded, and a resumed study runs them again. Raises OptionError if no
        network fits the budgets.
        """
        try:
            with suppress(SpaceExhaustedError):
                while self.history.trainings < trainings and not stop():
                    self._wait_for_room()
                    self._submit(*self._next())
            while self.running:
                self._finish_oldest()
        except DeadlineError:
            self.history.trainings -= len(self.running)
            self.running.clear()

    def replay(self, trials: Iterable[Trial]) -> None:
        """Replay the trials of an earlier run, in the order of their numbers.

        Missing trials are run again.
        """
        group: list[Candidate] = []  # proposals, one of which is trained
        for trial in trials:
            self._propose_until(trial.number)
            self._wait_for_room()
            draw = self.learner.enqueue({**trial.choices, **trial.idle})
            self.history.proposed = trial.number + 1
            self.proposer.skip_anchor(trial.origin)
            self.learner.constrain(draw, trial.excess)
            if trial.outcome != "passed" and not trial.trained:
                self.proposer.remember(trial.origin)
                self._answer(draw, trial)
                continue
            if trial.trained and any(other.trained for _, other in group):
                self._replay_group(group)  # it was short, as few networks were left
                group = []
            group.append((draw, trial))
            if self.strategy.is_sampled(trial.origin) and len(group) < self.strategy.prescreen:
                continue
            self._replay_group(group)
            group = []
        for candidate in group:
            self._replay_screened(*candidate)

    def _replay_group(self, group: Iterable[Candidate]) -> None:
        """Replay proposals of which one was trained, after which proposals begin anew."""
        for candidate in sorted(group, key=lambda candidate: candidate[1].trained):
            self._replay_screened(*candidate)
        self.proposer.forget()

    def _propose_until(self, number: int) -> None:
        """Repeat the missing proposals before the trial of a number, and train them again."""
        self.limit = number
        try:
            while self.history.proposed < number:
                self._wait_for_room()
                self._submit(*self._next())
        except SpaceExhaustedError:
            self.history.skip(number)
        finally:
            self.limit = None

    def _replay_screened(self, draw: optuna.Trial, trial: Trial) -> None:
        """Tell a trial that was not trained, or leave a trained one running."""
        if trial.trained:
            assert trial.result is not None
            self.results[trial.number] = trial.result
            self._start(draw, trial)
        else:
            self._answer(draw, trial)

    def _next(self) -> Candidate:
        """Return the next network to train. Raises SpaceExhaustedError."""
        anchor = self._first(self.proposer.anchors())
        if anchor is not None:
            return anchor
        origin = self.strategy.uniform_origin(self.history.trainings)
        if origin is not None:
            return self._accept(self.proposer.uniform(origin))
        if self.strategy.prescreen > 1 and (self.prior or self.proxy_scores):
            return self._prescreened()
        return self._accept(self.proposer.sampled())

    def _accept(self, proposals: Iterable[Proposal]) -> Candidate:
        candidate = self._first(proposals)
        if candidate is None:
            raise SpaceExhaustedError
        return candidate

    def _first(self, proposals: Iterable[Proposal]) -> Candidate | None:
        """Return the first proposal worth training; those before it are answered."""
        proposals = iter(proposals)
        while self.limit is None or self.history.proposed < self.limit:
            draw, origin = next(proposals, (None, ""))
            if draw is None:
                break
            values = choices_of(draw, self.space)
            choices = self.space.masked(values)
            idle = {path: value for path, value in values.items() if choices[path] != value}
            trial = self.screening.trial(self.history.proposed, choices, idle, origin)
            self.history.proposed += 1
            self.learner.constrain(draw, trial.excess)
            if trial.trained:
                return draw, self._with_prediction(trial)
            self._answer(draw, trial)
        return None

    def _with_prediction(self, trial: Trial) -> Trial:
        """Return a trial with the prior's prediction, if the prior covers its network."""
        if self.prior is None:
            return trial
        try:
            return structs.replace(trial, predicted=self.prior.accuracy(trial.choices))
        except NotCoveredError:  # few networks of the space may be of another kind
            return trial

    def _prescreened(self) -> Candidate:
        """Return the proposal ranked best by the prior, or else by the proxies, out of several."""
        candidates: list[Candidate] = []
        scores = []
        for _ in range(self.strategy.prescreen):
            try:
                draw, trial = self._accept(self.proposer.sampled())
            except SpaceExhaustedError:
                if not candidates:
                    raise
                break  # fewer are left
            self.screening.known[trial.digest] = trial  # propose it only once
            candidates.append((draw, trial))
            scores.append(self._ranked_by(trial))
        best = best_by_rank(scores)
        for place, (draw, trial) in enumerate(candidates):
            if place != best:
                del self.screening.known[trial.digest]
                self._answer(draw, structs.replace(trial, outcome="passed"))
        return candidates[best]

    def _ranked_by(self, trial: Trial) -> dict[str, float]:
        """Return the scores of a network without training, by name; higher is better."""
        if self.prior is not None:
            return {"prior": -inf if trial.predicted is None else trial.predicted}
        return self.proxy_scores(self.trained_as(trial.choices)) if self.proxy_scores else {}

    def _answer(self, draw: optuna.Trial, trial: Trial) -> None:
        """End a trial without training; if it equals a running one, it waits for that result."""
        for running in self.running:
            if trial.outcome == "known" and running.trial.number == trial.same_as:
                running.duplicates.append((draw, trial))
                return
        self.learner.tell(draw, trial.outcome, trial.values)
        self.history.add(trial)

    def _start(self, draw: optuna.Trial, trial: Trial) -> None:
        self.screening.known[trial.digest] = trial
        self.running.append(_Running(draw, trial, []))
        self.history.trainings += 1

    def _submit(self, draw: optuna.Trial, trial: Trial) -> None:
        self._start(draw, trial)
        graph = self.trained_as(trial.choices)
        # Only told trials set rungs, so that these are the same for any number of workers.
        results = [told.result for told in self.trials if told.result is not None]
        rungs = rungs_of(results, self.strategy.eta)
        job = Job(trial.number, to_yaml(graph), trial.digest, rungs)
        if self.weights is not None:
            near = nearest(trial, self.trials)
            job = structs.replace(
                job,
                inherit=None if near is None else weights_file(self.weights, near),
                leave=weights_file(self.weights, trial),
            )
        self.executor.submit(job, graph)

    def _wait_for_room(self) -> None:
        while len(self.running) >= self.strategy.lag:
            self._finish_oldest()

    def _finish_oldest(self) -> None:
        """Wait for the result of the oldest running trial, and tell it."""
        oldest = self.running[0]
        while oldest.trial.number not in self.results:
            result = self.executor.collect()
            self.results[result.number] = result
        result = self.results.pop(oldest.trial.number)
        self.running.pop(0)
        values = self._values(oldest.trial, result)
        trial = structs.replace(oldest.trial, outcome=result.outcome, values=values, result=result)
        self.screening.known[trial.digest] = trial
        self.learner.report(oldest.draw, result.curve)
        self._answer(oldest.draw, trial)
        for draw, duplicate in oldest.duplicates:
            self._answer(draw, structs.replace(duplicate, values=values))

    def _values(self, trial: Trial, result: TrialResult) -> tuple[float, ...]:
        """Return the values of the objectives; none after a failure."""
        if result.score is None or result.outcome == "failed":
            return ()
        return tuple(
            result.score if self.strategy.is_score(name) else trial.costs[name]
            for name in self.strategy.objectives
        )


def nearest(trial: Trial, trials: Iterable[Trial]) -> Trial | None:
    """Return the trained network that differs from a trial in the fewest decisions."""
    trained = [other for other in trials if other.outcome == "trained"]
    return min(
        trained,
        key=lambda other: sum(
            other.choices.get(path) != value for path, value in trial.choices.items()
        ),
        default=None,
    )


def weights_file(folder: Path, trial: Trial) -> str:
    """Return the file for the weights of a trained network."""
    return (folder / f"trial{trial.number}.safetensors").as_posix()


def best_by_rank(scores: Sequence[Mapping[str, float]]) -> int:
    """Return the index of the network with the best mean rank over all proxies."""
    ranks = [0] * len(scores)
    for proxy in scores[0]:
        for place, own in enumerate(scores):
            ranks[place] += sum(other[proxy] > own[proxy] for other in scores)
    return ranks.index(min(ranks))

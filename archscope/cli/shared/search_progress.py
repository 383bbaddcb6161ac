"""The progress of a search on standard error: a line per trained network, and a status line."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from archscope.cli.shared.terminal import say, tell
from archscope.records.study import TRAINED, Predicted, Trial, data_text
from archscope.search.config import SearchConfig
from archscope.search.pilot import Pilot
from archscope.search.priors import about
from archscope.search.progress import SearchProgress
from archscope.search.time_plan import TimePlan
from archscope.space.sampling import example
from archscope.space.search_space import Space
from archscope.units import format_bytes, format_count, format_duration


class SearchProgressLines(SearchProgress):
    """Prints a line for each trained network and, in a terminal, a status line below."""

    def __init__(self, path: Path, notes: Sequence[str] = ()) -> None:
        """Take the folder of the study, and notes to print when the search begins."""
        self.path, self.notes = path, notes
        self.began = time.perf_counter()
        self.best: float | None = None
        self.counts: Counter[str] = Counter()  # outcomes of this run
        self.total = 0  # trainings of the study
        self.resumed: Sequence[Trial] = ()
        self.plan: TimePlan | None = None
        self.planned = self.began

    def on_start(self, config: SearchConfig, space: Space, resumed: Sequence[Trial]) -> None:
        """Print the space, the budgets and how networks are scored."""
        self.total, self.resumed = config.trials, tuple(resumed)
        scores = [trial.accuracy for trial in resumed if trial.accuracy is not None]
        self.best = max(scores, default=None)
        (entry, *_) = example(space).inputs
        at = "x".join(map(str, entry.out))
        say(f"searching {space.name}, {len(space.decisions)} decisions")
        for budget in config.budgets:
            say(f"  {budget.meaning(at)}")
        if config.judge == "prior":
            say(f"  judged by the prior '{config.prior}': {about(config.prior)}")
        else:
            say(f"  trained on {data_text(config.trainer.data)}")
        for note in self.notes:
            self.on_note(note)
        if resumed:
            say(f"resuming {self.path}, which has {len(resumed)} trials")

    def on_note(self, note: str) -> None:
        """Print a note to the user."""
        say(f"note: {note}")

    def on_pilot(self, pilot: Pilot) -> None:
        """Print how networks are trained, and why."""
        say(pilot.about)

    def on_plan(self, plan: TimePlan) -> None:
        """Print what will be trained, and how long that will probably take."""
        self.plan, self.planned = plan, time.perf_counter()
        say(f"plan: {plan_text(plan)}")

    def on_trial(self, trial: Trial) -> None:
        """Print a line for a trained network; count the other outcomes."""
        self.counts[trial.outcome] += 1
        if trial.trained and trial.outcome != "predicted":
            tell("")
            say(self._line(trial))
        tell(self._state())

    def on_answer(self, network: Predicted, verdict: str) -> None:
        """Print the best network according to a prior, before anything is trained."""
        tell("")
        say(
            f"{network.name}: {format_count(network.costs['macs'])} macs "
            f" {format_count(network.costs['params'])} params; {verdict}"
        )
        say(f"wrote {self.path}/winner.yaml; training it briefly, to check that it learns")

    def on_final(self, done: int, total: int) -> None:
        """Show how many of the final trainings are done."""
        left = ""
        if self.plan is not None and self.plan.finals is not None:
            rounds = -(-(total - done) // self.plan.workers)
            seconds = rounds * self.plan.finals.stretch * self.plan.training
            left = f"  ETA {format_duration(self._until_limit(seconds))}"
        tell(f"training the best again: {done} of {total}{left}")

    def close(self) -> None:
        """Remove the status line."""
        tell("")

    def _line(self, trial: Trial) -> str:
        result = trial.result
        costs = (
            f"{format_count(trial.costs['macs'])} macs  {format_count(trial.costs['params'])}"
            f" params  {format_bytes(trial.costs['access'])} access"
        )
        if result is None or trial.score is None:
            reason = result.reason if result else ""
            return f"trial {trial.number:>4}  {trial.outcome}  {costs}  {reason}"
        mark = ""
        if trial.accuracy is not None and (self.best is None or trial.accuracy > self.best):
            self.best = trial.accuracy
            mark = "  best so far"
        took = "from the cache" if result.cached else format_duration(result.seconds)
        stopped = "  stopped early" if trial.outcome == "pruned" else ""
        return (
            f"trial {trial.number:>4}  {100 * trial.score:5.1f} %  {costs}  {took}"
            f"  {trial.drawn_by}{stopped}{mark}"
        )

    def _state(self) -> str:
        proposed = self.counts.total()
        trained = sum(self.counts[outcome] for outcome in TRAINED)
        feasible = 1 - (self.counts["infeasible"] + self.counts["impossible"]) / proposed
        done = trained + sum(trial.trained for trial in self.resumed)
        left = format_duration(self._left(done, trained)) if trained else "?"
        best = "" if self.best is None else f"  best {100 * self.best:.1f} %"
        judged = "predicted" if self.counts["predicted"] else "trained"
        return (
            f"{done} of {self._trainings()} {judged}, {len(self.resumed) + proposed} proposed{best}"
            f"  {100 * feasible:.0f} % within the budget  {self.counts['known']} known  ETA {left}"
        )

    def _trainings(self) -> int:
        """Return the expected number of trainings of the study."""
        return self.total if self.plan is None else self.plan.trainings

    def _left(self, done: int, trained: int) -> float:
        """Return the expected seconds until the end, after `trained` trainings in this process."""
        each = (time.perf_counter() - self.planned) / trained
        seconds = each * max(self._trainings() - done, 0)
        if self.plan is not None:
            seconds += after_candidates(self.plan)
        return self._until_limit(seconds)

    def _until_limit(self, seconds: float) -> float:
        if self.plan is None or self.plan.limit is None:
            return seconds
        left = self.plan.limit - (time.perf_counter() - self.began)
        return max(0.0, min(seconds, left))


def after_candidates(plan: TimePlan) -> float:
    """Return the expected seconds of repeats and final trainings."""
    seconds = -(-plan.repeats // plan.workers) * plan.training
    if plan.finals is not None:
        seconds += plan.finals.seconds(plan.training, plan.workers)
    return seconds


def plan_text(plan: TimePlan) -> str:
    """Return a plan as a sentence without its full stop."""
    parts = [f"about {plan.trainings} trainings of {format_duration(plan.training)}"]
    if plan.workers > 1:
        parts[0] += f", {plan.workers} at once"
    if plan.repeats:
        parts.append(f"{plan.repeats} again with another seed")
    if plan.finals is not None:
        finals = plan.finals
        parts.append(
            f"the best {finals.networks} {finals.stretch}x as long with {finals.seeds}"
            f" seed{'s' * (finals.seeds != 1)}"
        )
    text = f"{'; then '.join(parts)}; about {format_duration(plan.seconds)}"
    return text if plan.limit is None else f"{text} of {format_duration(plan.limit)}"

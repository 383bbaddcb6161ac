"""The progress of a search on standard error: a line for each trained network, and the state."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from archscope.cli.shared.terminal import say, tell
from archscope.records.study import TRAINED, Trial
from archscope.search.config import SearchConfig
from archscope.search.search import SearchProgress
from archscope.search.strategy import BASELINE
from archscope.space.search_space import Space
from archscope.units import format_bytes, format_count, format_duration


class SearchProgressLines(SearchProgress):
    """Prints a line for each trained network and, in a terminal, the state below them."""

    def __init__(self, path: Path) -> None:
        """Take the folder of the study."""
        self.path = path
        self.began = time.perf_counter()
        self.best: float | None = None
        self.counts: Counter[str] = Counter()  # outcomes of this run
        self.total = 0  # trainings of the study
        self.resumed: Sequence[Trial] = ()

    def on_start(self, config: SearchConfig, space: Space, resumed: Sequence[Trial]) -> None:
        """Print what is searched, inside which budgets."""
        self.total, self.resumed = config.trials, tuple(resumed)
        scores = [trial.accuracy for trial in resumed if trial.accuracy is not None]
        self.best = max(scores, default=None)
        (entry, *_) = space.graph(space.defaults).inputs
        at = "x".join(map(str, entry.out))
        say(f"searching {space.name}, {len(space.decisions)} decisions")
        for budget in config.budgets:
            say(f"  {budget.meaning(at)}")
        if resumed:
            say(f"going on with {self.path}, {len(resumed)} trials are there")

    def on_note(self, note: str) -> None:
        """Print what was damaged."""
        say(f"note: {note}")

    def on_trial(self, trial: Trial) -> None:
        """Print a line for a trained network, and count the others."""
        self.counts[trial.outcome] += 1
        if trial.trained:
            tell("")
            say(self._line(trial))
        tell(self._state())

    def on_final(self, done: int, total: int) -> None:
        """Show how many of the last trainings have ended."""
        tell(f"training the best again: {done} of {total}")

    def close(self) -> None:
        """Remove the state."""
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
        origin = "baseline" if trial.origin == BASELINE else trial.origin
        return (
            f"trial {trial.number:>4}  {100 * trial.score:5.1f} %  {costs}  {took}"
            f"  {origin}{stopped}{mark}"
        )

    def _state(self) -> str:
        proposed = self.counts.total()
        trained = sum(self.counts[outcome] for outcome in TRAINED)
        feasible = 1 - (self.counts["infeasible"] + self.counts["impossible"]) / proposed
        done = trained + sum(trial.trained for trial in self.resumed)
        took = time.perf_counter() - self.began
        left = format_duration(took / trained * max(self.total - done, 0)) if trained else "?"
        best = "" if self.best is None else f"  best {100 * self.best:.1f} %"
        return (
            f"{done} of {self.total} trained, {len(self.resumed) + proposed} proposed{best}"
            f"  {100 * feasible:.0f} % inside the budget  {self.counts['known']} known  ETA {left}"
        )

"""What a person sees while a search goes on: a line for each trained network, and the state."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

import click

from archscope.cli.shared.progress import tell
from archscope.records.study import Trial
from archscope.search.search import Question, Watch
from archscope.search.study import Study
from archscope.space.search_space import Space
from archscope.units import format_bytes, format_count, format_duration


class Lines(Watch):
    """A line on standard error for each trained network; where someone looks, the state below."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.began = time.perf_counter()
        self.best: float | None = None
        self.counts: Counter[str] = Counter()
        self.question: Question | None = None
        self.known = 0

    def begin(self, question: Question, space: Space, known: int) -> None:
        """Say what is searched, inside what."""
        self.question, self.known = question, known
        (entry, *_) = space.graph(space.defaults).inputs
        at = "x".join(map(str, entry.out))
        click.echo(f"searching {space.name}, {len(space.decisions)} decisions", err=True)
        for budget in question.budgets:
            click.echo(f"  {budget.meaning(at)}", err=True)
        if known:
            click.echo(f"going on with {self.path}, {known} trials are there", err=True)

    def trial(self, trial: Trial, study: Study) -> None:
        """Tell of a trained network, and count the others."""
        self.counts[trial.outcome] += 1
        if trial.trained:
            tell("")
            click.echo(self._line(trial), err=True)
        tell(self._state(study))

    def finals(self, done: int, of: int) -> None:
        """Tell how far the last trainings are."""
        tell(f"training the best again: {done} of {of}")

    def close(self) -> None:
        """Take the state away."""
        tell("")

    def _line(self, trial: Trial) -> str:
        verdict = trial.result
        costs = (
            f"{format_count(trial.costs['macs'])} macs  {format_count(trial.costs['params'])}"
            f" params  {format_bytes(trial.costs['access'])} access"
        )
        if verdict is None or verdict.score is None:
            reason = verdict.reason if verdict else ""
            return f"trial {trial.number:>4}  {trial.outcome}  {costs}  {reason}"
        mark = ""
        if trial.outcome == "trained" and (self.best is None or verdict.score > self.best):
            self.best = verdict.score
            mark = "  best so far"
        score = verdict.scores.get("top1", verdict.score)
        took = "known from before" if verdict.cached else format_duration(verdict.seconds)
        stopped = "  stopped early" if trial.outcome == "pruned" else ""
        return (
            f"trial {trial.number:>4}  {100 * score:5.1f} %  {costs}  {took}"
            f"  {trial.origin}{stopped}{mark}"
        )

    def _state(self, study: Study) -> str:
        asked = len(study.trials)
        paid = sum(self.counts[name] for name in ("trained", "pruned", "failed"))
        total = self.question.trials if self.question else 0
        feasible = 1 - (self.counts["infeasible"] + self.counts["impossible"]) / max(
            sum(self.counts.values()), 1
        )
        took = time.perf_counter() - self.began
        done = sum(trial.trained for trial in study.trials)
        left = format_duration(took / paid * max(total - done, 0)) if paid else "?"
        best = "" if self.best is None else f"  best {100 * self.best:.1f} %"
        return (
            f"{done} of {total} trained, {asked} asked{best}  {100 * feasible:.0f} % inside"
            f" the budget  {self.counts['known']} known  ETA {left}"
        )


def watch_of(path: Path) -> Watch:
    """Return who tells the user how the search goes."""
    return Lines(path) if sys.stderr is not None else Watch()

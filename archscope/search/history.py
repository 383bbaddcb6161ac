"""The trials of a study, in the order of their numbers."""

from __future__ import annotations

from collections.abc import Callable

from archscope.records.study import Trial


class History:
    """Collects trials that end in any order; `trials` is the prefix without gaps."""

    def __init__(self, on_trial: Callable[[Trial], None]) -> None:
        """Take a function that is called with each trial added to `trials`."""
        self.on_trial = on_trial
        self.trials: list[Trial] = []
        self.early: dict[int, Trial] = {}  # ended, but an earlier one has not
        self.joining = 0  # the next number to add to `trials`
        self.absent: set[int] = set()  # numbers lost by an earlier run
        self.proposed = 0  # the number of the next proposal
        self.trainings = 0  # trainings begun so far

    def add(self, trial: Trial) -> None:
        """Add a trial that has ended."""
        self.early[trial.number] = trial
        self._join()

    def skip(self, number: int) -> None:
        """Continue with the proposal of a number; skipped numbers are absent."""
        self.absent.update(range(self.proposed, number))
        self.proposed = number
        self._join()

    def _join(self) -> None:
        while self.joining in self.early or self.joining in self.absent:
            if self.joining in self.early:
                self.trials.append(self.early.pop(self.joining))
                self.on_trial(self.trials[-1])
            self.joining += 1

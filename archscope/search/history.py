"""The trials of a study, in the order of their numbers."""

from __future__ import annotations

from collections.abc import Callable

from archscope.records.study import Trial


class History:
    """Collects trials that end in any order; `trials` has those with no open one before them."""

    def __init__(self, on_trial: Callable[[Trial], None]) -> None:
        """Take what is called with each trial as it joins `trials`."""
        self.on_trial = on_trial
        self.trials: list[Trial] = []
        self.early: dict[int, Trial] = {}  # ended, but after one that has not
        self.joining = 0  # the number that joins `trials` next
        self.absent: set[int] = set()  # numbers that an earlier run lost
        self.proposed = 0  # the number of the next proposal
        self.trainings = 0  # begun, those that have ended included

    def add(self, trial: Trial) -> None:
        """Add a trial that has ended."""
        self.early[trial.number] = trial
        self._join()

    def skip(self, number: int) -> None:
        """Go on with the proposal of a number; those before it that were not made are absent."""
        self.absent.update(range(self.proposed, number))
        self.proposed = number
        self._join()

    def _join(self) -> None:
        while self.joining in self.early or self.joining in self.absent:
            if self.joining in self.early:
                self.trials.append(self.early.pop(self.joining))
                self.on_trial(self.trials[-1])
            self.joining += 1

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
        self.proposed = 0  # the number of the next proposal
        self.trainings = 0  # begun, those that have ended included

    def add(self, trial: Trial) -> None:
        """Add a trial that has ended."""
        self.early[trial.number] = trial
        while len(self.trials) in self.early:
            self.trials.append(self.early.pop(len(self.trials)))
            self.on_trial(self.trials[-1])

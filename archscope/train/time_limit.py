"""The time limit of a training, by which its schedule may end early."""

from __future__ import annotations

import torch

from archscope.train.distributed import Processes

HURRY = 0.1
"""Fraction of max_time after which the schedule may follow the clock."""


class TimeLimit:
    """How much of a training is done: by steps, or by the clock of `max_time`."""

    def __init__(
        self, limit: float | None, steps: int | None, processes: Processes, device: torch.device
    ) -> None:
        """Take the seconds and the steps of the whole training, None for no limit."""
        self.limit, self.steps = limit, steps
        self.processes, self.device = processes, device
        self.share = 0.0  # of the limit that is spent; several processes agree on it now and then

    def progress(self, steps: int, seconds: float) -> float:
        """Return how much of the training is done, from 0 to 1.

        The clock counts where max_time is likely to end the training: when it is ahead of the
        steps after a tenth of that time. So a limit that is far away changes nothing.
        """
        done = steps / self.steps if self.steps is not None else 0.0
        if self.limit is None:
            return done
        if self.processes.count == 1:
            self.share = seconds / self.limit
        if self.steps is not None and self.share <= max(done, HURRY):
            return done
        return min(1.0, self.share)

    def is_reached(self, seconds: float, ready: bool) -> bool:
        """Return whether the time is up; several processes communicate only when `ready`."""
        if self.limit is None or (self.processes.count > 1 and not ready):
            return False
        self.share = self.processes.mean(seconds, self.device) / self.limit
        return self.share >= 1

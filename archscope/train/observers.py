"""Who looks on while a network trains, and who keeps what it leaves."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from archscope.records.training import Epoch, Finding, Interval

Weights = dict[str, Tensor]


class Watcher:
    """Is told how a training goes; this one does not care."""

    def begin(self, steps: int, total: int | None) -> None:
        """Training begins, or goes on, after so many steps of so many."""

    def step(self) -> None:
        """A step was done."""

    def interval(self, row: Interval) -> None:
        """Another interval was measured."""

    def epoch(self, row: Epoch) -> None:
        """Another epoch was measured."""

    def finding(self, one: Finding) -> None:
        """Something is wrong inside of the network."""

    def close(self) -> None:
        """It is over, one way or another."""


class Watchers(Watcher):
    """Tells several watchers, each in its turn."""

    def __init__(self, *watchers: Watcher) -> None:
        self.watchers = watchers

    def begin(self, steps: int, total: int | None) -> None:
        """Tell all that training begins."""
        for watcher in self.watchers:
            watcher.begin(steps, total)

    def step(self) -> None:
        """Tell all of a step."""
        for watcher in self.watchers:
            watcher.step()

    def interval(self, row: Interval) -> None:
        """Tell all of an interval."""
        for watcher in self.watchers:
            watcher.interval(row)

    def epoch(self, row: Epoch) -> None:
        """Tell all of an epoch."""
        for watcher in self.watchers:
            watcher.epoch(row)

    def finding(self, one: Finding) -> None:
        """Tell all of a finding."""
        for watcher in self.watchers:
            watcher.finding(one)

    def close(self) -> None:
        """Tell all that it is over."""
        for watcher in self.watchers:
            watcher.close()


class Keeper:
    """Keeps what a training leaves; this one keeps the best weights in memory."""

    def __init__(self) -> None:
        self.weights: Weights = {}

    def interval(self, row: Interval) -> None:
        """Keep a row of steps."""

    def epoch(self, row: Epoch) -> None:
        """Keep a row of epochs."""

    def best(self, weights: Weights, row: Epoch) -> None:
        """Keep weights that did better than all before."""
        self.weights = {name: one.detach().clone() for name, one in weights.items()}

    def last(self, weights: Weights, row: Epoch) -> None:
        """Keep the weights that an epoch ended with."""

    def state(self, state: dict[str, Any]) -> None:
        """Keep all that is needed to go on from here."""

    def best_weights(self) -> Weights:
        """Return the weights that did best; none if there are none yet."""
        return self.weights

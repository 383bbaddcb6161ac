"""Runs that differ in their seed alone: one network, with the mean and the spread of its scores."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from statistics import fmean, stdev

import msgspec
from msgspec import Struct

from archscope.records.training import RunSummary, State

SEED = re.compile(r"(.+)-seed\d+")
OF_A_SEED = (
    "untrained", "untrained_test", "margin_unit", "taught", "validation", "test",
    "classes_with_turns",
)  # fmt: skip
"""What a task says of itself that its seed decides."""


class Spread(Struct, frozen=True):
    """Mean of a measure over seeds, and the standard deviation of the sample (n - 1)."""

    mean: float
    deviation: float | None  # None of one seed
    seeds: int


class SeedGroup(Struct, frozen=True):
    """The runs of one network, recipe and data set, by seed; `name` finds them in their folder."""

    name: str
    runs: tuple[RunSummary, ...]

    @property
    def state(self) -> str:
        """The state of all runs, or how many are in each: `2 finished, 1 killed`."""
        states: list[State] = [run.state for run in self.runs]
        kinds = list(dict.fromkeys(states))
        if len(kinds) == 1:
            return kinds[0]
        return ", ".join(f"{states.count(kind)} {kind}" for kind in kinds)

    def scores(self, split: str) -> Spread | None:
        """Return the goal of `validation`, at its best, or of `test`; None if no run has it."""
        return spread([value for run in self.runs if (value := goal_of(run, split)) is not None])


def spread(values: Sequence[float]) -> Spread | None:
    """Return mean and deviation of the scores of seeds; None of no scores."""
    if not values:
        return None
    return Spread(fmean(values), stdev(values) if len(values) > 1 else None, len(values))


def goal_of(run: RunSummary, split: str) -> float | None:
    """Return a run's goal in `validation`, at its best, or in `test`."""
    scores = run.test if split == "test" else run.best and run.best.validation
    return scores.get(run.goal) if scores else None


def seed_groups(runs: Iterable[tuple[Path, RunSummary]]) -> list[SeedGroup]:
    """Return runs with those that differ in their seed alone together, in order of the first.

    Of runs with the same seed the last counts, as they say nothing new.
    """
    found: dict[Hashable, dict[int, RunSummary]] = {}
    for path, summary in runs:
        found.setdefault(training_identity(path, summary), {})[summary.seed] = summary
    return [
        SeedGroup(_name(group), tuple(run for _, run in sorted(group.items())))
        for group in found.values()
    ]


def _stem(name: str) -> str | None:
    match = SEED.fullmatch(name)
    return match and match[1]


def _name(group: dict[int, RunSummary]) -> str:
    """Return what the runs are called together."""
    names = [run.name for _, run in sorted(group.items())]
    stems = {_stem(name) for name in names}
    stem = stems.pop() if len(stems) == 1 else None
    return stem if stem and len(names) > 1 else ", ".join(names)


def training_identity(path: Path, summary: RunSummary) -> Hashable:
    """Return what was trained and how, less the seed."""
    files = (path / "spec.yaml", path / "recipe.yaml")
    texts = tuple(file.read_bytes() if file.is_file() else b"" for file in files)
    task = {key: value for key, value in summary.task.items() if key not in OF_A_SEED}
    data = (summary.data.get("digest"), summary.data.get("adapt"))
    rest = msgspec.json.encode((summary.network, task, data, summary.pretrained), order="sorted")
    return *texts, rest

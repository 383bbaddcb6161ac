"""Group runs that differ only in their seed, with the mean and spread of their scores."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean, stdev

import msgspec
from msgspec import Struct

from archscope.errors import OptionError
from archscope.records.run_folder import read_summary
from archscope.records.training import RunSummary, State

SEED = re.compile(r"(.+)-seed\d+")
OF_A_SEED = (
    "untrained", "untrained_test", "margin_unit", "anchor", "taught", "validation", "test",
    "classes_with_turns",
)  # fmt: skip
"""The keys of a task's description that depend on its seed."""


class Spread(Struct, frozen=True):
    """The mean of a measure over seeds, and the sample standard deviation (n - 1)."""

    mean: float
    deviation: float | None  # None for a single seed
    seeds: int


class SeedGroup(Struct, frozen=True):
    """The runs of a network, recipe and data set, by seed; `name` is their common name."""

    name: str
    runs: tuple[RunSummary, ...]

    @property
    def state(self) -> str:
        """The common state of the runs, or the number in each state: `2 finished, 1 killed`."""
        states: list[State] = [run.state for run in self.runs]
        kinds = list(dict.fromkeys(states))
        if len(kinds) == 1:
            return kinds[0]
        return ", ".join(f"{states.count(kind)} {kind}" for kind in kinds)

    def scores(self, split: str) -> Spread | None:
        """Return the goal in `validation` (its best) or `test`; None if no run has it."""
        return spread([value for run in self.runs if (value := goal_of(run, split)) is not None])


def spread(values: Sequence[float]) -> Spread | None:
    """Return the mean and deviation of scores of seeds; None if there are none."""
    if not values:
        return None
    return Spread(fmean(values), stdev(values) if len(values) > 1 else None, len(values))


def goal_of(run: RunSummary, split: str) -> float | None:
    """Return a run's goal in `validation` (its best) or `test`."""
    scores = run.test if split == "test" else run.best and run.best.validation
    return scores.get(run.goal) if scores else None


def seed_groups(runs: Iterable[tuple[Path, RunSummary]]) -> list[SeedGroup]:
    """Group runs that differ only in their seed, in order of their first.

    Of runs with the same seed only the last counts, as they are equal.
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
    """Return the common name of the runs."""
    names = [run.name for _, run in sorted(group.items())]
    stems = {_stem(name) for name in names}
    stem = stems.pop() if len(stems) == 1 else None
    return stem if stem and len(names) > 1 else ", ".join(names)


def training_identity(path: Path, summary: RunSummary) -> Hashable:
    """Return a key for what was trained and how, except the seed."""
    files = (path / "spec.yaml", path / "recipe.yaml")
    texts = tuple(file.read_bytes() if file.is_file() else b"" for file in files)
    task = {key: value for key, value in summary.task.items() if key not in OF_A_SEED}
    data = (summary.data.get("digest"), summary.data.get("adapt"))
    rest = msgspec.json.encode((summary.network, task, data, summary.pretrained), order="sorted")
    return *texts, rest, *_steps(summary)


def _steps(summary: RunSummary) -> Iterator[str]:
    """Yield the steps of compression before a run, by what each added to the name of a run.

    Sparse networks of two steps differ only in the weights that they start from.
    """
    while summary.compressed_from:
        origin = Path(summary.compressed_from)
        yield summary.name.removeprefix(origin.name)
        try:
            summary = read_summary(origin)
        except OptionError:  # it was moved or removed
            return

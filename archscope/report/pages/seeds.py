"""Combine runs of a network with several seeds, which a report shows as one network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from msgspec import structs

from archscope.metrics import ACCURACY
from archscope.records.run_folder import read_summary
from archscope.records.seeds import training_identity
from archscope.report.pages.content import NetworkSection, RunSection
from archscope.report.pages.network_section import identifier
from archscope.report.pages.quality import measured

Training = tuple[object, ...]
"""A key for what was trained and how, except the seed."""

SEED = re.compile(r"[-_. ]*(seed|s)?[-_. ]*\d*$")
"""The end of the names of runs with several seeds."""


def training_key(path: Path, run: RunSection) -> Training:
    """Return a key for what was trained and how; it is unique for runs without an accuracy."""
    if run.measured is None:
        return (path,)
    return (training_identity(path, read_summary(path)), run.measured.on)


def over_seeds(
    section: NetworkSection, runs: Sequence[RunSection], taken: Sequence[str]
) -> NetworkSection:
    """Return the section of a network with its accuracy over the seeds of some runs.

    `taken` are the ids of other networks.
    """
    known = [run.measured for run in sorted(runs, key=lambda run: run.seed) if run.measured]
    found = measured([each.mean for each in known], known[0].images, known[0].on)
    shared = SEED.sub("", _shared([run.name for run in runs])) or runs[0].network
    name = f"{shared} ({len(runs)} seeds)"
    return structs.replace(
        section,
        id=identifier(name, taken),
        name=name,
        values={**section.values, ACCURACY: found.mean},
        measured=found,
    )


def _shared(names: Sequence[str]) -> str:
    """Return the common prefix of names."""
    letters = takewhile(lambda each: len(set(each)) == 1, zip(*names, strict=False))
    return "".join(each[0] for each in letters)

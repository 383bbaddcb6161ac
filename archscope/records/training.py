"""What a training says of itself: rows of steps and epochs, findings, and the summary."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

Scores = dict[str, float]
"""Measures by name, over all images."""

State = Literal["running", "killed", "finished", "stopped", "diverged", "failed"]
"""`stopped` and `running` (after a crash) go on with --resume; `finished` has its test scores."""

FORMAT = 1


class Interval(Struct, frozen=True):
    """The mean over the steps since the row before, or since the epoch began."""

    epoch: int  # from 1
    step: int  # of the whole training, from 1; the last of the interval
    train: Scores
    learning_rate: float
    gradient: float  # norm of the whole gradient at the last step, before clipping
    images_per_second: float
    seconds: float  # since the training began, pauses left out


class Epoch(Struct, frozen=True):
    """One pass over all images. `train` is measured while the weights still move."""

    epoch: int  # from 1
    step: int  # steps done by its end
    train: Scores
    validation: Scores | None
    learning_rate: float  # of its last step
    images_per_second: float  # of training, without validation
    seconds: float


class Finding(Struct, frozen=True):
    """Something wrong inside of the network, seen while it trained."""

    kind: str
    node: str
    value: float
    message: str
    epoch: int


class Summary(Struct, frozen=True):
    """A whole training, as `run.json` keeps it."""

    format: int
    name: str
    network: str
    state: State
    reason: str  # why it ended: epochs, time, patience, report, interrupt, or what went wrong
    task: dict[str, Any]
    data: dict[str, Any]  # name, digest, folder, images of each split
    seed: int
    deterministic: bool
    device: str
    params: int
    macs: int
    epochs: int  # whole ones
    steps: int
    seconds: float
    goal: str
    best: Epoch | None  # the epoch whose weights are kept as best
    last: Epoch | None
    test: Scores | None  # once, at the end, with the best weights
    verdict: str
    findings: tuple[Finding, ...]
    started: str
    archscope: str
    command: str = ""

"""Records of one training run: its rows by step and by epoch, diagnoses, and the summary."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

Scores = dict[str, float]
"""Measures by name, over all images."""

State = Literal["running", "killed", "finished", "stopped", "diverged", "failed"]
"""`stopped` and `running` (after a crash) can be resumed; `finished` has its test scores."""

FORMAT = 1


class Interval(Struct, frozen=True):
    """Means over the steps since the previous row, or since the epoch began."""

    epoch: int  # from 1
    step: int  # of the whole training, from 1; the last of the interval
    train: Scores
    learning_rate: float
    gradient: float  # norm of the whole gradient at the last step, before clipping
    images_per_second: float
    seconds: float  # since the training began, pauses left out


class Epoch(Struct, frozen=True):
    """One pass over all training images; `train` is measured while the weights still change."""

    epoch: int  # from 1
    step: int  # steps done by its end
    train: Scores
    validation: Scores | None
    learning_rate: float  # of its last step
    images_per_second: float  # of training, without validation
    seconds: float


class Diagnosis(Struct, frozen=True):
    """A problem inside the network that was detected while it trained."""

    kind: str
    node: str
    value: float
    message: str
    epoch: int


class RunSummary(Struct, frozen=True, kw_only=True):
    """A whole training run, the content of `run.json`."""

    format: int
    name: str
    network: str
    state: State
    reason: str  # why it ended: epochs, time, patience, report, interrupt, or the error
    task: dict[str, Any]  # its kind and settings
    data: dict[str, Any]  # name, digest, folder, number of images in each split
    seed: int
    deterministic: bool
    device: str
    params: int
    macs: int
    epochs: int  # completed
    steps: int
    seconds: float
    goal: str  # the measure that chooses the best epoch
    best: Epoch | None  # the epoch whose weights are kept as best
    last: Epoch | None
    test: Scores | None  # measured once, at the end, with the best weights
    fit: str = field(name="verdict")  # overfitting, underfitting or a good fit, in a sentence
    diagnoses: tuple[Diagnosis, ...] = field(name="findings")
    started: str
    archscope: str
    command: str = ""

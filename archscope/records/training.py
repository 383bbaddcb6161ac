"""The records of a training run: rows by step and by epoch, diagnoses, and the summary."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

Scores = dict[str, float]
"""Measures by name, over all images."""

State = Literal["running", "killed", "finished", "stopped", "diverged", "failed"]
"""`stopped` and `running` (after a crash) can be resumed; `finished` has its test scores."""

FORMAT = 1

MOST_PIXELS = 1 << 16
"""The largest plausible side of a training image."""


class Interval(Struct, frozen=True):
    """Means over the steps since the previous row or the start of the epoch."""

    epoch: int  # from 1
    step: int  # the last of the interval, counted over the whole training from 1
    train: Scores
    learning_rate: float
    gradient: float  # norm of the whole gradient at the last step, before clipping
    images_per_second: float
    seconds: float  # since the training began, without pauses


class Epoch(Struct, frozen=True, omit_defaults=True):
    """A pass over all training images; `train` is measured while the weights change."""

    epoch: int  # from 1
    step: int  # steps done by its end
    train: Scores
    validation: Scores | None
    learning_rate: float  # of its last step
    images_per_second: float  # of training, without validation
    seconds: float
    interpolation: float | None = None  # of the validated weights: 0 untrained, 1 trained


class Diagnosis(Struct, frozen=True):
    """A problem inside the network, detected during training."""

    kind: str
    node: str
    value: float
    message: str
    epoch: int


Size = Annotated[int, Meta(ge=1, le=MOST_PIXELS)]


class ImageSource(Struct, frozen=True):
    """The data set that a run was trained on."""

    name: str
    folder: str | None = None


class ImageAdaptation(Struct, frozen=True):
    """How images were fitted to the input of the network; shapes are (C, H, W)."""

    source: tuple[Size, Size, Size]
    target: tuple[Size, Size, Size]
    how: Literal["none", "resize", "pad"]
    channels: Literal["same", "repeat"]


class PixelStatistics(Struct, frozen=True):
    """The mean and standard deviation of each channel, for pixels between 0 and 1."""

    mean: Annotated[tuple[float, ...], Meta(min_length=1)]
    std: Annotated[tuple[Annotated[float, Meta(ge=0)], ...], Meta(min_length=1)]


class TrainedOn(Struct, frozen=True, kw_only=True):
    """The fields of `RunSummary.data`, all optional."""

    name: str
    source: ImageSource | UnsetType = UNSET
    digest: str = ""
    classes: Annotated[tuple[str, ...], Meta(min_length=1)] | UnsetType = UNSET
    adapt: dict[Literal["how", "channels"], str] = {}
    adaptation: ImageAdaptation | UnsetType = UNSET
    statistics: PixelStatistics | UnsetType = UNSET
    train: int = 0
    validation: int = 0
    test: int = 0
    chance: float | UnsetType = UNSET  # accuracy of always guessing the most frequent class


class DistillationRecord(Struct, frozen=True, kw_only=True):
    """The fields of `RunSummary.task` for a run with a teacher."""

    kind: str
    teacher: str
    temperature: Annotated[float, Meta(gt=0)]
    alpha: Annotated[float, Meta(ge=0, le=1)]
    pairs: tuple[tuple[str, str], ...] = ()


class TaskRecord(Struct, frozen=True):
    """The fields of `RunSummary.task`; tasks of users have kinds of their own."""

    kind: str


class Pretrained(Struct, frozen=True):
    """The weights that a training started from; those of `new` and of heads are initialised."""

    file: str
    sha256: str
    by: Literal["name", "order"]  # how weights of the file were matched to the network
    weights: int  # number of weights taken from the file
    new: tuple[str, ...]  # weights of the network that the file lacks, or has in another shape
    unused: tuple[str, ...]  # weights of the file that the network lacks, or has in another shape


class RunSummary(Struct, frozen=True, kw_only=True):
    """A training run, the content of `run.json`."""

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
    goal: str  # the measure that determines the best epoch
    best: Epoch | None  # the epoch whose weights are kept as best
    last: Epoch | None
    test: Scores | None  # measured once, at the end, with the best weights
    fit: str = field(name="verdict")  # overfitting, underfitting or a good fit, in a sentence
    diagnoses: tuple[Diagnosis, ...] = field(name="findings")
    started: str
    archscope: str
    command: str = ""
    pretrained: Pretrained | None = None
    compressed_from: str = ""  # folder of the run that it was pruned or quantized from
    initial_sha256: str = ""  # of given weights that it began with; see `weights.digest_of`

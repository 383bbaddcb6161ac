"""The content of a report as plain records, independent of its format."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from archscope.analysis.result import Totals
from archscope.drawing.overlay import Overlay
from archscope.metrics import METRICS
from archscope.records.inspection import Inspection
from archscope.records.score_metric import TRAINED_SCORE, ScoreMetric
from archscope.records.study import Finalist, PriorReport
from archscope.records.training import Diagnosis
from archscope.report.tables.compression import Compression
from archscope.rules.rule import Score

FORMAT = 1
"""Version of the JSON contract: keys may be added, never renamed."""

LESS = "less"


class Measure(Struct, frozen=True):
    """A metric on the page: the format of its values, and which are better."""

    key: str
    label: str
    kind: str  # its format: count, bytes, share, ratio, number, seconds or a unit such as J
    better: str | None  # "less", "more", or None for neither
    about: str
    minor: bool = False  # only in the full table


MEASURES = {
    m.key: Measure(m.key, m.label, m.kind, m.better, m.about, m.column == "minor")
    for m in METRICS.values()
    if m.column != "absent"
}
"""Every measure by key, in the order of the table."""


class LayerPoint(Struct, frozen=True, gc=False):
    """A layer in charts and tables."""

    name: str
    op: str
    inputs: tuple[str, ...]
    out: tuple[int, ...]
    params: int
    macs: int
    memory_access_bytes: int
    alive_bytes: int | None  # feature maps held while it runs
    field: int | None  # along the longer axis; None if it sees all, or if it is unknown
    stride: str | None  # None if its receptive field is unknown, as of a second input
    seconds: float | None = None  # measured, for one image
    attributes: str = ""  # of its operator, less those with their default value
    window: str = ""  # as figures write it: "3x3/2", and "shared" if its weights are another's


class Stage(Struct, frozen=True):
    """All layers whose outputs have one size."""

    key: str  # size relative to the input: "1/4"; "vector" without extent; "sequence" of tokens
    size: str  # "56x56"
    layers: int
    channels: int  # most of them
    params: int
    macs: int
    memory_access_bytes: int
    peak_bytes: int | None


class MeasuredAccuracy(Struct, frozen=True):
    """The accuracy of a trained network, over the seeds of its trainings."""

    scores: tuple[float, ...]  # one per seed, as shares
    mean: float
    spread: float | None  # sample standard deviation; None for a single seed
    images: int  # number of images behind each score; 0 if unknown
    on: str  # the images, such as "digits test images"


Pair = tuple[int | None, int | None]
"""A value before and after; None where there is no such layer."""


class LayerBefore(Struct, frozen=True):
    """A layer before and after a network was pruned or quantized."""

    name: str
    op: str
    channels: Pair  # of its output
    params: Pair
    macs: Pair


class Before(Struct, frozen=True):
    """What a network was before it was pruned or quantized."""

    name: str  # of the original network, or of its run
    params: tuple[int, int]
    macs: tuple[int, int]
    layers: tuple[LayerBefore, ...]  # that changed
    all_layers: int
    weight_bytes: tuple[int, int] | None = None  # if weights are counted as stored


class NetworkSection(Struct, frozen=True):
    """The section on one network."""

    id: str  # stable id of the section
    name: str
    source: str  # the command-line argument it came from
    about: str
    paper: str
    input: str
    batch: int
    dtype: str
    values: dict[str, float | None]  # by the key of the measure
    field: str
    totals: Totals
    scores: tuple[Score, ...]
    findings: tuple[dict[str, Any], ...]
    stages: tuple[Stage, ...]
    layers: tuple[LayerPoint, ...]
    yaml: str | None
    missing: tuple[str, ...]  # unknown facts, with reasons
    accuracy: tuple[str, ...] = ()  # published and predicted accuracy, as phrases
    measured: MeasuredAccuracy | None = None
    published: str = ""  # the source of its published accuracy, and the recipe
    overlay: Overlay | None = None  # values for the drawing: the user's own, or what went
    predicted: tuple[float, float] | None = None  # interval of the predicted accuracy, as shares
    latency: tuple[str, ...] = ()  # latency predicted by a profile, as phrases
    before: Before | None = None
    weights: str = ""  # the file whose weights determine bytes, if there is one


class Winner(Struct, frozen=True):
    """The best network by one measure, and its margin."""

    measure: str
    label: str
    id: str
    name: str
    value: str = field(name="shown")
    margin: str = field(name="words")


class Curve(Struct, frozen=True):
    """One measure over steps, epochs or trials."""

    name: str
    x: tuple[float | None, ...]
    y: tuple[float | None, ...]


class Confusion(Struct, frozen=True):
    """How often class i (row) was predicted as class j (column)."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class RunSection(Struct, frozen=True, kw_only=True):
    """The section on one training run."""

    id: str
    name: str
    network: str
    state: str
    fit: str = field(name="verdict")  # overfitting, underfitting or a good fit
    facts: tuple[tuple[str, str], ...]
    epochs: tuple[Curve, ...]
    steps: tuple[Curve, ...]
    diagnoses: tuple[Diagnosis, ...] = field(name="findings")
    confusion: Confusion | None
    accuracy: float | None
    seed: int
    measured: MeasuredAccuracy | None  # with what the accuracy is of
    missing: tuple[str, ...]
    inspection: Inspection | None = field(name="look")


class TrainingJob(Struct, frozen=True):
    """One training of a search, with its worker and time."""

    trial: int
    worker: int
    started: float  # seconds since the study began
    seconds: float
    outcome: str


class BudgetUse(Struct, frozen=True):
    """The share of a budget that the networks of a search use."""

    budget: str
    inside: tuple[float, ...]
    beyond: tuple[float, ...]  # more than the budget, or less than its lower limit
    cost: str  # the column of the trials that it limits
    limit: float  # in the unit of that column
    least: float | None = None  # its lower limit, as a share


class Agreement(Struct, frozen=True):
    """A training and the prior's prediction for it."""

    trial: int
    predicted: float  # top-1 as a share
    measured: float  # the score


class StudySection(Struct, frozen=True):
    """The section on one search."""

    id: str
    name: str
    state: str
    conclusion: str = field(name="verdict")
    facts: tuple[tuple[str, str], ...]
    counts: tuple[tuple[str, int], ...]  # networks by outcome
    best: tuple[Curve, ...]  # best so far, of the search and of its baseline
    importance: tuple[tuple[str, float], ...]
    proxies: tuple[tuple[str, float], ...]  # rank correlation with the accuracy
    jobs: tuple[TrainingJob, ...] = field(name="work")
    decisions: tuple[str, ...]
    finalists: tuple[Finalist, ...]
    columns: tuple[str, ...]
    trials: tuple[tuple[Any, ...], ...]
    missing: tuple[str, ...]
    random_band: tuple[Curve, ...] = field(name="chance")  # low and high, of random search
    budgets: tuple[BudgetUse, ...]
    score: str = "accuracy"  # the score of the networks, and the name of its column
    metric: ScoreMetric = TRAINED_SCORE  # of the scores that are not predicted
    evaluator: str = ""  # the user's function that gave the scores, if one did
    prior: PriorReport | None = None  # for a search judged by a prior
    agreement: tuple[Agreement, ...] = ()
    trust: tuple[str, ...] = ()  # sentences about how far its conclusion can be trusted
    guessing: bool = False  # its best mean is no better than always guessing one class
    failed: int = 0  # trainings that failed
    costs: dict[str, str] = {}  # the columns that are costs, with the formats of their values
    p_values: dict[str, float] = {}  # of decisions, Kruskal-Wallis, corrected by Holm


class CompressionSection(Struct, frozen=True):
    """The section on one compression."""

    id: str
    name: str
    conclusion: str
    notes: tuple[str, ...]
    split: str  # the images that accuracies are of: "test" or "validation"
    mean: Compression  # its steps, the whole network first; means over the seeds
    seeds: tuple[Compression, ...]
    keep: float | None  # points of accuracy that may be lost


class Problem(Struct, frozen=True):
    """An input that could not be shown, and why."""

    source: str
    reason: str


class Page(Struct, frozen=True):
    """A whole report."""

    format: int
    title: str
    date: str
    archscope: str
    answer: tuple[str, ...]  # which network to ship and why, in up to three sentences
    summary: tuple[str, ...] = field(name="words")
    winners: tuple[Winner, ...]
    measures: tuple[Measure, ...]  # those that some network has
    networks: tuple[NetworkSection, ...]
    runs: tuple[RunSection, ...]
    studies: tuple[StudySection, ...]
    problems: tuple[Problem, ...]
    compressions: tuple[CompressionSection, ...] = ()

"""What a report says, before anyone decided how it looks: records, and no more."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from archscope.analysis.bundle import Totals
from archscope.metrics import METRICS
from archscope.records.inspection import Inspection
from archscope.records.study import Finalist
from archscope.records.training import Diagnosis
from archscope.rules.rule import Score

FORMAT = 1
"""Version of the JSON contract: keys may be added, never renamed."""

LESS = "less"


class Measure(Struct, frozen=True):
    """A metric as the page needs it: how its values are written, and which are better."""

    key: str
    label: str
    kind: str  # how it is written: count, bytes, share, ratio, number, seconds or a unit such as J
    better: str | None  # "less", "more", or None where neither is
    about: str
    minor: bool = False  # not in the table unless all of it is asked for


MEASURES = tuple(
    Measure(m.key, m.label, m.kind, m.better, m.about, m.column == "minor")
    for m in METRICS.values()
    if m.column != "absent"
)
"""Every measure, in the order of the table."""


class LayerPoint(Struct, frozen=True, gc=False):
    """One layer, as charts and tables want it."""

    name: str
    op: str
    inputs: tuple[str, ...]
    out: tuple[int, ...]
    params: int
    macs: int
    memory_access_bytes: int
    alive_bytes: int | None  # feature maps held while it runs
    field: int | None  # along the longer axis; None if it sees all
    stride: str
    seconds: float | None = None  # measured, for one image


class Stage(Struct, frozen=True):
    """All layers whose result has one size."""

    key: str  # how often the input was halved, as text: "1/4"; "vector" without an extent
    size: str  # "56x56"
    layers: int
    channels: int  # most of them
    params: int
    macs: int
    memory_access_bytes: int
    peak_bytes: int | None


class Network(Struct, frozen=True):
    """Everything the report says of one network."""

    id: str  # of its section, stable
    name: str
    source: str  # the word that asked for it
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
    missing: tuple[str, ...]  # what is not known, and why


class Winner(Struct, frozen=True):
    """Who is best by one measure, and by how much."""

    measure: str
    label: str
    id: str
    name: str
    shown: str
    words: str


class Curve(Struct, frozen=True):
    """One measured thing over steps or epochs."""

    name: str
    x: tuple[float | None, ...]
    y: tuple[float | None, ...]


class Confusion(Struct, frozen=True):
    """How often class i (row) was taken for class j (column)."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class RunPage(Struct, frozen=True, kw_only=True):
    """One training."""

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
    missing: tuple[str, ...]
    inspection: Inspection | None = field(name="look")


class Work(Struct, frozen=True):
    """One training of a search, and who did it when."""

    trial: int
    worker: int
    started: float  # seconds since the study began
    seconds: float
    outcome: str


class BudgetUse(Struct, frozen=True):
    """How much of one budget the networks of a search take, as shares of it."""

    budget: str
    inside: tuple[float, ...]
    beyond: tuple[float, ...]


class StudyPage(Struct, frozen=True):
    """One search: its arms over trials, its trials as points, and what decided."""

    id: str
    name: str
    state: str
    verdict: str
    facts: tuple[tuple[str, str], ...]
    counts: tuple[tuple[str, int], ...]  # networks by what became of them
    best: tuple[Curve, ...]  # best so far, one for each arm
    importance: tuple[tuple[str, float], ...]
    proxies: tuple[tuple[str, float], ...]  # rank correlation with the accuracy
    work: tuple[Work, ...]
    decisions: tuple[str, ...]
    finalists: tuple[Finalist, ...]
    columns: tuple[str, ...]
    trials: tuple[tuple[Any, ...], ...]
    missing: tuple[str, ...]
    chance: tuple[Curve, ...] = ()  # low and high: the best of so many networks of the control arm
    budgets: tuple[BudgetUse, ...] = ()


class Problem(Struct, frozen=True):
    """Something that could not be shown, and why."""

    source: str
    reason: str


class Page(Struct, frozen=True):
    """A whole report."""

    format: int
    title: str
    date: str
    archscope: str
    words: tuple[str, ...]  # the summary
    winners: tuple[Winner, ...]
    measures: tuple[Measure, ...]  # those that some network has
    networks: tuple[Network, ...]
    runs: tuple[RunPage, ...]
    studies: tuple[StudyPage, ...]
    problems: tuple[Problem, ...]

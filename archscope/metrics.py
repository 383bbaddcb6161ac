"""The metrics by which networks are compared and limited, one record each.

Budgets, costs of candidates, objectives of a search, `--max-...` options, tables and the report
page all read `METRICS`. A new metric is one more record; one that must be measured names the
function that measures it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from operator import attrgetter
from typing import Any, Literal

from msgspec import Struct, structs

from archscope.analysis.result import Analysis
from archscope.ir import Graph
from archscope.plugins.registry import Registry, stated
from archscope.units import BYTES, COUNT, MILLISECONDS, PLAIN, RATIO, SHARE, Unit

ACCURACY, MACS = "accuracy", "macs"
PREDICTED, PUBLISHED = "predicted_top1", "published_top1"
PREDICTED_MS = "predicted_ms"
WEIGHT_BYTES = "weight_bytes"


Sums = Any
"""Sums over a network, such as `Analysis.totals`. Metrics may read its params, buffers, macs,
memory_access (elements), memory_access_bytes, weight_bytes, peak_activation_bytes, flash_bytes and
ram_bytes."""


class Metric(Struct, frozen=True, kw_only=True):
    """A metric: its meaning, and how it is computed, parsed and formatted.

    At most one of `of`, `of_analysis` and `measured_by` defines how to compute it. A metric without
    any comes from elsewhere: accuracy from training, G1 to G4 from the rules of that name.
    """

    name: str  # in budgets, objectives and the costs of a study
    about: str
    unit: Unit
    better: Literal["less", "more"] | None = "less"
    words: tuple[str, ...] = ()  # other names accepted in budgets

    of: Callable[[Sums], float] | None = None
    needs_graph: bool = False  # whether `of` needs more than the sums of a network's blocks
    target: str | None = None  # the target of an analysis that computes it
    of_analysis: Callable[[Analysis], float | None] | None = None  # for reports, not for budgets
    measured_by: str = ""  # "module:function", which takes a graph and returns the value
    depends_on_input: bool = True

    limit: str = ""  # example for its option `--max-NAME`; empty: there is no such option
    key: str = ""  # in reports and JSON; the name unless said
    label: str = ""  # heading in reports; the name unless said
    kind: str = ""  # how reports write it; that of the unit unless said
    # In the table of networks of a report; stored: where weights are counted as stored.
    column: Literal["main", "minor", "stored", "absent"] = "main"

    def __post_init__(self) -> None:
        """Fill in what follows from the name and the unit."""
        for field, value in (("key", self.name), ("label", self.name), ("kind", self.unit.kind)):
            structs.force_setattr(self, field, getattr(self, field) or value)

    @property
    def is_computed(self) -> bool:
        """Whether `of_network` can compute it."""
        return self.of is not None or self.of_analysis is not None

    @property
    def is_cost(self) -> bool:
        """Whether a budget can limit it."""
        return self.of is not None or self.is_measured

    @property
    def is_measured(self) -> bool:
        """Whether it must be measured on a device."""
        return bool(self.measured_by)

    def of_network(self, analysis: Analysis) -> float | None:
        """Return the value of an analysed network; None if an analysis is not enough."""
        if self.of is not None:
            return self.of(analysis.totals)
        return None if self.of_analysis is None else self.of_analysis(analysis)

    def measure(self, graph: Graph) -> float:
        """Measure the value of a network. Imports packages as needed, such as torch."""
        module, _, function = self.measured_by.partition(":")
        return float(getattr(import_module(module), function)(graph))


def _field(analysis: Analysis) -> float | None:
    """Return the receptive field along its longer axis, None if it is the whole input."""
    view = analysis.receptive_field
    return max(view.size) if view and view.size else None


def _coverage(analysis: Analysis) -> float | None:
    """Return min(field, input) / input, of the axis that is covered least."""
    view, shape = analysis.receptive_field, analysis.shape
    if view is None or len(shape) < 2:
        return None
    if view.size is None:
        return 1.0
    return min(min(size, whole) / whole for size, whole in zip(view.size, shape[1:], strict=True))


def _predicted(analysis: Analysis) -> float | None:
    """Return the predicted top-1 accuracy, of 1."""
    return analysis.predicted.mean / 100 if analysis.predicted else None


def _predicted_ms(analysis: Analysis) -> float | None:
    """Return the predicted milliseconds of the batch."""
    return analysis.latency.milliseconds if analysis.latency else None


def _published(analysis: Analysis) -> float | None:
    """Return the published top-1 accuracy, of 1."""
    top1 = analysis.reference.get("top1")
    return None if top1 is None else top1 / 100


# fmt: off
_ALL = (
    Metric(name="params", about="learnable numbers", unit=COUNT, words=("param", "parameters"),
           of=attrgetter("params"), depends_on_input=False, limit="5M"),
    Metric(name=MACS, about="multiply-accumulates of convolutions and matrix products", unit=COUNT,
           words=("mac", "flops", "flop", "mult-adds", "madds"), of=attrgetter("macs"),
           limit="300MFLOPs"),
    Metric(name="weights", about="params and buffers", unit=BYTES, words=("weight", "model size"),
           of=attrgetter("weight_bytes"), depends_on_input=False, key=WEIGHT_BYTES,
           column="stored"),
    Metric(name="access", about="read and written: inputs, weights and outputs of every operator",
           unit=BYTES, words=("memory access", "traffic"), of=attrgetter("memory_access_bytes"),
           key="memory_access_bytes", label="memory access"),
    Metric(name="peak", about="feature maps alive at once", unit=BYTES,
           words=("peak memory", "peak activation", "peak activations"),
           of=attrgetter("peak_activation_bytes"), needs_graph=True,
           key="peak_activation_bytes", label="peak memory"),
    Metric(name="flash", about="int8 weights and int32 biases, batch norms folded", unit=BYTES,
           of=attrgetter("flash_bytes"), needs_graph=True, target="mcu", depends_on_input=False,
           limit="512KiB", key="flash_bytes", column="minor"),
    Metric(name="ram", about="int8 feature maps alive at once on a microcontroller", unit=BYTES,
           of=attrgetter("ram_bytes"), needs_graph=True, target="mcu", limit="256KiB",
           key="ram_bytes", label="RAM", column="minor"),
    Metric(name="memory", about="weights and the peak of feature maps", unit=BYTES, limit="64MiB",
           of_analysis=lambda net: net.totals.weight_bytes + net.totals.peak_activation_bytes,
           column="absent"),
    Metric(name="training_bytes", about="held when the forward pass ends", unit=BYTES,
           of_analysis=attrgetter("totals.training_bytes"), label="training memory",
           column="minor"),
    Metric(name="macs_per_byte", about="arithmetic for each byte moved", unit=RATIO, better=None,
           of_analysis=attrgetter("totals.macs_per_byte"), label="macs/byte", column="minor"),
    Metric(name="field", about="pixels that one position sees", unit=PLAIN, better="more",
           of_analysis=_field, label="receptive field"),
    Metric(name="coverage", about="part of the input that one position sees", unit=SHARE,
           better="more", of_analysis=_coverage, column="minor"),
    Metric(name="depth", about="layers with weights on the longest way", unit=PLAIN, better=None,
           of_analysis=attrgetter("totals.depth"), column="minor"),
    Metric(name="G1", about="access of 1x1 convolutions over its lower bound", unit=RATIO),
    Metric(name="G2", about="access of grouped convolutions over dense ones", unit=RATIO),
    Metric(name="G3", about="fragments of the largest block", unit=PLAIN),
    Metric(name="G4", about="share of element-wise work in memory access", unit=SHARE),
    Metric(name="latency", about="measured, median of many runs", unit=MILLISECONDS,
           measured_by="archscope.bench.measure_networks:milliseconds",
           key="latency_seconds", kind="seconds"),
    Metric(name=ACCURACY, about="of the test images, else of validation", unit=SHARE,
           better="more"),
    Metric(name=PREDICTED, about="on ImageNet, predicted by a prior and never measured", unit=SHARE,
           better="more", of_analysis=_predicted, label="predicted top-1"),
    Metric(name=PREDICTED_MS, about="of the batch, predicted by a profile and never measured",
           unit=MILLISECONDS, of_analysis=_predicted_ms, label="predicted latency"),
    Metric(name=PUBLISHED, about="on ImageNet, as the spec quotes it", unit=SHARE,
           better="more", of_analysis=_published, label="published top-1"),
)
# fmt: on

METRICS: Registry[Metric] = Registry(
    "metrics", {metric.name: metric for metric in _ALL}, stated(Metric, "name")
)
"""Every metric by name, in the order of the columns of reports."""


def cost_metrics() -> list[Metric]:
    """Return the metrics that a budget can limit, macs first."""
    costs = [metric for metric in METRICS.values() if metric.is_cost]
    return sorted(costs, key=lambda metric: metric.name != MACS)


def static_metrics() -> list[Metric]:
    """Return the costs that need no measurement, macs first."""
    return [metric for metric in cost_metrics() if not metric.is_measured]


def objectives() -> list[str]:
    """Return the possible objectives of a search: accuracy and every cost."""
    return [ACCURACY, *(metric.name for metric in cost_metrics())]


def metric_of(cost: str) -> Metric:
    """Return the metric of a cost by its name among costs: `macs`, or `latency@PROFILE`."""
    return METRICS[cost.partition("@")[0]]


def metric_words() -> dict[str, Metric]:
    """Return the metrics that a budget may limit, by every word for them."""
    return {word: metric for metric in cost_metrics() for word in (metric.name, *metric.words)}

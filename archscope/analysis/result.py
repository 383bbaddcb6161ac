"""The result of an analysis, from which every table, page and JSON document is made."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from archscope.analysis.bits import BitMacs
from archscope.analysis.microcontroller import Microcontroller
from archscope.analysis.notebook import html_details, html_table
from archscope.analysis.polynomials import Symbolic
from archscope.analysis.receptive_field import Clash
from archscope.analysis.structure import BlockShape
from archscope.ir import Shape, Source, text_of
from archscope.records.latency import Latency
from archscope.records.prediction import Prediction
from archscope.units import format_bytes, format_count

FORMAT = 1
"""Version of the JSON contract: keys may be added, never renamed."""


class FieldView(Struct, frozen=True, gc=False, omit_defaults=True):
    """The receptive field of a node along each axis; None if it sees the whole input."""

    size: tuple[int, ...] | None
    stride: tuple[int | str, ...] | None
    padding: tuple[int, ...] | None
    smallest: tuple[int, ...] | None = None  # along the narrowest path, if different
    sees_all: bool = field(name="global", default=False)  # directly or through a gate
    node: str | None = None
    input: str | None = None
    known: bool = True
    status: str = ""  # "exact"; "at most", where it may see less; or "unknown"


class LayerReport(Struct, frozen=True, gc=False, rename={"ins": "in"}):
    """The numbers of one node."""

    name: str
    scope: str
    op: str
    inputs: tuple[str, ...]
    ins: tuple[Shape, ...]
    out: Shape
    params: int
    buffers: int
    macs: int
    counted: int  # by the convention of the analysis
    elementwise: int
    activations: int
    memory_access: int
    memory_access_bytes: int
    receptive_field: FieldView | None
    shares: str | None
    in_place: bool
    at: Source | None
    weight_bytes: int = 0
    backward_macs: int | None = None  # in training, as FlopCounterMode counts them; None if unknown
    kernel: tuple[int, ...] = ()  # of convolutions and other operators that slide a window
    stride: tuple[int, ...] = ()


class Totals(Struct, frozen=True):
    """The numbers of a network."""

    params: int
    buffers: int
    macs: int
    counted: int  # by the convention of the analysis
    elementwise: int
    activations: int
    memory_access: int
    memory_access_bytes: int
    weight_bytes: int
    activation_bytes: int
    peak_activation_bytes: int
    peak_node: str
    saved_bytes: int
    training_bytes: int
    macs_per_byte: float
    depth: int
    longest_path: int
    width: int
    layers: int
    backward_macs: int | None = None  # in training, as FlopCounterMode counts them, if known
    backward_products: int | None = None  # in training, as computed by torch, if known
    flash_bytes: int | None = None  # of a microcontroller, if that is the target
    ram_bytes: int | None = None


class LargestBatch(Struct, frozen=True):
    """How many images fit into memory: an upper bound, as kernels' workspace is not included."""

    memory_bytes: int
    inference: int
    training: int


class Head(Struct, frozen=True):
    """A named output of the network."""

    name: str
    node: str
    shape: Shape
    weight: float
    train_only: bool
    receptive_field: FieldView | None = None  # of the first input that it depends on


class Unknown(Struct, frozen=True):
    """An operator that was not recognised: its kind, its nodes and its unknown facts."""

    kind: str
    count: int
    facts: tuple[str, ...]
    nodes: tuple[str, ...]


class FoldTotals(Struct, frozen=True):
    """The totals that change when batch norms are folded into the layers before them."""

    nodes: int
    params: int
    buffers: int
    macs: int
    elementwise: int
    memory_access: int


class Folding(Struct, frozen=True):
    """How many batch norms were folded into other layers, with the totals before and after."""

    norms: int
    before: FoldTotals
    after: FoldTotals


class Analysis(Struct, frozen=True):
    """Everything known about a network without running it; the JSON of `archscope analyze`."""

    format: int
    name: str
    about: str
    input: Any  # the shape, or shapes by name
    batch: int
    dtype: str
    optimizer: str
    count: str
    mode: str  # "inference", or "training" with the parts that serve only training
    totals: Totals
    receptive_field: FieldView | None
    receptive_fields: dict[str, FieldView | None]
    outputs: tuple[Head, ...]
    layers: tuple[LayerReport, ...]
    blocks: tuple[BlockShape, ...]
    clashes: tuple[Clash, ...]
    findings: tuple[Any, ...]
    unknown: tuple[Unknown, ...]
    reference: dict[str, Any]
    largest_batch: LargestBatch | None = None
    paper: str = ""
    opaque: tuple[Unknown, ...] = ()  # `unknown`, and unrecognised operators with known costs
    fused: Folding | None = None  # if the network was fused before the analysis
    predicted: Prediction | None = None  # top-1 accuracy, if requested
    unpredicted: str = ""  # why there is no prediction, if it was requested
    latency: Latency | None = None  # predicted by a profile, if requested
    symbolic: Symbolic | None = None  # costs as polynomials, if requested
    microcontroller: Microcontroller | None = None  # needs of a microcontroller, if requested
    weights: str = ""  # the file whose weights determine bytes and bits, if there is one
    macs_by_bits: tuple[BitMacs, ...] = ()  # the macs by the bits of weights and inputs

    @property
    def shape(self) -> Shape:
        """The shape of the first input."""
        return tuple(
            next(iter(self.input.values())) if isinstance(self.input, dict) else self.input
        )

    def __str__(self) -> str:
        rows = {word: text for word, text in self._notebook_rows().items() if text}
        width = max(map(len, rows))
        return "\n".join(
            [self.name, *(f" {word:<{width}}   {text}" for word, text in rows.items())]
        )

    def _repr_html_(self) -> str:
        """Return totals and layers as HTML for notebooks; bars show shares of the macs."""
        title = " ".join(word for word in (self.name, self.about) if word)
        layers = html_details(
            f"{len(self.layers)} layers",
            ("layer", "operator", "output", "params", "macs", "receptive field"),
            [_notebook_row(layer) for layer in self.layers],
            [layer.macs / max(self.totals.macs, 1) for layer in self.layers],
        )
        return html_table(title, self._notebook_rows()) + layers

    def _notebook_rows(self) -> dict[str, str]:
        totals = self.totals
        missed = {fact for kind in self.unknown for fact in kind.facts}
        least = {fact: ">= " if fact in missed else "" for fact in ("macs", "elementwise")}
        shapes = self.input if isinstance(self.input, dict) else {"": self.input}
        inputs = (f"{name} {text_of(shape)}".strip() for name, shape in shapes.items())
        return {
            "input": ", ".join(inputs),
            "params": f"{totals.params:,}",
            "macs": f"{least['macs']}{totals.macs:,} ({format_count(totals.macs)})",
            "other work": f"{least['elementwise']}{totals.elementwise:,}",
            "memory access": format_bytes(totals.memory_access_bytes),
            "peak": format_bytes(totals.peak_activation_bytes),
            "depth": f"{totals.depth} of {totals.layers} layers have weights",
            "receptive field": _field_text(self.receptive_field),
            "not recognised": ", ".join(f"{kind.count} x {kind.kind}" for kind in self.opaque),
        }


def _notebook_row(layer: LayerReport) -> tuple[str, ...]:
    field = layer.receptive_field
    return (
        layer.name,
        layer.op,
        text_of(layer.out),
        f"{layer.params:,}" if layer.params else "",
        f"{layer.macs:,}" if layer.macs else "",
        "" if field is None or field.size is None else text_of(field.size),
    )


def _field_text(view: FieldView | None) -> str:
    if view is None:
        return ""
    if view.size is None or view.stride is None:
        return f"{view.status} all".removeprefix("exact ") if view.known else "unknown"
    stride = "x".join(map(str, view.stride))
    return f"{text_of(view.size)}, stride {stride}, at {view.node}"

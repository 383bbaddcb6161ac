"""All questions asked at once, as the record that every output format shows."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from msgspec import Struct, field, structs

from archscope.analysis.cost import DTYPES, costs, total
from archscope.analysis.count import TOOLS
from archscope.analysis.count import counted as count_by
from archscope.analysis.memory import memory
from archscope.analysis.receptive_field import (
    LOST,
    Clash,
    Field,
    Reach,
    ReceptiveFields,
    receptive_fields,
)
from archscope.analysis.structure import BlockShape, structure
from archscope.errors import GraphError
from archscope.ir import Graph, Shape, Source

FORMAT = 1
"""Version of the JSON contract: keys may be added, never renamed."""


class View(Struct, frozen=True, gc=False, omit_defaults=True):
    """The receptive field of a node, one number for each axis; sizes are None if it sees all."""

    size: tuple[int, ...] | None
    stride: tuple[int | str, ...] | None
    padding: tuple[int, ...] | None
    smallest: tuple[int, ...] | None = None  # along the narrowest path, where it differs
    sees_all: bool = field(name="global", default=False)  # itself or through a gate
    node: str | None = None
    input: str | None = None
    known: bool = True


class LayerReport(Struct, frozen=True, gc=False, rename={"ins": "in"}):
    """One node with its numbers."""

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
    receptive_field: View | None
    shares: str | None
    in_place: bool
    at: Source | None


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


class LargestBatch(Struct, frozen=True):
    """How many images fit into memory; an upper bound, as kernels need workspace, too."""

    memory_bytes: int
    inference: int
    training: int


class Head(Struct, frozen=True):
    """A named output."""

    name: str
    node: str
    shape: Shape
    weight: float
    train_only: bool


class Unknown(Struct, frozen=True):
    """What was met and not recognised: its kind, how often, and the totals that miss a part."""

    kind: str
    count: int
    facts: tuple[str, ...]
    nodes: tuple[str, ...]


class Form(Struct, frozen=True):
    """What changes when batch norms are folded into the layers before them."""

    nodes: int
    params: int
    buffers: int
    macs: int
    elementwise: int
    memory_access: int


class Fused(Struct, frozen=True):
    """How many batch norms were folded, and the network before and after."""

    norms: int
    before: Form
    after: Form


class Analysis(Struct, frozen=True):
    """Everything that archscope knows of a network without running it."""

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
    receptive_field: View | None
    receptive_fields: dict[str, View | None]
    outputs: tuple[Head, ...]
    layers: tuple[LayerReport, ...]
    blocks: tuple[BlockShape, ...]
    clashes: tuple[Clash, ...]
    findings: tuple[Any, ...]
    unknown: tuple[Unknown, ...]
    reference: dict[str, Any]
    largest_batch: LargestBatch | None = None
    paper: str = ""
    opaque: tuple[Unknown, ...] = ()  # all of `unknown`, and those of which every cost is known
    fused: Fused | None = None  # where the network was fused before it was analysed

    @property
    def shape(self) -> Shape:
        """The shape of the first input."""
        return tuple(
            next(iter(self.input.values())) if isinstance(self.input, dict) else self.input
        )

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from archscope.analysis.notebook import html

        return html(self)


def with_saving(before: Analysis, after: Analysis) -> Analysis:
    """Return the analysis of a fused network with what it was before."""
    folded = len(before.layers) - len(after.layers)
    return structs.replace(after, fused=Fused(folded, _form(before), _form(after)))


def _form(analysis: Analysis) -> Form:
    whole = analysis.totals
    return Form(
        len(analysis.layers),
        whole.params,
        whole.buffers,
        whole.macs,
        whole.elementwise,
        whole.memory_access,
    )


def analyze(
    graph: Graph,
    *,
    batch: int = 1,
    dtype: str = "float32",
    optimizer: str = "momentum",
    training: bool = False,
    memory_bytes: int | None = None,
    count: str = "macs",
) -> Analysis:
    """Return the analysis of a graph: counts per batch, bytes for a dtype, all exact.

    `training` takes in the parts that serve only training, such as auxiliary heads.
    `memory_bytes` asks for the largest batch that fits, `count` names the convention (`COUNTS`)
    of the `counted` numbers beside macs. Raises KeyError for an unknown dtype, optimizer or
    convention, GraphError where a tool's convention cannot say what it counts.
    """
    if not training:
        graph = graph.inference()
    elif count in TOOLS:
        raise GraphError(f"{count} is reproduced for inference, not with the parts for training")
    size = DTYPES[dtype]
    cost = costs(graph, batch)
    sum_ = total(cost)
    counted = count_by(graph, count, batch)
    maps = memory(graph)
    seen = {node.name: receptive_fields(graph, node.name) for node in graph.inputs}
    main = next(iter(seen.values()))
    views = {source: _trunk_view(graph, fields) for source, fields in seen.items()}
    built = structure(graph)
    access_bytes = sum_.memory_access * size
    shown: dict[int, View] = {}
    layers = []
    for node in graph.nodes:
        own = cost[node.name]
        reach = main.fields.get(node.name)
        view = None
        if reach is not None:
            view = shown.get(id(reach))
            if view is None:
                view = shown[id(reach)] = view_of(reach)
        layers.append(
            LayerReport(
                node.name,
                node.scope,
                node.op.name,
                node.inputs,
                node.ins,
                node.out,
                own.params,
                own.buffers,
                own.macs,
                counted[node.name],
                own.elementwise,
                own.activations,
                own.memory_access,
                own.memory_access * size,
                view,
                node.shares,
                node.name in maps.in_place,
                node.at,
            )
        )
    totals = Totals(
        params=sum_.params,
        buffers=sum_.buffers,
        macs=sum_.macs,
        counted=sum(counted.values()),
        elementwise=sum_.elementwise,
        activations=sum_.activations,
        memory_access=sum_.memory_access,
        memory_access_bytes=access_bytes,
        weight_bytes=(sum_.params + sum_.buffers) * size,
        activation_bytes=maps.activations * batch * size,
        peak_activation_bytes=maps.peak * batch * size,
        peak_node=maps.peak_node,
        saved_bytes=maps.saved_bytes(batch, size),
        training_bytes=maps.training_bytes(sum_.params, sum_.buffers, optimizer, batch, size),
        macs_per_byte=sum_.macs / access_bytes if access_bytes else 0.0,
        depth=built.depth,
        longest_path=built.longest_path,
        width=built.width,
        layers=built.layers,
    )
    shapes = {node.name: node.out for node in graph.inputs}
    opaque = _opaque(graph)
    return Analysis(
        format=FORMAT,
        name=graph.name,
        about=graph.about,
        input=next(iter(shapes.values())) if len(shapes) == 1 else shapes,
        batch=batch,
        dtype=dtype,
        optimizer=optimizer,
        count=count,
        mode="training" if training else "inference",
        totals=totals,
        receptive_field=next(iter(views.values())),
        receptive_fields=views,
        outputs=tuple(
            Head(o.name, o.node, graph.by_name[o.node].out, o.weight, o.train_only)
            for o in graph.outputs
        ),
        layers=tuple(layers),
        blocks=built.blocks,
        clashes=main.clashes,
        findings=(),
        unknown=tuple(layer for layer in opaque if layer.facts),
        opaque=opaque,
        reference=dict(graph.reference),
        largest_batch=None
        if memory_bytes is None
        else LargestBatch(
            memory_bytes,
            maps.largest_batch(memory_bytes, sum_.params, sum_.buffers, size),
            maps.largest_batch(memory_bytes, sum_.params, sum_.buffers, size, optimizer),
        ),
        paper=graph.paper,
    )


def _opaque(graph: Graph) -> tuple[Unknown, ...]:
    """Return the operators that were not recognised, by kind."""
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for node in graph.nodes:
        if node.op.unknown:
            facts = tuple(fact for fact in node.op.unknown if fact not in ("window", "torch"))
            key = str(getattr(node.op, "kind", node.op.name)), facts
            found.setdefault(key, []).append(node.name)
    return tuple(
        Unknown(kind, len(names), facts, tuple(names)) for (kind, facts), names in found.items()
    )


def view_of(reach: Field, node: str | None = None, source: str | None = None) -> View:
    """Return a receptive field in the numbers that people compare."""
    if reach.axes is None:
        return View(None, None, None, None, reach.known, node, source, reach.known)
    size, stride, padding = _numbers(reach.axes)
    smallest = None
    if reach.narrowest is not None and reach.narrowest is not reach.axes:
        least = _numbers(reach.narrowest)[0]
        smallest = least if least != size else None
    return View(size, stride, padding, smallest, reach.gated, node, source, reach.known)


@lru_cache(maxsize=1 << 14)
def _numbers(
    axes: tuple[Reach, ...],
) -> tuple[tuple[int, ...], tuple[int | str, ...], tuple[int, ...]]:
    """Return size, stride and padding along each axis."""
    return (
        tuple([axis.size for axis in axes]),
        tuple([axis.stride for axis in axes]),
        tuple([axis.padding for axis in axes]),
    )


def _trunk_view(graph: Graph, fields: ReceptiveFields) -> View | None:
    name = fields.trunk(graph)
    if name:
        return view_of(fields.fields[name], name, fields.source)
    lost = next((name for name, field in fields.fields.items() if field.lost), None)
    return view_of(LOST, lost, fields.source) if lost else None

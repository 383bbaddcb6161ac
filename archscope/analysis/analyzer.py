"""Run all analyses of a graph and collect them in one result."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypedDict

from msgspec import structs

from archscope.analysis.backward import Backward, backward
from archscope.analysis.bits import macs_by_bits
from archscope.analysis.cost import DTYPES, Cost, bytes_by_node, costs, total
from archscope.analysis.count import COUNTS, TOOLS
from archscope.analysis.count import counted as count_by
from archscope.analysis.memory import OPTIMIZERS, Memory, memory
from archscope.analysis.microcontroller import TARGETS, Microcontroller, microcontroller
from archscope.analysis.receptive_field import LOST, Field, Reach, ReceptiveFields, receptive_fields
from archscope.analysis.result import (
    FORMAT,
    Analysis,
    FieldView,
    Folding,
    FoldTotals,
    Head,
    LargestBatch,
    LayerReport,
    Totals,
    Unknown,
)
from archscope.analysis.structure import Structure, structure
from archscope.axes import Axis, Resample
from archscope.errors import GraphError, OptionError, check_known
from archscope.ir import Graph, Output

SlidingWindow = tuple[tuple[int, ...], tuple[int, ...]]
"""Kernel and stride along each axis."""

NO_WINDOW: SlidingWindow = (), ()


class AnalysisSettings(TypedDict, total=False):
    """The keyword arguments of `analyze` other than the batch."""

    dtype: str | None
    optimizer: str
    training: bool
    memory_bytes: int | None
    count: str
    target: str | None


def analyze(
    graph: Graph,
    *,
    batch: int = 1,
    dtype: str | None = None,
    optimizer: str = "momentum",
    training: bool = False,
    memory_bytes: int | None = None,
    count: str = "macs",
    target: str | None = None,
) -> Analysis:
    """Analyze a graph: exact counts per batch, and bytes for a dtype.

    Without a dtype, bytes are those of the element types in the imported file, or of float32.
    `training` includes the parts that serve only training, such as auxiliary heads. With
    `memory_bytes`, the largest batch that fits is computed; `count` names the convention (`COUNTS`)
    of the `counted` numbers, `target` a device (`TARGETS`) to run on. Raises OptionError for an
    unknown dtype, optimizer, convention or target, and for a batch of no images, GraphError if a
    tool's count of an operator is unknown.
    """
    if not isinstance(batch, int) or batch < 1:
        raise OptionError(f"batch is a whole number from 1, got {batch!r}")
    check_known("optimizer", optimizer, OPTIMIZERS)
    check_known("convention", count, COUNTS)
    if not training:
        graph = graph.inference()
    elif count in TOOLS:
        raise GraphError(f"--count {count} is for inference, not with the parts for training")
    as_stored, dtype = dtype is None, dtype or graph.dtype or "float32"
    check_known("dtype", dtype, DTYPES)
    size = DTYPES[dtype]
    cost = costs(graph, batch)
    sizes = bytes_by_node(graph, cost, dtype, as_stored=as_stored)
    whole = total(cost)
    macs = {name: own.macs for name, own in cost.items()}
    counted = macs if count == "macs" else count_by(graph, count, batch)
    maps = memory(graph)
    fields = {node.name: receptive_fields(graph, node.name) for node in graph.inputs}
    main = next(iter(fields.values()))
    views = {source: _trunk_view(graph, seen) for source, seen in fields.items()}
    built = structure(graph)
    device = _device(graph, target, batch)
    gradients = backward(graph) if training else None
    opaque = _opaque(graph)
    return Analysis(
        format=FORMAT,
        name=graph.name,
        about=graph.about,
        input=input_shapes(graph),
        batch=batch,
        dtype=dtype,
        optimizer=optimizer,
        count=count,
        mode="training" if training else "inference",
        totals=structs.replace(
            _totals(whole, sizes, sum(counted.values()), maps, built, optimizer, batch, size),
            **_on_request(device, gradients, batch),
        ),
        receptive_field=next(iter(views.values())),
        receptive_fields=views,
        outputs=tuple(_head(graph, output, fields, views) for output in graph.outputs),
        layers=_layers(graph, cost, counted, maps.in_place, main, sizes, gradients, batch),
        blocks=built.blocks,
        clashes=main.clashes,
        findings=(),
        unknown=tuple(kind for kind in opaque if kind.facts),
        opaque=opaque,
        reference=dict(graph.reference),
        largest_batch=None
        if memory_bytes is None
        else _largest_batch(maps, memory_bytes, whole, size, optimizer),
        paper=graph.paper,
        microcontroller=device,
        weights=graph.weights if as_stored else "",
        macs_by_bits=macs_by_bits(graph, dtype, batch, as_stored=as_stored),
    )


def _device(graph: Graph, target: str | None, batch: int) -> Microcontroller | None:
    """Return what the network, without its training parts, needs of the target device."""
    if target is None:
        return None
    check_known("target", target, TARGETS)
    only_training = all(output.train_only for output in graph.outputs)
    return microcontroller(graph if only_training else graph.inference(), batch)


def input_shapes(graph: Graph) -> Any:
    """Return the shape of the input, or the shapes by name if there are several inputs."""
    shapes = {node.name: node.out for node in graph.inputs}
    return next(iter(shapes.values())) if len(shapes) == 1 else shapes


def _totals(
    whole: Cost,
    sizes: dict[str, tuple[int, int]],
    counted: int,
    maps: Memory,
    built: Structure,
    optimizer: str,
    batch: int,
    size: int,
) -> Totals:
    """Return the numbers of the whole network; `size` is the number of bytes per element."""
    weight_bytes, access_bytes = map(sum, zip(*sizes.values(), strict=True))
    return Totals(
        params=whole.params,
        buffers=whole.buffers,
        macs=whole.macs,
        counted=counted,
        elementwise=whole.elementwise,
        activations=whole.activations,
        memory_access=whole.memory_access,
        memory_access_bytes=access_bytes,
        weight_bytes=weight_bytes,
        activation_bytes=maps.activations * batch * size,
        peak_activation_bytes=maps.peak * batch * size,
        peak_node=maps.peak_node,
        saved_bytes=maps.saved_bytes(batch, size),
        training_bytes=maps.training_bytes(whole.params, whole.buffers, optimizer, batch, size),
        macs_per_byte=whole.macs / access_bytes if access_bytes else 0.0,
        depth=built.depth,
        longest_path=built.longest_path,
        width=built.width,
        layers=built.layers,
    )


def _on_request(
    device: Microcontroller | None, gradients: Backward | None, batch: int
) -> dict[str, int | None]:
    """Return the totals that are only computed on request."""
    totals: dict[str, int | None] = {}
    if device:
        totals |= {"flash_bytes": device.flash_bytes, "ram_bytes": device.ram_bytes}
    if gradients:
        totals["backward_macs"] = _sum(gradients.counted, batch)
        totals["backward_products"] = _sum(gradients.products, batch)
    return totals


def _sum(parts: dict[str, int | None], batch: int) -> int | None:
    """Return the sum for a batch, or None if a part is unknown."""
    known = [part for part in parts.values() if part is not None]
    return sum(known) * batch if len(known) == len(parts) else None


def _layers(
    graph: Graph,
    cost: dict[str, Cost],
    counted: dict[str, int],
    in_place: frozenset[str],
    fields: ReceptiveFields,
    sizes: dict[str, tuple[int, int]],
    gradients: Backward | None,
    batch: int,
) -> tuple[LayerReport, ...]:
    """Return a report on each node; `sizes` has the bytes of its weights and memory access."""
    views: dict[int, FieldView] = {}  # many nodes share a field
    layers = []
    for node, facts in zip(graph.nodes, graph.facts.values(), strict=True):
        name, op, window = node.name, node.op, facts.window
        own = cost[name]
        weight_bytes, access_bytes = sizes[name]
        back = gradients.counted[name] if gradients else None
        field = fields.fields.get(name)
        view = None
        if field is not None:
            view = views.get(id(field))
            if view is None:
                view = views[id(field)] = field_view(field)
        layers.append(
            LayerReport(
                name,
                node.scope,
                op.name,
                node.inputs,
                node.ins,
                node.out,
                own.params,
                own.buffers,
                own.macs,
                counted[name],
                own.elementwise,
                own.activations,
                own.memory_access,
                access_bytes,
                view,
                node.shares,
                name in in_place,
                node.at,
                weight_bytes,
                None if back is None else back * batch,
                *(_window(window, convolution=op.convolution) if window else NO_WINDOW),
            )
        )
    return tuple(layers)


@lru_cache(maxsize=1 << 12)
def _window(windows: tuple[Axis, ...], *, convolution: bool) -> SlidingWindow:
    """Return the kernel and stride of the window that an operator slides; () if it slides none."""
    axes = [axis for axis in windows if not isinstance(axis, Resample)]
    kernel, stride = tuple(axis.kernel for axis in axes), tuple(axis.stride for axis in axes)
    slides = convolution or any(size != 1 for size in kernel + stride)
    return (kernel, stride) if slides else NO_WINDOW


def _largest_batch(maps: Memory, room: int, whole: Cost, size: int, optimizer: str) -> LargestBatch:
    """Return the largest batches whose inference and training fit into `room` bytes."""
    return LargestBatch(
        room,
        maps.largest_batch(room, whole.params, whole.buffers, size),
        maps.largest_batch(room, whole.params, whole.buffers, size, optimizer),
    )


def _opaque(graph: Graph) -> tuple[Unknown, ...]:
    """Return the operators that were not recognised, by kind."""
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for node in graph.nodes:
        if node.op.unknown:
            facts = tuple(fact for fact in node.op.unknown if fact not in ("window", "torch"))
            key = node.op.label, facts
            found.setdefault(key, []).append(node.name)
    return tuple(
        Unknown(kind, len(names), facts, tuple(names)) for (kind, facts), names in found.items()
    )


def field_view(field: Field, node: str | None = None, source: str | None = None) -> FieldView:
    """Return the size, stride and padding of a receptive field along each axis."""
    status = "at most" if field.bound else "exact" if field.known else "unknown"
    if field.axes is None:
        return FieldView(None, None, None, None, field.known, node, source, field.known, status)
    size, stride, padding = _numbers(field.axes)
    smallest = None
    if field.narrowest is not None and field.narrowest is not field.axes:
        least = _numbers(field.narrowest)[0]
        smallest = least if least != size else None
    words = (field.gated, node, source, field.known, status)
    return FieldView(size, stride, padding, smallest, *words)


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


def _head(
    graph: Graph,
    output: Output,
    fields: Mapping[str, ReceptiveFields],
    views: Mapping[str, FieldView | None],
) -> Head:
    """Return an output with its receptive field; `views` has those of the main one, by input."""
    source = next((name for name, seen in fields.items() if output.node in seen.fields), None)
    if source is None:
        view = None
    elif output is graph.main:
        view = views[source]
    else:
        view = _trunk_view(graph, fields[source], output.node)
    shape = graph.by_name[output.node].out
    return Head(output.name, output.node, shape, output.weight, output.train_only, view)


def _trunk_view(graph: Graph, fields: ReceptiveFields, output: str = "") -> FieldView | None:
    """Return the receptive field of the trunk that leads to an output, by default the main one."""
    name = fields.trunk(graph, output)
    if name:
        return field_view(fields.fields[name], name, fields.source)
    wanted = graph.ancestors(output or graph.main.node)
    lost = next((name for name, f in fields.fields.items() if f is LOST and name in wanted), None)
    return field_view(LOST, lost, fields.source) if lost else None


def with_totals_before(before: Analysis, after: Analysis) -> Analysis:
    """Return the analysis of a fused network, with the totals before fusing added."""
    norms = len(before.layers) - len(after.layers)
    return structs.replace(after, fused=Folding(norms, _fold_totals(before), _fold_totals(after)))


def _fold_totals(analysis: Analysis) -> FoldTotals:
    totals = analysis.totals
    counted = [getattr(totals, name) for name in FoldTotals.__struct_fields__[1:]]
    return FoldTotals(len(analysis.layers), *counted)

"""The section of a report on one network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from archscope.analysis.cost import DTYPES
from archscope.analysis.memory import memory
from archscope.analysis.result import Analysis, LayerReport
from archscope.drawing.labels import mark_text
from archscope.ir import Graph, Node, text_of
from archscope.metrics import ACCURACY, METRICS
from archscope.ops.attributes import attributes
from archscope.report.pages.content import LayerPoint, MeasuredAccuracy, NetworkSection, Stage
from archscope.report.tables.analysis import accuracy_rows, field_text, input_text, unknown_lines
from archscope.report.tables.latency import predicted_line
from archscope.rules.rule import Score

VECTOR = "vector"
"""The stage of outputs without spatial extent."""
LONGEST = 120
"""The most letters of the attributes of an operator."""
SEQUENCE = "sequence"
"""The stage of outputs with other axes than the input, such as the tokens of a transformer."""


def describe_network(
    analysis: Analysis,
    graph: Graph | None = None,
    *,
    source: str = "",
    name: str | None = None,
    findings: Sequence[dict[str, Any]] = (),
    scores: Sequence[Score] = (),
    yaml: str | None = None,
    taken: Sequence[str] = (),
    measured: MeasuredAccuracy | None = None,
) -> NetworkSection:
    """Return the section of a network; `taken` are the ids of other networks.

    Without a graph, as of a saved analysis, there is no memory timeline. `measured` is the
    accuracy that it was trained to.
    """
    name = name or analysis.name
    alive = _alive(analysis, graph)
    ops = {} if graph is None else {node.name: attributes_text(node) for node in graph.nodes}
    points = tuple(
        _point(layer, held, ops.get(layer.name, ""))
        for layer, held in zip(analysis.layers, alive, strict=True)
    )
    missing = []
    if graph is None:
        missing.append("a saved analysis has no memory timeline, no guideline scores and no spec")
    missing += unknown_lines(analysis)
    columns = ("main", "minor", *(("stored",) if analysis.weights else ()))
    values = {
        metric.key: metric.of_network(analysis)
        for metric in METRICS.values()
        if metric.column in columns and metric.is_computed
    }
    values |= {score.code: score.value for score in scores}
    values |= {ACCURACY: measured.mean} if measured is not None else {}
    return NetworkSection(
        id=identifier(name, taken),
        name=name,
        source=source or name,
        about=analysis.about,
        paper=analysis.paper,
        input=input_text(analysis.input),
        batch=analysis.batch,
        dtype=analysis.dtype,
        weights=analysis.weights,
        values=values,
        field=field_text(analysis.receptive_field),
        totals=analysis.totals,
        scores=tuple(scores),
        findings=tuple(findings) or tuple(analysis.findings),
        stages=stages(points, analysis.shape),
        layers=points,
        yaml=yaml,
        missing=tuple(missing),
        accuracy=tuple(" ".join(row).strip() for row in accuracy_rows(analysis)),
        measured=measured,
        published=_published(analysis),
        predicted=_interval(analysis),
        latency=() if analysis.latency is None else (predicted_line(analysis.latency),),
    )


def _published(analysis: Analysis) -> str:
    """Return the source of the published accuracy, and its recipe."""
    quoted = analysis.reference
    if "top1" not in quoted:
        return ""
    recipe = f", recipe {quoted['top1_recipe']}" if "top1_recipe" in quoted else ""
    return f"{quoted.get('top1_source', 'the spec')}{recipe}"


def _interval(analysis: Analysis) -> tuple[float, float] | None:
    found = analysis.predicted
    return None if found is None else (found.low / 100, found.high / 100)


def identifier(name: str, taken: Sequence[str] = ()) -> str:
    """Return a unique id of a section: letters, digits, dots, underscores and single dashes."""
    base = re.sub(r"[^a-z0-9_.]+", "-", name.lower()).strip("-.") or "network"
    found, number = base, 1
    while found in taken:
        number += 1
        found = f"{base}-{number}"
    return found


def stages(points: Sequence[LayerPoint], shape: tuple[int, ...]) -> tuple[Stage, ...]:
    """Return the sums of the layers by the size of their output, in order of appearance.

    Sizes are relative to the input, so that stages of networks with different inputs can be
    compared.
    """
    groups: dict[str, list[LayerPoint]] = {}
    for point in points:
        groups.setdefault(stage_key(point.out, shape), []).append(point)
    return tuple(
        Stage(
            key,
            text_of(group[0].out[1:]) if key != VECTOR else "",
            len(group),
            max((point.out[0] for point in group if point.out), default=0),
            sum(point.params for point in group),
            sum(point.macs for point in group),
            sum(point.memory_access_bytes for point in group),
            max((point.alive_bytes for point in group if point.alive_bytes is not None),
                default=None),
        )
        for key, group in groups.items()
    )  # fmt: skip


def stage_key(out: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """Return the stage of an output: `1/4` if it is four times smaller than the input."""
    if len(out) < 2 or len(shape) < 2 or max(out[1:]) == 1:
        return VECTOR
    if len(out) != len(shape):
        return SEQUENCE
    ratio = shape[1] / out[1]
    return f"1/{round(ratio)}" if ratio >= 1 else f"{round(1 / ratio)}x"


def _alive(analysis: Analysis, graph: Graph | None) -> Sequence[int | None]:
    if graph is None:
        return [None] * len(analysis.layers)
    if analysis.mode == "inference":
        graph = graph.inference()
    size = analysis.batch * DTYPES[analysis.dtype]
    return [elements * size for elements in memory(graph).timeline]


def attributes_text(node: Node) -> str:
    """Return the attributes that a spec must state, as text: `out 64, kernel 3, no bias`."""
    if not node.inputs:
        return ""  # its size is the shape of its output
    told = []
    for name, attribute in attributes(type(node.op)).items():
        value = getattr(node.op, name)
        if not attribute.required and value == attribute.default:
            continue
        if isinstance(value, bool):
            told.append(name if value else f"no {name}")
        else:
            told.append(f"{name} {_value_text(value)}")
    if node.shares is not None:
        told.append(f"the weights of {node.shares}")
    text = ", ".join(told)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _value_text(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value_text, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _point(layer: LayerReport, alive: int | None, attributes: str) -> LayerPoint:
    view = layer.receptive_field
    stride = str(view.stride[0]) if view and view.stride else "" if view and view.known else None
    size = max(view.size) if view and view.size else None
    return LayerPoint(
        layer.name, layer.op, layer.inputs, layer.out, layer.params, layer.macs,
        layer.memory_access_bytes, alive, size, stride, attributes=attributes,
        window=mark_text(layer),
    )  # fmt: skip

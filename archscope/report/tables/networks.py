"""Networks as rows: the comparison, and the list of the zoo."""

from __future__ import annotations

import re
from collections.abc import Sequence

from archscope.analysis.result import Analysis
from archscope.metrics import METRICS, PREDICTED, PUBLISHED
from archscope.report.table import (
    BYTES,
    COUNT,
    MAJOR,
    MINOR,
    NAME,
    RATIO,
    SHAPE,
    SHARE,
    Column,
    Field,
    Table,
    table_of,
)
from archscope.report.tables.analysis import at_least, field_text
from archscope.report.tables.latency import latency_fields
from archscope.units import format_count


def comparison_table(results: Sequence[Analysis]) -> Table:
    """Return a row for each network, with its macs and params relative to the first."""
    first = results[0]
    return table_of(
        results,
        *INTRODUCTION,
        (Column("params", COUNT, rank=MAJOR), lambda result: result.totals.params),
        (
            Column("ratio", RATIO, "params_ratio", rank=MINOR),
            lambda result: _ratio(result.totals.params, first.totals.params),
        ),
        (Column("macs", COUNT, rank=MAJOR), _macs),
        (
            Column("ratio", RATIO, "macs_ratio", rank=MINOR),
            lambda result: _macs_ratio(result, first),
        ),
        *_stored(results),
        *MEMORY,
        *_targeted(results),
        *latency_fields(results),
        (
            Column("macs/B", RATIO, "macs_per_byte", rank=MINOR),
            lambda result: result.totals.macs_per_byte,
        ),
        DEPTH,
        RECEPTIVE_FIELD,
        *_accuracy(results),
    )


def _stored(results: Sequence[Analysis]) -> tuple[Field[Analysis], ...]:
    """Return the column of the bytes of weights if these are those of runs."""
    if not any(result.weights for result in results):
        return ()
    return ((Column("weights", BYTES, "weight_bytes"), lambda result: result.totals.weight_bytes),)


def _targeted(results: Sequence[Analysis]) -> tuple[Field[Analysis], ...]:
    """Return the columns of the needs on a target, if there is one."""
    if not any(result.microcontroller for result in results):
        return ()
    return tuple(
        (Column(metric.label, BYTES, metric.key, rank=MAJOR), metric.of_network)
        for metric in METRICS.values()
        if metric.target
    )


def zoo_table(results: Sequence[Analysis]) -> Table:
    """Return a row for each network, with a description and its publication."""
    return table_of(
        results,
        *INTRODUCTION,
        (Column("params", COUNT), lambda result: result.totals.params),
        (Column("macs", COUNT), lambda result: result.totals.macs),
        *MEMORY,
        RECEPTIVE_FIELD,
        DEPTH,
        *_accuracy(results, published=True),
        (Column("year", NAME), lambda result: _year(result.about)),
        (Column("about", wide=True), lambda result: result.about),
        (Column("paper", wide=True), lambda result: result.paper),
    )


def _accuracy(
    results: Sequence[Analysis], *, published: bool = False
) -> tuple[Field[Analysis], ...]:
    """Return the columns of top-1 accuracy: predicted if requested, and published."""
    predicted = any(result.predicted or result.unpredicted for result in results)
    column = Column("published", SHARE, PUBLISHED, rank=MAJOR if predicted else MINOR)
    quoted: Field[Analysis] = (column, METRICS[PUBLISHED].of_network)
    if not predicted:
        return (quoted,) if published else ()
    return (
        (Column("predicted", SHARE, PREDICTED, rank=MAJOR), METRICS[PREDICTED].of_network),
        (Column("in 9 of 10", NAME, "predicted_interval", rank=MAJOR), _interval),
        quoted,
    )


def _interval(result: Analysis) -> str:
    """Return the interval of the prediction, marked if the network is unlike the fitted ones."""
    if result.predicted is None:
        return ""
    found = result.predicted
    return f"{'? ' if found.unlike else ''}{found.low:.1f} to {found.high:.1f}"


def _input(result: Analysis) -> object:
    """Return the shape of the input, or the number of inputs."""
    several = isinstance(result.input, dict)
    return f"{len(result.input)} inputs" if several else result.input


INTRODUCTION: tuple[Field[Analysis], ...] = (
    (Column("network", NAME), lambda result: result.name),
    (Column("input", SHAPE), _input),
)
MEMORY: tuple[Field[Analysis], ...] = (
    (
        Column("access", BYTES, "memory_access_bytes"),
        lambda result: result.totals.memory_access_bytes,
    ),
    (
        Column("peak", BYTES, "peak_activation_bytes"),
        lambda result: result.totals.peak_activation_bytes,
    ),
)
DEPTH: Field[Analysis] = (Column("depth", COUNT), lambda result: result.totals.depth)
RECEPTIVE_FIELD: Field[Analysis] = (
    Column("field", NAME),
    lambda result: field_text(result.receptive_field),
)


def _year(about: str) -> str:
    """Return the year of publication in a description."""
    match = re.search(r"\b(?:19|20)[0-9]{2}\b", about)
    return match[0] if match else ""


def _macs(result: Analysis) -> int | str:
    """Return the macs, as text with `>=` if some are unknown."""
    more = at_least(result)["macs"]
    return f"{more}{format_count(result.totals.macs)}" if more else result.totals.macs


def _macs_ratio(result: Analysis, first: Analysis) -> float | None:
    """Return the macs relative to those of the first network, if all of both are known."""
    unknown = at_least(result)["macs"] or at_least(first)["macs"]
    return None if unknown else _ratio(result.totals.macs, first.totals.macs)


def _ratio(value: int, base: int) -> float | None:
    return value / base if base else None

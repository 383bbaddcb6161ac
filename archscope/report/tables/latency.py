"""Predicted latency in the tables of networks and their layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from archscope.analysis.by_block import row_of
from archscope.analysis.result import Analysis
from archscope.latency.profile import Profile
from archscope.records.latency import Latency
from archscope.report.table import (
    COUNT,
    MAJOR,
    MEASURE,
    NAME,
    SHARE,
    Column,
    Field,
    Part,
    Table,
    table_of,
)
from archscope.units import format_measure

MILLISECONDS = Column("ms", MEASURE, "milliseconds", rank=MAJOR)


def layer_milliseconds(analysis: Analysis, latency: Latency, depth: int) -> list[float]:
    """Return the latency of each row of the layers folded at `depth`.

    It is 0 for layers that are part of another layer's kernel.
    """
    rows = {row_of(layer.name, depth): 0.0 for layer in analysis.layers}
    for layer in latency.layers:
        rows[row_of(layer.name, depth)] += layer.milliseconds
    return list(rows.values())


def latency_rows(analysis: Analysis) -> list[tuple[object, ...]]:
    """Return the rows of the predicted latency, if requested."""
    return [] if analysis.latency is None else [*_rows(analysis.latency)]


def _rows(found: Latency) -> Iterator[tuple[str, str, str]]:
    words = f"predicted, {interval(found)} in 9 of 10 cases on {conditions(found)}"
    yield "latency", f"{format_measure(found.milliseconds)} ms", f"{words}; not measured"
    for note in found.notes:
        yield "", "", note
    if found.unlike:
        why = "unlike anything that it was fitted on, so that its interval may not hold"
        yield "", "", f"{why}: {'; '.join(found.unlike)}"


def predicted_line(found: Latency) -> str:
    """Return a prediction in one line, with its caveats."""
    ((_, milliseconds, words), *others) = [*_rows(found)]
    return "; ".join([f"latency {milliseconds}, {words}", *(text for _, _, text in others)])


def interval(found: Latency) -> str:
    """Return the interval of a prediction in milliseconds: `11.0 to 13.8`."""
    return f"{format_measure(found.low)} to {format_measure(found.high)}"


def conditions(found: Latency) -> str:
    """Return the machine, runtime, threads and dtype that a prediction holds for."""
    runtime = f"{found.runtime} {found.version}".strip()
    threads = "" if found.threads is None else f", {found.threads} thread{'s'[: found.threads > 1]}"
    return f"{found.device}, {runtime}{threads}, {found.dtype}"


def latency_fields(results: Sequence[Analysis]) -> tuple[Field[Analysis], ...]:
    """Return the columns of predicted latency, if requested."""
    if not any(result.latency for result in results):
        return ()
    return (
        (MILLISECONDS, lambda result: result.latency.milliseconds if result.latency else None),
        (Column("9 of 10", NAME, "milliseconds_interval", rank=MAJOR), _interval),
    )


def _interval(result: Analysis) -> str:
    """Return the interval, marked if the network is unlike the fitted ones."""
    if result.latency is None:
        return ""
    return f"{'? ' if result.latency.unlike else ''}{interval(result.latency)}"


def device_latency_fields(rows: Sequence[Any]) -> tuple[Field[Any], ...]:
    """Return the columns of `DeviceLatency` for networks that have it as their `latency`."""
    fields: list[Field[Any]] = []
    for place, first in enumerate(rows[0].latency if rows else ()):
        name = first.profile
        predicted = Column(f"ms@{name}", MEASURE, f"predicted_ms@{name}")
        fields.append((predicted, _of(place, "predicted")))
        if any(row.latency[place].measured is not None for row in rows):
            measured = Column("measured", MEASURE, f"measured_ms@{name}")
            beside = Column("", NAME, f"place@{name}")
            fields += [(measured, _of(place, "measured")), (beside, _of(place, "place"))]
    return tuple(fields)


def _of(place: int, name: str) -> Callable[[Any], Any]:
    return lambda row: getattr(row.latency[place], name)


def device_latency_lines(rows: Sequence[Any], names: Sequence[str]) -> list[str]:
    """Return caveats about the predictions of networks, by name."""
    unlike: dict[str, list[str]] = {}
    notes: dict[str, None] = {}
    for name, row in zip(names, rows, strict=True):
        for found in row.latency:
            if found.unlike:
                why = f"'{found.profile}' was fitted to nothing like this, so its interval may not"
                unlike.setdefault(f"{why} hold: {'; '.join(found.unlike)}", []).append(name)
            notes |= dict.fromkeys(f"'{found.profile}': {note}" for note in found.notes)
    return [*(f"{', '.join(where)}: {why}" for why, where in unlike.items()), *notes]


PROFILE_FIELDS: tuple[Field[Profile], ...] = (
    (Column("profile", NAME), lambda profile: profile.name),
    (Column("machine", NAME), lambda profile: profile.machine.name),
    (Column("runtime", NAME), lambda profile: f"{profile.runtime} {profile.version}".strip()),
    (Column("threads", COUNT), lambda profile: profile.threads),
    (Column("dtype", NAME), lambda profile: profile.dtype),
    (Column("batches", NAME), lambda profile: _batches(profile)),
    (Column("networks", COUNT), lambda profile: profile.error.networks),
    (Column("median error", SHARE, "median_error"), lambda profile: profile.error.median),
    (
        Column("within 10 %", SHARE, "within_10_percent"),
        lambda profile: profile.error.within_10_percent,
    ),
)


def profile_table(profiles: Sequence[Profile]) -> Table:
    """Return one row for each profile."""
    return table_of(profiles, *PROFILE_FIELDS)


def _batches(profile: Profile) -> str:
    least, most = profile.batches
    return str(least) if least == most else f"{least} to {most}"


def error_line(profile: Profile) -> str:
    """Return the error of a profile for networks of families that it was not fitted to."""
    error = profile.error
    return (
        f"{error.networks} networks of {error.families} families, each predicted without its"
        f" family: off by {100 * error.median:.1f} % in the median, {100 * error.mape:.1f} % on"
        f" average, {100 * error.within_10_percent:.0f} % of them by at most 10 %"
    )


def profile_parts(profile: Profile) -> list[Part]:
    """Return the conditions, the error and the coefficients of a profile."""
    rows = [
        (kind, feature, value)
        for kind, coefficients in profile.kinds.items()
        for feature, value in coefficients.items()
    ]
    columns = Column("kernel", NAME), Column("feature", NAME), Column("ms", MEASURE)
    title = "milliseconds for each kernel, and for a million of each other feature"
    about = [line for line in (profile.about, profile.source) if line]
    return [
        profile_table([profile]),
        *about,
        error_line(profile),
        Table(title, columns, tuple(rows)),
    ]

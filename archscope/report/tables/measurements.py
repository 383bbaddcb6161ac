"""Measured latency and rooflines as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archscope.report.table import COUNT, MEASURE, NAME, RATIO, SHAPE, SHARE, Column, Part, Table
from archscope.units import format_measure

if TYPE_CHECKING:
    from archscope.bench.conditions import Conditions
    from archscope.bench.layer_timings import LayerTiming
    from archscope.bench.machine import Machine
    from archscope.bench.measure_guidelines import Guidelines
    from archscope.bench.measure_networks import Bench, Measured
    from archscope.bench.roofline import Roofline

SLOWEST = 20
"""Layers that a table shows by default."""


def roofline_table(roofs: Sequence[Roofline]) -> Table:
    """Return the rooflines of a machine, one row each."""
    columns = (
        Column("threads", COUNT),
        Column("dtype", NAME),
        Column("GMAC/s", MEASURE, "gmacs_per_second"),
        Column("GB/s", MEASURE, "gbytes_per_second"),
        Column("us a call", MEASURE, "overhead_us"),
        Column("ridge macs/B", MEASURE, "ridge_macs_per_byte"),
    )
    rows = tuple(
        (
            roof.threads,
            roof.dtype,
            roof.gmacs_per_second,
            roof.gbytes_per_second,
            roof.overhead_seconds * 1e6,
            roof.ridge,
        )
        for roof in roofs
    )
    return Table("", columns, rows)


def busy_notes(roofs: Sequence[Roofline]) -> list[str]:
    """Return a warning if a roofline was measured while something else kept the machine busy."""
    loads = [roof.load for roof in roofs if roof.machine.busy(roof.load)]
    if not loads:
        return []
    return [
        f"the machine was busy while its roofline was measured (load {max(loads):.1f}):"
        f" measure again with `archscope device --refresh` when it is quiet"
    ]


def headline(machine: Machine, conditions: Conditions) -> str:
    """Return one line with the machine and the conditions."""
    place = f"{machine.device}: {machine.name}, {machine.cores} cores, torch {machine.torch}"
    return f"{place}; {conditions}"


def network_table(result: Bench) -> Table:
    """Return the networks, one row each, with their speed over that of the first."""
    columns = (
        Column("network", NAME),
        Column("batch", COUNT),
        Column("macs", COUNT),
        Column("ms", MEASURE, "median_ms"),
        Column("25 %", MEASURE, "lower_quartile_ms"),
        Column("75 %", MEASURE, "upper_quartile_ms"),
        Column("runs", COUNT),
        Column("images/s", MEASURE, "images_per_second"),
        Column("ratio", RATIO, "speed_ratio"),
        Column("GMAC/s", MEASURE, "gmacs_per_second"),
    )
    first = result.networks[0].images_per_second
    rows = tuple(
        (
            network.name,
            network.batch,
            network.macs,
            network.timing.median_seconds * 1e3,
            network.timing.lower_quartile_seconds * 1e3,
            network.timing.upper_quartile_seconds * 1e3,
            network.timing.runs,
            network.images_per_second,
            network.images_per_second / first,
            network.gmacs_per_second,
        )
        for network in result.networks
    )
    return Table("", columns, rows)


def load_notes(result: Bench | Guidelines) -> list[str]:
    """Return a warning if other work kept the machine busy."""
    if result.conditions.processor_time or not result.machine.busy(result.load):
        return []
    return [
        f"the machine is busy with other work (load {result.load:.1f} on {result.machine.cores}"
        f" cores): these times are too long, and ratios less sure\n"
    ]


WIDE = 0.25
"""Quartiles this far apart, as a share of the median, cause a note."""


def spread_notes(result: Bench) -> list[str]:
    """Return a warning if the runs of a network differ too much."""
    wide = [network for network in result.networks if network.timing.spread > WIDE]
    if not wide:
        return []
    worst = max(wide, key=lambda network: network.timing.spread)
    return [
        f"the runs differ: the quartiles of {worst.name} are {worst.timing.spread:.0%} of its"
        f" median apart. Something else keeps the machine busy, or --time is short\n"
    ]


def network_parts(result: Bench, slowest: int) -> list[Part]:
    """Return the networks, and the slowest layers of each if they were timed; 0 shows all."""
    parts: list[Part] = [headline(result.machine, result.conditions), network_table(result)]
    return [*parts, *load_notes(result), *spread_notes(result), *_layer_parts(result, slowest)]


def network_records(result: Bench) -> Table:
    """Return all layers if they were timed, else the networks."""
    return layer_records(result) if result.roofline else network_table(result)


LAYER_COLUMNS = (
    Column("layer"),
    Column("op", NAME),
    Column("out", SHAPE),
    Column("ms", MEASURE),
    Column("share", SHARE),
    Column("macs", COUNT),
    Column("GMAC/s", MEASURE, "gmacs_per_second"),
    Column("GB/s", MEASURE, "gbytes_per_second"),
    Column("macs/B", MEASURE, "macs_per_byte"),
    Column("bound", NAME),
    Column("of roof", SHARE, "of_roof"),
)


def _layer_parts(result: Bench, slowest: int) -> list[Part]:
    """Return the slowest layers of each network, and the sums over all of its layers."""
    parts: list[Part] = []
    for network in result.networks:
        if network.layers is None:
            continue
        layers = network.layers.layers
        if slowest:
            layers = tuple(sorted(layers, key=lambda layer: -layer.seconds)[:slowest])
        which = f"the {len(layers)} slowest" if len(layers) < len(network.layers.layers) else "all"
        title = (
            f"{network.name}, batch {network.batch}: {which} of {len(network.layers.layers)} layers"
        )
        parts += [Table(title, LAYER_COLUMNS, tuple(map(_layer, layers))), _sums(network)]
    if result.roofline is not None:
        roof = result.roofline
        parts.append(
            f"roofline: {format_measure(roof.gmacs_per_second)} GMAC/s,"
            f" {format_measure(roof.gbytes_per_second)} GB/s,"
            f" {format_measure(roof.overhead_seconds * 1e6)} us a call;"
            f" of roof is the least time that these allow over the time taken"
        )
        parts += busy_notes([roof])
    return parts


def layer_records(result: Bench) -> Table:
    """Return all layers of all networks as one table."""
    rows = tuple(
        (
            network.name,
            network.batch,
            *_layer(layer),
            layer.memory_access_bytes,
            layer.least_seconds * 1e3,
        )
        for network in result.networks
        if network.layers is not None
        for layer in network.layers.layers
    )
    more = (Column("memory_access_bytes"), Column("least_ms"))
    return Table("", (Column("network"), Column("batch"), *LAYER_COLUMNS, *more), rows)


def _layer(layer: LayerTiming) -> tuple[Any, ...]:
    return (
        layer.name,
        layer.op,
        layer.out,
        layer.seconds * 1e3,
        layer.share,
        layer.macs or None,
        layer.gmacs_per_second if layer.macs else None,
        layer.gbytes_per_second,
        layer.macs_per_byte if layer.macs else None,
        layer.bound,
        layer.of_roof,
    )


def _sums(network: Measured) -> str:
    """Return the sum of the layers and the time between them, in words."""
    assert network.layers is not None
    layers = network.layers
    kinds = ", ".join(
        f"{name} {format_measure(seconds * 1e3)} ms"
        for name, seconds in layers.bound_seconds.items()
    )
    return (
        f"all layers {format_measure(layers.sum_seconds * 1e3)} ms"
        f" + between layers {format_measure(layers.between_seconds * 1e3)} ms"
        f" = {format_measure(layers.whole_seconds * 1e3)} ms, mean of the faster half of all runs"
        f" ({layers.runs})\nbound by {kinds}\n"
    )

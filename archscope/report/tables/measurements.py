"""Measured latency, rooflines and the experiments behind ShuffleNetV2's guidelines as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archscope.report.table import (
    COUNT,
    MEASURE,
    NAME,
    RATIO,
    SHAPE,
    SHARE,
    Column,
    Field,
    Part,
    Table,
    cells_of,
    columns_of,
    table_of,
)
from archscope.units import format_measure

if TYPE_CHECKING:
    from archscope.bench.conditions import Conditions
    from archscope.bench.layer_timings import LayerTiming
    from archscope.bench.machine import Machine
    from archscope.bench.measure_guidelines import Guidelines, VariantResult
    from archscope.bench.measure_networks import Bench, Measured
    from archscope.bench.roofline import Roofline

SLOWEST = 20
"""Layers that a table shows by default."""


def roofline_table(roofs: Sequence[Roofline]) -> Table:
    """Return the rooflines of a machine, one row each."""
    return table_of(
        roofs,
        (Column("threads", COUNT), lambda roof: roof.threads),
        (Column("dtype", NAME), lambda roof: roof.dtype),
        (Column("GMAC/s", MEASURE, "gmacs_per_second"), lambda roof: roof.gmacs_per_second),
        (Column("GB/s", MEASURE, "gbytes_per_second"), lambda roof: roof.gbytes_per_second),
        (Column("us a call", MEASURE, "overhead_us"), lambda roof: roof.overhead_seconds * 1e6),
        (Column("ridge macs/B", MEASURE, "ridge_macs_per_byte"), lambda roof: roof.ridge),
    )


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
    first = result.networks[0].images_per_second
    return table_of(
        result.networks,
        (Column("network", NAME), lambda network: network.name),
        (Column("batch", COUNT), lambda network: network.batch),
        (Column("macs", COUNT), lambda network: network.macs),
        (Column("ms", MEASURE, "median_ms"), lambda net: net.timing.median_seconds * 1e3),
        (
            Column("25 %", MEASURE, "lower_quartile_ms"),
            lambda network: network.timing.lower_quartile_seconds * 1e3,
        ),
        (
            Column("75 %", MEASURE, "upper_quartile_ms"),
            lambda network: network.timing.upper_quartile_seconds * 1e3,
        ),
        (Column("runs", COUNT), lambda network: network.timing.runs),
        (Column("images/s", MEASURE, "images_per_second"), lambda net: net.images_per_second),
        (Column("ratio", RATIO, "speed_ratio"), lambda net: net.images_per_second / first),
        (Column("GMAC/s", MEASURE, "gmacs_per_second"), lambda net: net.gmacs_per_second),
    )


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


LAYER_FIELDS: tuple[Field[LayerTiming], ...] = (
    (Column("layer", NAME), lambda layer: layer.name),
    (Column("op", NAME), lambda layer: layer.op),
    (Column("out", SHAPE), lambda layer: layer.out),
    (Column("ms", MEASURE), lambda layer: layer.seconds * 1e3),
    (Column("share", SHARE), lambda layer: layer.share),
    (Column("macs", COUNT), lambda layer: layer.macs or None),
    (
        Column("GMAC/s", MEASURE, "gmacs_per_second"),
        lambda layer: layer.gmacs_per_second if layer.macs else None,
    ),
    (Column("GB/s", MEASURE, "gbytes_per_second"), lambda layer: layer.gbytes_per_second),
    (
        Column("macs/B", MEASURE, "macs_per_byte"),
        lambda layer: layer.macs_per_byte if layer.macs else None,
    ),
    (Column("bound", NAME), lambda layer: layer.bound),
    (Column("of roof", SHARE, "of_roof"), lambda layer: layer.of_roof),
)


def _layer_parts(result: Bench, slowest: int) -> list[Part]:
    """Return the slowest layers of each network, and the sums over all of its layers."""
    parts: list[Part] = []
    for network in result.networks:
        if network.layers is None:
            continue
        layers = network.layers.layers
        count = len(layers)
        if slowest:
            layers = tuple(sorted(layers, key=lambda layer: -layer.seconds)[:slowest])
        which = f"the {len(layers)} slowest" if len(layers) < count else "all"
        title = f"{network.name}, batch {network.batch}: {which} of {count} layers"
        parts += [table_of(layers, *LAYER_FIELDS, title=title), _sums(network)]
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
    fields: tuple[Field[LayerTiming], ...] = (
        *LAYER_FIELDS,
        (Column("memory_access_bytes"), lambda layer: layer.memory_access_bytes),
        (Column("least_ms"), lambda layer: layer.least_seconds * 1e3),
        (Column("fused"), lambda layer: " ".join(layer.fused)),
        (Column("kernels"), lambda layer: " ".join(layer.kernels)),
    )
    rows = tuple(
        (network.name, network.batch, *cells_of(layer, fields))
        for network in result.networks
        if network.layers is not None
        for layer in network.layers.layers
    )
    return Table("", (Column("network", NAME), Column("batch"), *columns_of(fields)), rows)


def _sums(network: Measured) -> str:
    """Return the sum of the layers and the time between them, in words."""
    assert network.layers is not None
    layers = network.layers
    kinds = ", ".join(
        f"{name} {format_measure(seconds * 1e3)} ms"
        for name, seconds in layers.bound_seconds.items()
    )
    other = ""
    if layers.other_seconds:
        other = f", of which kernels of no layer {format_measure(layers.other_seconds * 1e3)} ms,"
    return (
        f"all layers {format_measure(layers.sum_seconds * 1e3)} ms"
        f" + between layers {format_measure(layers.between_seconds * 1e3)} ms{other}"
        f" = {format_measure(layers.whole_seconds * 1e3)} ms, mean of the faster half of all runs"
        f" ({layers.runs})\nbound by {kinds}\n"
    )


def guideline_parts(result: Guidelines) -> list[Part]:
    """Return each experiment as a table and a sentence."""
    aligned = ", G1 in multiples of 8 channels" if result.aligned else ""
    where = (
        f"arXiv:1807.11164, experiments 1 to 4 at scale {result.scale}{aligned}, batch"
        f" {result.batch}; speeds over that of the first row\n"
    )
    notes = load_notes(result)
    parts: list[Part] = [headline(result.machine, result.conditions), where, *notes]
    for experiment in result.experiments:
        title = f"{experiment.code}  {experiment.about}"
        table = table_of(experiment.variants, *VARIANT_FIELDS, title=title)
        parts += [table, f"{experiment.sentence}\n"]
    agreeing = sum(experiment.agreeing for experiment in result.experiments)
    compared = sum(experiment.compared for experiment in result.experiments)
    parts.append(f"{agreeing} of {compared} as on the paper's {result.platform}")
    return parts


VARIANT_FIELDS: tuple[Field[VariantResult], ...] = (
    (Column("variant", NAME), lambda variant: variant.name),
    (Column("channels", NAME), lambda variant: _channels(variant)),
    (Column("macs", COUNT), lambda variant: variant.macs),
    (Column("macs ratio", RATIO, "macs_ratio"), lambda variant: variant.macs_ratio),
    (Column("access", RATIO, "memory_access_ratio"), lambda variant: variant.memory_access_ratio),
    (Column("ms", MEASURE, "median_ms"), lambda variant: variant.timing.median_seconds * 1e3),
    (Column("speed", RATIO, "speed_ratio"), lambda v: v.speed.median if v.speed else 1.0),
    (
        Column("25 %", RATIO, "speed_ratio_lower_quartile"),
        lambda variant: variant.speed and variant.speed.lower_quartile,
    ),
    (
        Column("75 %", RATIO, "speed_ratio_upper_quartile"),
        lambda variant: variant.speed and variant.speed.upper_quartile,
    ),
    (Column("paper ARM", RATIO, "paper_arm_ratio"), lambda variant: variant.paper_arm),
    (Column("paper GPU", RATIO, "paper_gpu_ratio"), lambda variant: variant.paper_gpu),
)


def guideline_records(result: Guidelines) -> Table:
    """Return all variants of all experiments as one table."""
    fields: tuple[Field[VariantResult], ...] = (
        *VARIANT_FIELDS,
        (Column("verdict"), lambda variant: variant.outcome),
        (Column("paper_verdict"), lambda variant: variant.paper_outcome),
    )
    rows = tuple(
        (experiment.code, *cells_of(variant, fields))
        for experiment in result.experiments
        for variant in experiment.variants
    )
    return Table("", (Column("experiment", NAME), *columns_of(fields)), rows)


def _channels(variant: VariantResult) -> str:
    channels = [value for name, value in variant.settings.items() if name in ("c", "c1", "c2")]
    return ", ".join(map(str, channels))

"""The repeated experiments of ShuffleNetV2 as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archscope.report.table import COUNT, MEASURE, NAME, RATIO, Column, Part, Table
from archscope.report.tables.measurements import headline, load_notes

if TYPE_CHECKING:
    from archscope.bench.measure_guidelines import Guidelines, VariantResult


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
        rows = tuple(map(_variant, experiment.variants))
        title = f"{experiment.code}  {experiment.about}"
        parts += [Table(title, VARIANT_COLUMNS, rows), f"{experiment.sentence}\n"]
    agreeing = sum(experiment.agreeing for experiment in result.experiments)
    compared = sum(experiment.compared for experiment in result.experiments)
    parts.append(f"{agreeing} of {compared} as on the paper's {result.platform}")
    return parts


VARIANT_COLUMNS = (
    Column("variant"),
    Column("channels", NAME),
    Column("macs", COUNT),
    Column("macs ratio", RATIO, "macs_ratio"),
    Column("access", RATIO, "memory_access_ratio"),
    Column("ms", MEASURE, "median_ms"),
    Column("speed", RATIO, "speed_ratio"),
    Column("25 %", RATIO, "speed_ratio_lower_quartile"),
    Column("75 %", RATIO, "speed_ratio_upper_quartile"),
    Column("paper ARM", RATIO, "paper_arm_ratio"),
    Column("paper GPU", RATIO, "paper_gpu_ratio"),
)


def guideline_records(result: Guidelines) -> Table:
    """Return all variants of all experiments as one table."""
    columns = (Column("experiment"), *VARIANT_COLUMNS, Column("verdict"), Column("paper_verdict"))
    rows = tuple(
        (experiment.code, *_variant(variant), variant.outcome, variant.paper_outcome)
        for experiment in result.experiments
        for variant in experiment.variants
    )
    return Table("", columns, rows)


def _variant(variant: VariantResult) -> tuple[Any, ...]:
    speed = variant.speed
    channels = [value for name, value in variant.settings.items() if name in ("c", "c1", "c2")]
    return (
        variant.name,
        ", ".join(map(str, channels)),
        variant.macs,
        variant.macs_ratio,
        variant.memory_access_ratio,
        variant.timing.median_seconds * 1e3,
        speed.median if speed else 1.0,
        speed.lower_quartile if speed else None,
        speed.upper_quartile if speed else None,
        variant.paper_arm,
        variant.paper_gpu,
    )

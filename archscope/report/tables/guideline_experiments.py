"""The repeated experiments of ShuffleNetV2 as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archscope.report.table import (
    COUNT,
    MEASURE,
    NAME,
    RATIO,
    Column,
    Field,
    Part,
    Table,
    cells_of,
    columns_of,
    table_of,
)  # fmt: skip
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
        title = f"{experiment.code}  {experiment.about}"
        table = table_of(experiment.variants, *VARIANT_FIELDS, title=title)
        parts += [table, f"{experiment.sentence}\n"]
    agreeing = sum(experiment.agreeing for experiment in result.experiments)
    compared = sum(experiment.compared for experiment in result.experiments)
    parts.append(f"{agreeing} of {compared} as on the paper's {result.platform}")
    return parts


VARIANT_FIELDS: tuple[Field[VariantResult], ...] = (
    (Column("variant"), lambda variant: variant.name),
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
    return Table("", (Column("experiment"), *columns_of(fields)), rows)


def _channels(variant: VariantResult) -> str:
    channels = [value for name, value in variant.settings.items() if name in ("c", "c1", "c2")]
    return ", ".join(map(str, channels))

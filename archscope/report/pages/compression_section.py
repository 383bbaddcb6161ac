"""Read the section of a report on a compression from what `archscope compress` wrote as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from archscope.decoding import convert
from archscope.errors import OptionError, RecordError
from archscope.report.pages.content import CompressionSection
from archscope.report.pages.network_section import identifier
from archscope.report.pages.words import percent
from archscope.report.tables.compression import (
    Compression,
    Stage,
    gain,
    mean_of,
    notes,
    split_of,
)


class _Record(Struct):
    """The keys of the JSON that are read."""

    name: str
    steps: tuple[Stage, ...]
    scratch: Stage | None = None
    seeds: tuple[Compression, ...] = ()
    keep_accuracy: float | None = None


def is_compression(content: Any) -> bool:
    """Return whether a JSON document is meant as a compression."""
    return isinstance(content, dict) and "steps" in content and "networks" not in content


def read_compression(content: Any, file: str, taken: Sequence[str] = ()) -> CompressionSection:
    """Return the section of a compression. Raises OptionError if keys are missing or wrong."""
    try:
        record = convert(content, _Record)
        seeds = record.seeds or (Compression(record.steps, record.scratch),)
        if not all(found.steps for found in seeds):
            raise RecordError("expected a list with a step, got none", "steps")
        if not all(_is_complete(found) for found in seeds):
            raise RecordError("a step without accuracy, size or latency")
        if len({len(found.steps) for found in seeds}) > 1:
            raise RecordError("expected as many steps for each seed", "seeds")
        found = mean_of(seeds)
    except RecordError as error:
        raise OptionError(f"'{file}' is no compression of archscope: {error}") from None
    return CompressionSection(
        id=identifier(f"compression-{record.name}", taken),
        name=record.name,
        conclusion=_conclusion(seeds, found, record.keep_accuracy),
        notes=tuple(notes(seeds)),
        split=split_of(found),
        mean=found,
        seeds=seeds,
        keep=record.keep_accuracy,
    )


def _is_complete(found: Compression) -> bool:
    stages = [*found.steps, *([found.scratch] if found.scratch else [])]
    trained = any(stage.training_seconds is not None for stage in found.steps)
    return (
        (trained or found.scratch is None)
        and bool(found.steps)
        and all(
            "top1" in (stage.test or stage.validation)
            and stage.model_bytes > 0
            and stage.seconds > 0
            for stage in stages
        )
    )


def _conclusion(seeds: Sequence[Compression], found: Compression, keep: float | None) -> str:
    """Return what the steps gain and lose, and how the control compares."""
    text = f"{gain(seeds, keep)}."
    if found.scratch is not None:
        pruned = [stage for stage in found.steps if stage.training_seconds is not None][-1]
        text += (
            f" The pruned network reaches {percent(pruned.top1)}; trained from scratch for as"
            f" long, {percent(found.scratch.top1)}."
        )
    return text[0].upper() + text[1:]

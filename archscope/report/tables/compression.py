"""The steps of a compression as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from archscope.records.training import Scores
from archscope.report.table import BYTES, COUNT, NAME, SHARE, Column, Part, table_of
from archscope.units import format_scaled


class Stage(Struct, frozen=True):
    """What a network has after one step."""

    name: str
    test: Scores
    params: int
    macs: int
    peak_bytes: int  # of feature maps in float32
    model_bytes: int  # of its ONNX file
    seconds: float  # for one image on one thread


def compression_parts(name: str, stages: Sequence[Stage], keep: float) -> list[Part]:
    """Return one row for each step, and what all of them gain and cost."""
    first, last = stages[0], stages[-1]
    lost = 100 * (first.test["top1"] - last.test["top1"])
    gain = first.seconds / last.seconds
    speed = f"{gain:.2f} times faster" if gain >= 1 else f"{1 / gain:.2f} times slower"
    return [
        table_of(
            stages,
            (Column("step", NAME), lambda stage: stage.name),
            (Column("test top1", SHARE), lambda stage: stage.test["top1"]),
            (Column("params", COUNT), lambda stage: stage.params),
            (Column("macs", COUNT), lambda stage: stage.macs),
            (Column("peak", BYTES), lambda stage: stage.peak_bytes),
            (Column("model", BYTES), lambda stage: stage.model_bytes),
            (Column("latency"), lambda stage: format_scaled(stage.seconds, "s")),
            title=name,
        ),
        f"{first.model_bytes / last.model_bytes:.1f} times smaller, {speed},"
        f" {lost:.2f} points lost, of which {keep:g} may be",
        "peak: feature maps in float32, of int8 a quarter; latency: the median for one image in"
        " onnxruntime on one thread, all steps in turns",
    ]


def compression_record(name: str, stages: Sequence[Stage]) -> dict[str, Any]:
    """Return the steps for programs."""
    return {"name": name, "steps": list(stages)}

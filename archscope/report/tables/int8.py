"""Networks in int8 as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from archscope.compress.int8 import Int8, Int8Layer
from archscope.records.training import Scores
from archscope.report.table import NAME, Column, Part, Table, table_of
from archscope.units import format_bytes, format_scaled


class Int8Measured(Struct, frozen=True):
    """What was measured of the model in float32 and of that in int8, in this order."""

    bytes: Sequence[int]
    seconds: Sequence[float]
    test: Sequence[Scores]  # empty without test images
    calibration_images: int


def int8_parts(name: str, found: Int8, measured: Int8Measured) -> list[Part]:
    """Return size, latency and accuracy before and after, and the layers that were compared."""
    (whole, small), (slow, fast) = measured.bytes, measured.seconds
    rows: list[tuple[str, ...]] = [
        ("file", format_bytes(whole), format_bytes(small), f"{whole / small:.2f} times smaller"),
        (
            "latency", format_scaled(slow, "s"), format_scaled(fast, "s"),
            f"{slow / fast:.2f} times faster" if fast < slow else f"{fast / slow:.2f} times slower",
        ),
    ]  # fmt: skip
    if measured.test:
        before, after = measured.test
        for measure in before:
            both = before[measure], after[measure]
            if measure == "loss":
                texts = [f"{value:.4g}" for value in both]
                change = f"{both[1] - both[0]:+.2g}"
            else:
                texts = [f"{100 * value:.2f} %" for value in both]
                change = f"{100 * (both[1] - both[0]):+.2f} points"
            rows.append((f"test {measure}", *texts, change))
    columns = (Column("", NAME, "measure"), Column("float32"), Column("int8"), Column("change"))
    parts: list[Part] = [Table(name, columns, tuple(rows))]
    if any(layer.lost is not None for layer in found.layers):
        parts.append(_layers(found))
    parts.append(
        "latency: the median for one image in onnxruntime, on one thread, in turns; batch norms"
        f" are folded in both; calibrated with {measured.calibration_images:,} images"
    )
    floats = [layer.name for layer in found.layers if not layer.int8]
    if floats:
        parts.append(
            f"{len(floats)} of {len(found.layers)} layers stay in float32: {', '.join(floats)}"
        )
    return parts


def _layers(found: Int8) -> Table:
    """Return the layers, the worst first."""

    def worst(layer: Int8Layer) -> tuple[float, float]:
        return -(layer.lost or 0.0), -(layer.loss or 0.0)

    return table_of(
        sorted(found.layers, key=worst),
        (Column("layer", NAME), lambda layer: layer.name),
        (Column("computes in"), lambda layer: "int8" if layer.int8 else "float32"),
        (Column("points lost"), lambda layer: f"{100 * (layer.lost or 0.0):.2f}"),
        (Column("loss added"), lambda layer: f"{layer.loss:+.2g}"),
        title="each layer alone in int8, on images that were not tested on",
    )


def int8_record(name: str, found: Int8, measured: Int8Measured) -> dict[str, Any]:
    """Return a network in int8 for programs."""

    def both(values: Sequence[Any]) -> dict[str, Any] | None:
        return {"float32": values[0], "int8": values[1]} if values else None

    return {
        "name": name,
        "method": "int8",
        "bytes": both(measured.bytes),
        "seconds": both(measured.seconds),
        "test": both(measured.test),
        "deciding_accuracy": both([found.before, found.after]),
        "calibration_images": measured.calibration_images,
        "layers": found.layers,
    }

"""The steps of a compression as a table."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

from msgspec import Struct, structs

from archscope.records.training import Scores
from archscope.report.table import (
    BYTES,
    COUNT,
    NAME,
    SHARE,
    Column,
    Field,
    Part,
    cells_of,
    table_of,
)
from archscope.units import format_duration, format_scaled


class Stage(Struct, frozen=True, omit_defaults=True):
    """The numbers of a network after a step, or their means over several seeds."""

    name: str
    params: float
    macs: float
    peak_bytes: float  # of feature maps in float32
    model_bytes: float  # of its ONNX file
    seconds: float  # for one image on one thread
    test: Scores = {}
    validation: Scores = {}
    training_seconds: float | None = None  # of this step alone
    spread: float | None = None  # standard deviation of the accuracy among seeds (n - 1)

    @property
    def top1(self) -> float:
        """The accuracy on the images of its scores."""
        return (self.test or self.validation)["top1"]


class Compression(Struct, frozen=True):
    """The steps of a compression, starting with the whole network, and the control."""

    steps: tuple[Stage, ...]
    scratch: Stage | None = None  # the pruned network trained from scratch, in float32


def mean_of(seeds: Sequence[Compression]) -> Compression:
    """Return the mean of the compressions of several seeds of a network."""
    steps = tuple(map(_mean, zip(*(found.steps for found in seeds), strict=True)))
    controls = [found.scratch for found in seeds if found.scratch is not None]
    return Compression(steps, _mean(controls) if controls else None)


def compression_parts(name: str, seeds: Sequence[Compression], keep: float | None) -> list[Part]:
    """Return a row for each step, and the gain and cost of all of them."""
    found = mean_of(seeds)
    columns = _columns(len(seeds) > 1, split_of(found))
    table = table_of(found.steps, *columns, title=name)
    if found.scratch is not None:
        table = structs.replace(table, totals=(cells_of(found.scratch, columns),))
    return [table, gain(seeds, keep), *notes(seeds)]


def split_of(found: Compression) -> str:
    """Return the name of the images that its accuracies are of."""
    return "test" if found.steps[0].test else "validation"


def gain(seeds: Sequence[Compression], keep: float | None) -> str:
    """Return what all steps together gain and lose; `keep` points of accuracy may be lost."""
    steps = mean_of(seeds).steps
    first, last = steps[0], steps[-1]
    times = first.seconds / last.seconds
    speed = f"{times:.2f} times faster" if times >= 1 else f"{1 / times:.2f} times slower"
    allowed = "" if keep is None else f", {keep:g} may be lost"
    return (
        f"{first.model_bytes / last.model_bytes:.1f} times smaller, {speed},"
        f" {_change(points_lost(seeds))}{allowed}"
    )


def notes(seeds: Sequence[Compression]) -> list[str]:
    """Return how the numbers of a compression were measured."""
    found = mean_of(seeds)
    texts = [
        "peak: feature maps in float32, of int8 a quarter; latency: the median for one image in"
        " onnxruntime on one thread, all steps in turns; training: what the step alone took"
    ]
    if found.scratch is not None:
        texts.append(
            "scratch: the pruned network from initial weights, trained for all epochs together"
        )
    if not found.steps[0].test:
        texts.append(
            "there are no test images: those for validation also chose weights and layers, so that"
            " accuracy on other images may be lower"
        )
    if len(seeds) > 1:
        texts.append(
            f"the mean of {len(seeds)} seeds, which prune on their own; spread: the standard"
            " deviation of their accuracy in points"
        )
    return texts


def points_lost(seeds: Sequence[Compression]) -> float:
    """Return the mean points of accuracy lost between the first step and the last."""
    return mean(100 * (found.steps[0].top1 - found.steps[-1].top1) for found in seeds)


def compression_record(name: str, seeds: Sequence[Compression]) -> dict[str, Any]:
    """Return the steps for programs; `seeds` has those of each seed, if there are several."""
    found = mean_of(seeds)
    record = {"name": name, "steps": found.steps, "scratch": found.scratch}
    return record | ({"seeds": list(seeds)} if len(seeds) > 1 else {})


def _columns(several: bool, split: str) -> list[Field[Stage]]:
    fields: list[Field[Stage]] = [
        (Column("step", NAME), lambda stage: stage.name),
        (Column(f"{split} top1", SHARE), lambda stage: stage.top1),
        (Column("params", COUNT), lambda stage: stage.params),
        (Column("macs", COUNT), lambda stage: stage.macs),
        (Column("peak", BYTES, rank=0), lambda stage: stage.peak_bytes),
        (Column("model", BYTES), lambda stage: stage.model_bytes),
        (Column("latency"), lambda stage: format_scaled(stage.seconds, "s")),
        (Column("training"), _training),
    ]
    if several:
        fields.insert(2, (Column("spread"), lambda stage: f"{100 * (stage.spread or 0):.2f}"))
    return fields


def _change(lost: float) -> str:
    return f"{lost:.2f} points lost" if lost >= 0 else f"{-lost:.2f} points gained"


def _training(stage: Stage) -> str | None:
    seconds = stage.training_seconds
    return None if seconds is None else format_duration(seconds)


def _mean(stages: Sequence[Stage]) -> Stage:
    """Return the mean of the same step over several seeds."""
    first = stages[0]
    if len(stages) == 1:
        return first
    numbers = [
        name for name in first.__struct_fields__ if isinstance(getattr(first, name), int | float)
    ]
    scores = {
        split: {
            measure: mean(getattr(stage, split)[measure] for stage in stages)
            for measure in getattr(first, split)
        }
        for split in ("test", "validation")
    }
    return structs.replace(
        first,
        **scores,
        spread=stdev(stage.top1 for stage in stages),
        **{name: mean(getattr(stage, name) for stage in stages) for name in numbers},
    )

"""The four experiments of ShuffleNetV2 (arXiv:1807.11164, section 2) as graphs of equal macs."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from msgspec import Struct

from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.language import load

FOLDER = Path(__file__).parent
SCALES = (1, 2, 4)
"""Multiples of the smallest numbers of channels: the columns of the paper's tables."""

PLATFORM = {"cpu": "ARM", "cuda": "GPU"}
"""The platform of the paper nearest to a device; the device uses its numbers of channels."""

Settings = dict[str, int | bool]


class Variant(Struct, frozen=True):
    """A stack of an experiment; the first stack is the baseline of the others."""

    name: str  # as in the paper's table
    settings: Settings

    def graph(self, stack: str) -> Graph:
        """Return the stack with these settings."""
        return load(FOLDER / "stacks" / f"{stack}.yaml", set=self.settings)


class Experiment(Struct, frozen=True):
    """Stacks of equal macs that differ in one property."""

    code: str
    about: str
    variants: tuple[Variant, ...]

    @property
    def graphs(self) -> tuple[Graph, ...]:
        """The stacks, in the order of the variants."""
        return tuple(variant.graph(self.code.lower()) for variant in self.variants)


def experiments(
    device: str = "cpu", scale: int = 1, aligned: bool = False
) -> tuple[Experiment, ...]:
    """Return G1 to G4 for a device. Raises OptionError for a scale that is not in the paper.

    Channels are the paper's own where it prints them; G3's are rounded down to equal macs.
    `aligned` uses multiples of 8 for G1 instead of the paper's 9, 13 or 22, which have to be
    padded by kernels that process 8 or 16 channels at once.
    """
    if scale not in SCALES:
        raise OptionError(f"expected a scale of 1, 2 or 4, got {scale}")
    large = PLATFORM[device] == "GPU"
    return (
        Experiment(
            "G1",
            "equal channels in and out need least memory access",
            tuple(
                Variant(f"c1:c2=1:{ratio}", _pair(scale * c1, scale * c2, aligned))
                for ratio, c1, c2 in (G1_GPU if large else G1_ARM)
            ),
        ),
        Experiment(
            "G2",
            "groups cost memory access",
            tuple(
                Variant(f"g={groups}", {"c": _divisible(scale * c, groups), "groups": groups})
                for groups, c in (G2_GPU if large else G2_ARM)
            ),
        ),
        Experiment(
            "G3",
            "fragments cost parallelism",
            tuple(
                Variant(name, {"c": int((128 if large else 64) * scale / (s * p) ** 0.5)} | shape)
                for name, s, p in G3
                for shape in [{"series": s, "parallel": p}]
            ),
        ),
        Experiment(
            "G4",
            "element-wise work costs time without macs",
            tuple(
                Variant(
                    f"ReLU={_word(relu)},shortcut={_word(shortcut)}",
                    {"c": 32 * scale, "relu": relu, "shortcut": shortcut},
                )
                for relu in (True, False)
                for shortcut in (True, False)
            ),
        ),
    )


G1_ARM = ((1, 32, 32), (2, 22, 44), (6, 13, 78), (12, 9, 108))
G1_GPU = ((1, 128, 128), (2, 90, 180), (6, 52, 312), (12, 36, 432))
G2_ARM = ((1, 64), (2, 90), (4, 128), (8, 180))
G2_GPU = ((1, 128), (2, 180), (4, 256), (8, 360))
G3 = (
    ("1-fragment", 1, 1), ("2-fragment-series", 2, 1), ("4-fragment-series", 4, 1),
    ("2-fragment-parallel", 1, 2), ("4-fragment-parallel", 1, 4),
)  # fmt: skip


def _pair(c1: int, c2: int, aligned: bool) -> Settings:
    """Return the channels of a block of G1, or nearby multiples of 8 with the same macs."""
    if aligned:
        macs, c1 = c1 * c2, round(c1 / 8) * 8
        c2 = round(macs / c1 / 8) * 8
    return {"c1": c1, "c2": c2}


def _divisible(channels: int, groups: int) -> int:
    """Return the nearest multiple of the groups: the paper's 180 is not divisible by 8."""
    return round(channels / groups) * groups


def _word(flag: bool) -> str:
    return "yes" if flag else "no"


@cache
def paper() -> dict[tuple[str, str, str, int], float]:
    """Return the speeds in the paper, by experiment, variant, platform and scale.

    Batches per second on its GPU, images per second on its ARM: comparable only per platform.
    """
    with (FOLDER / "shufflenetv2_tables.csv").open(encoding="utf-8", newline="") as file:
        return {
            (row["experiment"], row["variant"], row["platform"], int(row["scale"])): float(
                row["speed"]
            )
            for row in csv.DictReader(file)
        }


def paper_ratio(code: str, variant: str, baseline: str, platform: str, scale: int) -> float:
    """Return the paper's speed of a variant over that of the baseline."""
    speeds = paper()
    return speeds[code, variant, platform, scale] / speeds[code, baseline, platform, scale]

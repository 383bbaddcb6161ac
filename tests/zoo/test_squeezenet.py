"""SqueezeNet against torchvision, and the fire module's own arithmetic."""

from __future__ import annotations

from typing import Any

import pytest

from archscope import analyze, load
from tests.zoo.oracle import assert_same_output, torchvision


@pytest.mark.parametrize("name", ["squeezenet1_0", "squeezenet1_1"])
def test_outputs_are_torchvision_s(name: str) -> None:
    assert_same_output(name, getattr(torchvision().models, name)(), (3, 224, 224))


@pytest.mark.parametrize(
    ("name", "settings", "side", "params", "macs"),
    [
        ("squeezenet1_0", {}, 224, 1_248_424, 818_924_576),
        ("squeezenet1_1", {}, 224, 1_235_496, 349_151_936),
        ("squeezenet1_0", {}, 227, 1_248_424, 832_667_936),
        ("squeezenet1_1", {}, 227, 1_235_496, 387_747_520),
        ("squeezenet1_0", {"classes": 10}, 224, 1_248_424 - 990 * 513, 733_261_856),
    ],
)
def test_totals(name: str, settings: dict[str, Any], side: int, params: int, macs: int) -> None:
    totals = analyze(load(name, set=settings, input=(3, side, side))).totals
    assert (totals.params, totals.macs) == (params, macs)


def test_weights_are_the_4_8_megabytes_of_the_paper() -> None:
    totals = analyze(load("squeezenet1_0")).totals
    assert f"{totals.weight_bytes / 2**20:.1f}" == "4.8"


def test_fire_modules_stand_as_in_table_1() -> None:
    nodes = load("squeezenet1_0").nodes
    fires = [node.out[0] for node in nodes if node.op.name == "concat"]
    assert fires == [128, 128, 256, 256, 384, 384, 512, 512]
    pools = [node.out[1] for node in nodes if node.op.name == "maxpool"]
    assert pools == [54, 27, 13]

"""The shipped spaces contain the networks that they should."""

from __future__ import annotations

from typing import Any

import pytest

from archscope import load
from archscope.analysis.canonical import canonical
from archscope.language import document
from archscope.space.costs import costs_of
from archscope.space.counting import every, plan
from archscope.space.search_space import bind, space


def mb(path: str, depth: int, expand: int = 6) -> dict[str, Any]:
    choices: dict[str, Any] = {f"{path}.depth": depth}
    for i in range(depth):
        choices |= {f"{path}.mb{i}.kernel": 3, f"{path}.mb{i}.expand": expand}
        choices[f"{path}.mb{i}.se"] = False
    return choices


def test_mobilenet_v2_is_in_mobile() -> None:
    choices: dict[str, Any] = {"stem": 32, "reduce": "mb", "last": 1280}
    choices |= {"first.kernel": 3, "first.se": False, **mb("stage56", 2)}
    for stage, narrow, wide in (("stage28", 3, 0), ("stage14", 4, 3), ("stage7", 3, 1)):
        choices |= {f"{stage}.kind": "mb", f"{stage}.width": 1.0, **mb(f"{stage}.narrow", narrow)}
        choices |= mb(f"{stage}.wide", wide) if wide else {}
    assert canonical(bind(space(document("mobile")), choices)) == canonical(load("mobilenet_v2"))


def test_shufflenet_v2_is_in_mobile() -> None:
    choices: dict[str, Any] = {"stem": 24, "reduce": "maxpool", "last": 1024}
    for stage, depth in (("stage28", 4), ("stage14", 8), ("stage7", 4)):
        choices |= {f"{stage}.kind": "shuffle", f"{stage}.width": 1.0}
        choices |= {f"{stage}.shuffle_stage.depth": depth, f"{stage}.shuffle_stage.kernel": 3}
        choices |= {f"{stage}.shuffle_stage.unit{i}.kernel": 3 for i in range(depth - 1)}
    ours = costs_of(bind(space(document("mobile")), choices))
    theirs = costs_of(load("shufflenet_v2_x1_5"))
    assert (
        (ours["macs"], ours["params"]) == (theirs["macs"], theirs["params"]) == (295759392, 3503624)
    )


@pytest.mark.parametrize(
    "name, unit, depths",
    [
        ("resnet18", "basic", (2, 2, 2, 2)),
        ("resnet34", "basic", (3, 4, 6, 3)),
        ("resnet50", "bottleneck", (3, 4, 6, 3)),
        ("resnet152", "bottleneck", (3, 8, 36, 3)),
    ],
)
def test_resnets_are_in_resnet(name: str, unit: str, depths: tuple[int, ...]) -> None:
    choices: dict[str, Any] = {"unit": unit, "stem": 64, "squeeze": False}
    for i, depth in enumerate(depths):
        choices |= {f"stage{i}.width": 1.0, f"stage{i}.depth": depth}
    assert canonical(bind(space(document("resnet")), choices)) == canonical(load(name))


MACRO = ("identity", "mb3_k3", "mb6_k5")


@pytest.mark.parametrize(
    "arch, params, macs",
    [
        # From the table published with NAS-Bench-Macro (xiusu/NAS-Bench-Macro).
        ("00000000", 387882, 7713280),
        ("00000001", 791594, 14115328),
        ("22212220", 1985514, 85164544),
        ("02012100", 890666, 47327744),
    ],
)
def test_nas_bench_macro(arch: str, params: int, macs: int) -> None:
    found = space(document("cifar_macro"))
    paths = [decision.path for decision in found.decisions]
    choices = {path: MACRO[int(digit)] for path, digit in zip(paths, arch, strict=True)}
    costs = costs_of(bind(found, choices))
    assert (costs["params"], costs["macs"]) == (params, macs)


def test_identities_of_a_stage_make_the_same_network() -> None:
    """Of the last two stages alone: 3 * 7 classes each, of 27 networks."""
    found = space(document("cifar_macro"))
    fixed = {"stage0.searched0.kind": "identity", "stage0.searched1.kind": "identity",
             "stage1.searched0.kind": "mb3_k3"}  # fmt: skip
    digests = {
        canonical(found.graph({**found.defaults, **choices, **fixed}))
        for choices in every(plan(space(document("cifar_macro"), set=fixed)))
    }
    assert len(digests) == 7 * 21


@pytest.mark.parametrize(
    "operator, params, macs",
    [
        # The largest and smallest cells of NAS-Bench-201: 1.531546 M, 220.119680 M; 0.073306 M,
        # 7.783040 M.
        ("nor_conv_3x3", 1531546, 220119680),
        ("skip_connect", 73306, 7783040),
    ],
)
def test_nas_bench_201(operator: str, params: int, macs: int) -> None:
    found = space(document("nasbench201_cell"))
    costs = costs_of(bind(found, {decision.path: operator for decision in found.decisions}))
    assert (costs["params"], costs["macs"]) == (params, macs)


def test_cells_that_are_the_same() -> None:
    found = space(document("nasbench201_cell"))

    def digest(**edges: str) -> str:
        choices = {decision.path: "none" for decision in found.decisions}
        return canonical(bind(found, {**choices, **edges}))

    through = digest(edge_03="nor_conv_3x3")
    # Past node 1 and 2 without a change, or beside a path that comes to nothing.
    assert digest(edge_01="skip_connect", edge_13="nor_conv_3x3") == through
    assert digest(edge_01="nor_conv_3x3", edge_13="skip_connect") == through
    assert digest(edge_03="nor_conv_3x3", edge_12="avg_pool_3x3") == through
    assert digest(edge_03="nor_conv_1x1") != through
    assert digest(edge_03="nor_conv_3x3", edge_13="nor_conv_1x1") != through  # a learned constant

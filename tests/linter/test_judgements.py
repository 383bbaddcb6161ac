"""The rules reproduce the findings of the ShuffleNetV2 paper on networks."""

from __future__ import annotations

from math import isclose, sqrt
from pathlib import Path

import pytest

from archscope.language import load
from archscope.linter import lint
from archscope.linter.config import Config
from archscope.rules.excessive_groups import against_dense
from archscope.rules.network import Network
from archscope.rules.rule import RULES, Guideline
from archscope.rules.unequal_channel_widths import traffic

NASNET_LIKE = Path(__file__).parents[1] / "specs/nasnet_like.yaml"


def broken(name: str | Path) -> set[str]:
    graph = load(name)
    findings = lint(graph, config=Config(select=("G",)))
    scores = [cls().score(Network(graph)) for cls in RULES.values() if issubclass(cls, Guideline)]
    assert {finding.code for finding in findings} == {s.code for s in scores if s.broken}
    return {finding.code for finding in findings}


@pytest.mark.parametrize(
    ("network", "codes"),
    [
        ("shufflenet_v1_g3", {"G1", "G2", "G4"}),
        ("shufflenet_v1_g8", {"G1", "G2", "G4"}),
        ("mobilenet_v2", {"G1", "G4"}),
        (NASNET_LIKE, {"G3", "G4"}),
        ("shufflenet_v2_x0_5", set()),
        ("shufflenet_v2_x1_0", set()),
        ("shufflenet_v2_x1_5", set()),
        ("shufflenet_v2_x2_0", set()),
    ],
)
def test_the_paper_s_judgements(network: str | Path, codes: set[str]) -> None:
    assert broken(network) == codes


def test_googlenet_and_the_cells_are_fragmented_resnet_is_not() -> None:
    assert "G3" in broken("googlenet")
    assert "G3" in broken(NASNET_LIKE)
    assert "G3" not in broken("resnet50")


TABLE_1 = [(1, (128, 128)), (2, (90, 180)), (6, (52, 312)), (12, (36, 432))]
"""Ratio and channels of arXiv:1807.11164, table 1, x1 on the GPU; the images are 56x56."""


def convolution(c1: int, c2: int, groups: int = 1) -> Network:
    text = f"INPUT {c1}x56x56 -> conv {c2}"
    graph = load(text, set={})
    (node,) = [node for node in graph.nodes if node.inputs]
    assert node.op.name == "conv"
    return Network(graph)


def test_memory_access_of_table_1_grows_with_the_ratio() -> None:
    ratios, least = [], []
    for ratio, (c1, c2) in TABLE_1:
        moved = []
        for inputs, outputs in ((c1, c2), (c2, c1)):
            (node,) = convolution(inputs, outputs).conv_like
            moved.append(traffic(node))
        for access, bound in moved:  # c1 -> c2 -> c1
            assert access == 56 * 56 * (c1 + c2) + c1 * c2
            macs = 56 * 56 * c1 * c2
            assert isclose(bound, 2 * sqrt(56 * 56 * macs) + macs / 56**2)
            # Equation 1's bound is reached at 1:1.
            assert (access == bound) == (ratio == 1)
        ratios.append(moved[0][0])
        least.append(moved[0][1])
    assert ratios == sorted(ratios)
    assert max(least) / min(least) < 1.03  # equal macs, as far as whole channels allow


@pytest.mark.parametrize("groups", [2, 4, 8])
def test_groups_against_a_dense_convolution_of_equal_macs(groups: int) -> None:
    c = 128
    grouped = load_conv(c, c, groups)
    dense = load_conv(c, c // groups, 1)
    access, other = against_dense(grouped)
    assert grouped.facts.macs == dense.facts.macs
    assert access == grouped.facts.access
    assert other == dense.facts.access


def load_conv(c1: int, c2: int, groups: int):  # type: ignore[no-untyped-def]
    from archscope.graph_builder import GraphBuilder
    from archscope.ops import OPS

    builder = GraphBuilder()
    builder.add("input", OPS["input"](size=(c1, 56, 56)))
    builder.add("conv", OPS["conv"](out=c2, groups=groups, bias=False), ["input"])
    return builder.nodes["conv"]

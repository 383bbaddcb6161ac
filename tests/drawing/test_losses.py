"""Drawings of pruned networks: sizes, fractions, and layers without them."""

from __future__ import annotations

from typing import Any

import pytest

from archscope import Analysis, analyze, load
from archscope.analysis.difference import origins
from archscope.compress import prune
from archscope.drawing.heat import HEATS
from archscope.drawing.losses import losses
from archscope.drawing.overlay import Overlay
from archscope.drawing.tree import TreeNode, tree_of
from archscope.ir import Graph
from tests.nets import Net, chain


def lost(old: Graph, new: Graph, heat: str = "macs") -> tuple[Overlay, Analysis, Analysis]:
    before, after = analyze(old), analyze(new)
    return losses(old, new, before, after, heat), before, after


def boxes(node: TreeNode) -> list[TreeNode]:
    return [box for child in node.children for box in (child, *boxes(child))]


@pytest.fixture(scope="module")
def nets() -> tuple[Graph, Graph]:
    """A network, and what pruning writes of it: with other names, in other blocks."""
    old = load("shufflenet_v2_x0_5").inference()
    pruned = prune(old, budget="60%", importance="random", lanes=4)
    return old, pruned.graph


@pytest.mark.parametrize("heat", HEATS)
def test_shares_are_of_what_each_box_had(nets: tuple[Graph, Graph], heat: str) -> None:
    overlay, before, after = lost(*nets, heat)
    pairs = list(zip(before.layers, after.layers, strict=True))  # pruning keeps the order
    seen = set()
    for box in boxes(tree_of(after.layers)):
        had, has = (
            sum(getattr(pairs[place][side], HEATS[heat]) for place in box.layers) for side in (0, 1)
        )
        if has < had:
            assert overlay.values[box.name] == pytest.approx(100 * (1 - has / had), abs=0.051)
            seen.add(box.name)
    assert seen == overlay.values.keys() and seen
    assert overlay.ends == (0, 100)


def test_sizes_are_said_where_they_changed(nets: tuple[Graph, Graph]) -> None:
    overlay, before, after = lost(*nets)
    for was, now in zip(before.layers, after.layers, strict=True):
        expected = f"{was.out[0]} → {'x'.join(map(str, now.out))}"
        assert overlay.sizes.get(now.name) == (expected if was.out != now.out else None)
    layers: tuple[Any, ...] = (("conv", {"out": 4, "kernel": 3}), ("maxpool", {"kernel": 2}))
    pooled, larger = chain(*layers, x=(3, 8, 8)), chain(*layers, x=(3, 10, 10))
    found, *_ = lost(larger, pooled)
    assert found.sizes["maxpool2"] == "4x4x4 → 4x3x3"


def test_other_names_are_matched_by_place() -> None:
    def net(*names: str) -> Graph:
        made = Net(x=(3, 8, 8))
        last = "x"
        for name, out in zip(names, (8, 16, 8), strict=True):
            last = made("conv", last, out=out, kernel=1, name=name)
        return made.graph()

    assert origins(net("a", "b", "c"), net("c", "a", "d")) == {
        "x": "x", "c": "a", "a": "b", "d": "c",
    }  # fmt: skip


def test_networks_with_other_layers() -> None:
    overlay, *_ = lost(load("resnet34"), load("resnet18"))
    assert "layers are not there any more" in overlay.title and "% in all" in overlay.title
    grown, *_ = lost(load("resnet18"), load("resnet34"))
    assert "% in all" not in grown.title
    assert all(0 < share <= 100 for share in (*overlay.values.values(), *grown.values.values()))
    same, *_ = lost(load("resnet18"), load("resnet18"))
    assert not same.values and not same.sizes

"""Layout: no two boxes overlap, however many are open."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest

from archscope import analyze, load
from archscope.drawing.layout import Box, Layout, Point, layout_of
from archscope.drawing.tree import tree_of

NETWORKS = ("googlenet", "shufflenet_v2_x1_0", "densenet_40_12_cifar10", "siamese", "attention56",
            "hard_attention_cifar10", "rir_cifar10")  # fmt: skip
CLOSE = 1e-6


def drawn(name: str, depth: int | None = None) -> Layout:
    analysis = analyze(load(name))
    root = tree_of(analysis.layers, name)
    return layout_of(root, lambda _, deep: depth is None or deep < depth)


def inside(inner: Box, outer: Box) -> bool:
    return (
        outer.x <= inner.x + CLOSE
        and outer.y <= inner.y + CLOSE
        and inner.x + inner.width <= outer.x + outer.width + CLOSE
        and inner.y + inner.height <= outer.y + outer.height + CLOSE
    )


def apart(one: Box, other: Box) -> bool:
    return (
        one.x + one.width <= other.x + CLOSE
        or other.x + other.width <= one.x + CLOSE
        or one.y + one.height <= other.y + CLOSE
        or other.y + other.height <= one.y + CLOSE
    )


def within(point: Point, box: Box) -> bool:
    x, y = point
    return (
        box.x + CLOSE < x < box.x + box.width - CLOSE
        and box.y + CLOSE < y < box.y + box.height - CLOSE
    )


def samples(points: tuple[Point, ...]) -> list[Point]:
    """Return points all along a line, on the curves that the SVG draws."""
    found = []
    for number, ((x, y), (to_x, to_y)) in enumerate(pairwise(points)):
        for step in range(9):
            t = step / 8
            if number % 2 == 0:
                found.append((x, y + (to_y - y) * t))
            else:  # the cubic from (x, y) with upright tangents
                ease = 3 * t * t - 2 * t**3
                middle = (y + to_y) / 2
                rise = (1 - t) ** 3 * y + 3 * t * (1 - t) * middle + t**3 * to_y
                found.append((x + (to_x - x) * ease, rise))
    return found


@pytest.mark.parametrize("depth", [1, 2, None])
@pytest.mark.parametrize("name", NETWORKS)
def test_boxes_lie_apart_or_in_each_other(name: str, depth: int | None) -> None:
    found = drawn(name, depth)
    for one, other in combinations(found.boxes, 2):
        nested = set(other.node.layers) <= set(one.node.layers) and one.open
        assert inside(other, one) if nested else apart(one, other), (one.node, other.node)
    for box in found.boxes:
        assert box.x >= 0 <= box.y
        assert box.x + box.width <= found.width
        assert box.y + box.height <= found.height


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_is_drawn_once(name: str) -> None:
    leaves = [box for box in drawn(name).boxes if not box.open]
    assert sorted(place for box in leaves for place in box.node.layers) == list(
        range(len(analyze(load(name)).layers))
    )


@pytest.mark.parametrize("name", ["googlenet", "shufflenet_v2_x1_0", "rir_cifar10"])
def test_no_line_passes_over_a_closed_box(name: str) -> None:
    found = drawn(name)
    closed = [box for box in found.boxes if not box.open]
    for edge in found.edges:
        low = min(y for _, y in edge) - 1
        high = max(y for _, y in edge) + 1
        near = [box for box in closed if box.y < high and box.y + box.height > low]
        for point in samples(edge):
            assert not any(within(point, box) for box in near)


def test_branches_stand_side_by_side() -> None:
    boxes = {box.node.name: box for box in drawn("googlenet").boxes}
    first = [boxes[f"inception0.{name}"] for name in ("unit0", "unit1", "unit3", "maxpool")]
    assert len({box.y for box in first}) == 1
    assert len({box.x for box in first}) == 4
    assert boxes["inception0.concat"].y > max(box.y + box.height for box in first)


def test_folded_blocks_are_one_box() -> None:
    found = drawn("resnet50", 1)
    assert [box.node.label for box in found.boxes] == [
        "input", "stem", "stage0", "stage1", "stage2", "stage3", "classifier",
    ]  # fmt: skip
    assert not any(box.open for box in found.boxes)

"""Depth, width and fragments, as papers count them."""

from __future__ import annotations

import pytest

from archscope import load
from archscope.analysis.structure import BlockShape, structure
from tests.nets import Net, chain


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        ("vgg16", 16),
        ("vgg19", 19),
        ("resnet50", 50),
        ("densenet121", 121),
        ("googlenet_bn", 22),
        # The stem, 17 bottlenecks of 3 but the first of 2, the last 1x1, the classifier.
        ("mobilenet_v2", 1 + 16 * 3 + 2 + 1 + 1),
        # The stem, 16 units of 3, the last 1x1, the classifier.
        ("shufflenet_v2_x1_0", 1 + 16 * 3 + 1 + 1),
    ],
)
def test_depth_is_the_number_in_the_name(name: str, depth: int) -> None:
    assert structure(load(name)).depth == depth


def test_chain() -> None:
    shape = structure(
        chain(
            ("conv", {"out": 4, "kernel": 3}), ("batchnorm", {}), ("relu", {}),
            ("maxpool", {"kernel": 2}), ("flatten", {}), ("linear", {"out": 2}), x=(1, 8, 8),
        )
    )  # fmt: skip
    assert (shape.depth, shape.longest_path, shape.layers, shape.width) == (2, 6, 6, 1)
    assert shape.blocks == ()


def test_width_is_of_fragments_on_one_level() -> None:
    net = Net(x=(4, 8, 8))
    stem = net("conv", "x", name="stem", out=4)
    one = net("conv", stem, name="mixed.one", out=4)
    two = net("conv", net("maxpool", stem, name="mixed.pool", kernel=1), name="mixed.two", out=4)
    three = net("relu", net("conv", stem, name="mixed.three", out=4), name="mixed.relu")
    shape = structure(net.graph(net("concat", one, two, three, name="mixed.concat")))
    assert shape.blocks == (BlockShape("mixed", fragments=4, width=3),)
    assert (shape.width, shape.depth, shape.longest_path, shape.layers) == (3, 2, 4, 7)


def test_blocks_hold_those_inside_them() -> None:
    net = Net(x=(4, 8, 8))
    one = net("conv", "x", name="stage.unit0.conv", out=4)
    two = net("conv", one, name="stage.unit1.left.conv", out=4)
    three = net("conv", one, name="stage.unit1.right.conv", out=4)
    both = net("add", two, three, name="stage.unit1.add")
    shape = structure(net.graph(net("linear", net("flatten", both), name="linear", out=2)))
    found = {block.scope: (block.fragments, block.width) for block in shape.blocks}
    assert found == {
        "stage": (3, 2),
        "stage.unit0": (1, 1),
        "stage.unit1": (2, 2),
        "stage.unit1.left": (1, 1),
        "stage.unit1.right": (1, 1),
    }
    assert (shape.width, shape.depth) == (2, 3)


def test_inception_has_four_branches_of_seven_fragments() -> None:
    blocks = structure(load("googlenet_bn")).blocks
    # 1x1; 1x1 and 3x3; 1x1 and 3x3 for the 5x5; pool and 1x1.
    assert sum((block.fragments, block.width) == (7, 4) for block in blocks) == 9


def test_longest_path_counts_nodes_not_weights() -> None:
    net = Net(x=(4, 8, 8))
    weighted = net("conv", net("conv", "x", out=4), out=4)
    plain = net("relu", net("relu", net("relu", net("relu", "x"))))
    shape = structure(net.graph(net("add", weighted, plain)))
    assert (shape.depth, shape.longest_path, shape.layers) == (2, 5, 7)

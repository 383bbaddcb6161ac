"""The same nodes fed with other shapes."""

from __future__ import annotations

import pytest

from archscope import load
from archscope.analysis import analyze
from archscope.errors import GraphError, ShapeError
from archscope.transforms.input_shapes import with_inputs
from tests.nets import chain


@pytest.mark.parametrize("size", [160, 192, 256, 320])
def test_other_resolution_is_what_a_spec_of_it_gives(size: int) -> None:
    graph = with_inputs(load("resnet50"), {"input": (3, size, size)})
    fresh = load("resnet50", input=(3, size, size))
    assert graph.nodes == fresh.nodes
    assert analyze(graph).totals == analyze(fresh).totals


def test_params_of_a_fully_convolutional_network_stay() -> None:
    graph = load("mobilenet_v2")
    other = analyze(with_inputs(graph, {"input": (3, 96, 130)}))
    assert other.totals.params == analyze(graph).totals.params
    assert other.receptive_field == analyze(graph).receptive_field


def test_own_shape_changes_nothing() -> None:
    graph = load("siamese")
    assert with_inputs(graph, {}) == graph
    assert with_inputs(graph, {"left": (1, 28, 28), "right": (1, 28, 28)}) == graph


def test_unknown_input_is_named() -> None:
    with pytest.raises(GraphError, match="'image' is no input of 'siamese'"):
        with_inputs(load("siamese"), {"left": (1, 28, 28), "image": (1, 28, 28)})


def test_node_that_cannot_follow_is_named() -> None:
    graph = chain(("maxpool", {"kernel": 2}), ("conv", {"out": 1, "kernel": 5}), x=(1, 16, 16))
    with pytest.raises(ShapeError, match=r"^conv2: .*window of 5 but its input 1x4x4"):
        with_inputs(graph, {"x": (1, 8, 8)})


def test_shared_weights_must_still_fit() -> None:
    with pytest.raises(ShapeError, match=r"^b.linear: cannot share weights: it is nn.Linear"):
        with_inputs(load("siamese"), {"right": (1, 32, 32)})

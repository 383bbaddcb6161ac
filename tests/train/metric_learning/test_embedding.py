"""Towers: the part of a network that embeds an image."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from archscope import analyze, load
from archscope.build import build
from archscope.errors import OptionError
from archscope.train import Recipe
from archscope.train.metric_learning.distance import pairwise, rowwise
from archscope.train.metric_learning.embedding import cut, to_embed, tower, without_classifier

BRANCHES = {
    "siamese": [("distance", 0, 1)],
    "triplet": [("near", 0, 1), ("far", 0, 2)],
    "quadruplet": [("near", 0, 1), ("apart", 2, 3), ("far", 0, 2)],
}


@pytest.mark.parametrize("name", BRANCHES)
def test_the_whole_network_gives_the_distances_of_its_tower(name: str) -> None:
    """With the weights of the tower, by name, and its own outputs as the oracle."""
    graph = load(name)
    part, kind = tower(graph)
    assert kind == "euclidean"
    assert analyze(part).totals.params == analyze(graph).totals.params
    assert analyze(part).totals.macs * len(graph.inputs) == analyze(graph).totals.macs
    small, whole = build(part).eval(), build(graph).eval()
    whole.load_state_dict(small.state_dict())
    random = torch.Generator().manual_seed(0)
    images = [torch.randn(3, 1, 28, 28, generator=random) for _ in graph.inputs]
    with torch.no_grad():
        outputs = whole(*images)
        embedded = [small(image) for image in images]
    if isinstance(outputs, torch.Tensor):
        outputs = {"distance": outputs}
    for output, one, other in BRANCHES[name]:
        expected = rowwise(embedded[one], embedded[other], kind)
        torch.testing.assert_close(outputs[output][:, 0], expected)


@pytest.mark.parametrize("kind", ["euclidean", "manhattan", "angle"])
def test_distances_of_all_are_those_of_each(kind: str) -> None:
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    every = pairwise(x, kind)
    for i in range(6):
        torch.testing.assert_close(every[i], rowwise(x[i].expand(6, -1), x, kind))


def test_a_classifier_is_cut_at_its_embedding() -> None:
    graph = load("lenet5")
    flat = [node for node in graph.nodes if node.out == (84,)]
    part = cut(graph, flat[-1].name)
    assert part.by_name[part.main.node].out == (84,)
    assert tower(part) == (part, None)
    assert not part.reference


def test_a_tower_is_its_own() -> None:
    graph = load("INPUT 1x8x8 -> CONV 4 -> FC 8")
    assert tower(graph)[0] is graph


UNLIKE = """
inputs: {left: [1, 8, 8], right: [1, 8, 8]}
layers:
  - {flatten: {}, from: left, name: a}
  - {linear: 4, name: one}
  - {flatten: {}, from: right, name: b}
  - {linear: 4, name: two}
  - {distance: METRIC, from: [one, two]}
"""
MIXED = """
inputs: {left: [1, 8, 8], right: [1, 8, 8]}
layers:
  - {add: {}, from: [left, right]}
  - flatten
  - linear: 4
"""


@pytest.mark.parametrize(
    "text, message",
    [
        (UNLIKE.replace("METRIC", "euclidean"), "'one' and 'two' of .* are not one tower"),
        (MIXED, "is made of left and right; an embedding is of one image"),
        ("{input: [1, 8, 8], layers: [{conv: {out: 2, kernel: 3}}]}", "is 2x6x6, and an embedding"),
    ],
)
def test_networks_without_a_tower(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(OptionError, match=message):
        tower(load(path))


def test_the_recipe_compares_as_the_network_does() -> None:
    graph = load("siamese")
    assert to_embed(graph, Recipe(loss="contrastive"))[1].distance == "euclidean"
    with pytest.raises(OptionError, match="compares by euclidean, the recipe by manhattan"):
        to_embed(graph, Recipe(loss="contrastive", distance="manhattan"))


@pytest.mark.parametrize(
    "network, classes, layer, end",
    [
        ("lenet5", 10, "linear1", "tanh3"),
        ("vgg16", 1000, "linear2", "dropout1"),
        ("INPUT 1x8x8 -> FC 16 -> RELU -> FC 10 -> SOFTMAX", 10, "linear1", "relu"),
        ("INPUT 1x8x8 -> CONV 8 -> GAP -> FC 10", 10, "linear", "flatten"),
        ("lenet5", 26, None, None),  # it ends in something else
        ("INPUT 1x8x8 -> FC 10", 10, None, None),  # the rest learns nothing
        ("siamese", 128, None, None),
    ],
)
def test_a_layer_for_the_classes_is_no_embedding(
    network: str, classes: int, layer: str | None, end: str | None
) -> None:
    graph = load(network)
    part, left_out = without_classifier(graph, classes)
    assert left_out == layer
    if layer is None:
        assert part is graph
    else:
        assert layer not in part.by_name
        assert part.main.node == end
        assert without_classifier(part, classes) == (part, None)


def test_a_node_that_was_named_stays_the_embedding() -> None:
    named = cut(load("lenet5"), "linear1")
    assert without_classifier(named, 10) == (named, None)

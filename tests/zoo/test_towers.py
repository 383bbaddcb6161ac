"""Several inputs through one tower, and one trunk with several heads."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from archscope import analyze, load
from archscope.build import build

# 28x28 -> 3x3 conv 32 -> pool -> 3x3 conv 64 -> pool -> 128
PARAMS = (9 * 1 + 1) * 32 + (9 * 32 + 1) * 64 + (5 * 5 * 64 + 1) * 128
MACS = 26 * 26 * 32 * 9 + 11 * 11 * 64 * 9 * 32 + 5 * 5 * 64 * 128
PAIRS = {
    "siamese": {"output": (0, 1)},
    "triplet": {"near": (0, 1), "far": (0, 2)},
    "quadruplet": {"near": (0, 1), "apart": (2, 3), "far": (0, 2)},
}


@pytest.mark.parametrize(("name", "images"), [("siamese", 2), ("triplet", 3), ("quadruplet", 4)])
def test_tower_counts_once_in_params_and_each_time_in_macs(name: str, images: int) -> None:
    totals = analyze(load(name)).totals
    assert (totals.params, totals.macs) == (PARAMS, images * MACS)


@pytest.mark.parametrize("name", PAIRS)
def test_outputs_are_distances_of_what_one_tower_says(name: str) -> None:
    torch.manual_seed(0)
    graph = load(name)
    network = build(graph).eval()
    said: dict[str, Tensor] = {}
    network.run(tuple(torch.rand(3, *node.out) for node in graph.inputs), said.setdefault)
    flat = [value for key, value in said.items() if key.endswith(".normalize")]
    images = [said[node.name] for node in graph.inputs]
    tower = [network.part(f"a.{part}") for part in (
        "conv0", "relu0", "maxpool0", "conv1", "relu1", "maxpool1", "flatten", "linear",
        "normalize",
    )]  # fmt: skip
    torch.testing.assert_close(flat, [torch.nn.Sequential(*tower)(image) for image in images])
    outputs = {output.name: said[output.node] for output in graph.outputs}
    expected = {
        key: (flat[a] - flat[b]).square().sum(dim=1, keepdim=True).sqrt()
        for key, (a, b) in PAIRS[name].items()
    }
    assert list(outputs) == list(expected)
    torch.testing.assert_close(outputs, expected)


def test_distance_of_an_image_to_itself_is_zero() -> None:
    image = torch.rand(2, 1, 28, 28)
    assert build(load("siamese")).eval()(image, image).eq(0).all()


def test_multitask_has_a_named_and_weighed_head_for_each_task() -> None:
    graph = load("multitask", set={"attributes": 5})
    heads = {
        output.name: (graph.by_name[output.node].out, output.weight) for output in graph.outputs
    }
    assert heads == {"class": ((10,), 1.0), "box": ((4,), 0.5), "attributes": ((5,), 0.2)}
    answers = build(graph).eval()(torch.rand(2, 3, 64, 64))
    assert {name: tuple(value.shape) for name, value in answers.items()} == {
        name: (2, *out) for name, (out, _) in heads.items()
    }


def test_multitask_runs_its_trunk_once() -> None:
    totals = analyze(load("multitask")).totals
    widths = [3, 32, 64, 128, 256]
    trunk = sum(9 * a * b * (64 >> i) ** 2 for i, (a, b) in enumerate(pairwise(widths)))
    assert totals.macs == trunk + 3 * 256 * 128 + 128 * (10 + 4 + 8)

"""Zeros stay zeros and equal weights equal, through steps of any optimizer and a resumed run."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import nn

from archscope.datasets import load
from archscope.train import Recipe, train
from archscope.train.kept_weights import KeptWeights
from archscope.train.recipe import Keep
from tests.nets import chain


def test_equal_weights_take_their_mean_and_zeros_stay() -> None:
    weight = torch.tensor([[0.0, 1.0, 1.0], [2.0, 0.0, 2.0]])
    kept = KeptWeights({"w": weight, "b": torch.zeros(3)}, "values")
    after = {"w": torch.tensor([[5.0, 1.0, 3.0], [2.5, -1.0, 3.0]]), "b": torch.ones(3)}
    kept.restore(after)
    assert after["w"].tolist() == [[0.0, 2.0, 2.0], [2.75, 0.0, 2.75]]
    assert after["b"].tolist() == [1.0] * 3


def test_zeros_alone() -> None:
    kept = KeptWeights({"w": torch.tensor([[0.0, 1.0, 1.0]])}, "zeros")
    after = {"w": torch.tensor([[5.0, 1.0, 3.0]])}
    kept.restore(after)
    assert after["w"].tolist() == [[0.0, 1.0, 3.0]]


@pytest.mark.parametrize("keep", get_args(Keep))
def test_a_training_keeps_them(keep: Keep) -> None:
    graph = chain(
        ("conv", {"out": 4, "kernel": 3}),
        ("relu", {}),
        ("flatten", {}),
        ("linear", {"out": 10}),
        x=(1, 8, 8),
    )
    torch.manual_seed(0)
    initial = {
        "conv1.weight": torch.randn(4, 1, 3, 3).round(),
        "linear4.weight": (torch.randn(10, 4 * 6 * 6) * 2).round() / 20,
    }
    recipe = Recipe(epochs=1, keep=keep, ema=0.9)
    network = train(graph, load("digits"), recipe, initial=initial, device="cpu").network
    for name, before in initial.items():
        after = dict(network.named_parameters())[name]
        assert torch.equal(after == 0, before == 0)
        assert not torch.equal(after, before)
        if keep == "values":
            assert len(after.unique()) == len(before.unique())
    assert isinstance(network, nn.Module)

"""Weights between those before training and the trained ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from archscope import datasets, load
from archscope.build import build
from archscope.datasets import Dataset
from archscope.records.run_folder import read_summary
from archscope.train import Recipe, train
from archscope.train.interpolated_weights import SHARES, InterpolatedWeights
from archscope.train.run_folder import read_epoch, read_weights

NET = "INPUT 1x8x8 -> CONV 8 -> BN -> RELU -> POOL -> FC 16"


def images(noise: float = 0.4) -> Dataset:
    return datasets.load(
        "synthetic", classes=10, images=300, test=100, shape="1x8x8", noise=noise
    )  # fmt: skip


@pytest.mark.parametrize("share", SHARES)
def test_a_network_has_them_for_a_while(share: float) -> None:
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    line = InterpolatedWeights(network)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network(torch.randn(5, 3))  # statistics
    with torch.no_grad():
        network[0].weight += 1
    after = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with line.applied(network, share):
        for name, tensor in network.state_dict().items():
            expected = after[name]
            if name != "1.num_batches_tracked":
                expected = before[name] + share * (after[name] - before[name])
            torch.testing.assert_close(tensor, expected)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, after[name])


def test_they_are_kept_and_training_goes_on_as_without_them(tmp_path: Path) -> None:
    graph = load(NET)
    before = build(graph).state_dict()
    recipe = {"loss": "arcface", "epochs": 2, "learning_rate": 0.05}
    for name, interpolate in (("plain", False), ("line", True)):
        train(
            graph, images(), Recipe(**recipe, interpolate=interpolate),  # type: ignore[arg-type]
            run_dir=tmp_path / name, initial=before, device="cpu",
        )  # fmt: skip
    row, trained = read_epoch(tmp_path / "line", "last"), read_weights(tmp_path / "plain", "last")
    assert row.interpolation in SHARES[:-1]
    for name, tensor in read_weights(tmp_path / "line", "last").items():
        if name in before and tensor.is_floating_point():
            expected = before[name] + row.interpolation * (trained[name] - before[name])
            torch.testing.assert_close(tensor, expected)
    best = read_summary(tmp_path / "line").best
    assert best is not None
    assert best.validation is not None
    assert best.interpolation is not None
    assert best.validation["auc"] >= row.validation["auc"]  # type: ignore[index]
    assert read_epoch(tmp_path / "plain").interpolation is None
    plain, line = (
        (tmp_path / name / "epochs.csv").read_text(encoding="utf-8").split("\n")[0]
        for name in ("plain", "line")
    )
    assert line == f"{plain},interpolation"


def test_a_training_that_only_harms_keeps_the_weights_before_it() -> None:
    graph = load("INPUT 1x8x8 -> FC 64")
    names = build(graph).state_dict()
    before = dict(zip(names, (torch.eye(64), torch.zeros(64)), strict=True))
    recipe = Recipe(loss="arcface", epochs=2, learning_rate=100.0, interpolate=True)
    result = train(graph, images(noise=0.1), recipe, initial=before, device="cpu")
    summary = result.summary
    assert summary.best is not None
    assert summary.best.interpolation == 0
    assert summary.best.validation == summary.task["untrained"]
    assert summary.test == summary.task["untrained_test"]
    kept = result.network.state_dict()
    assert all(torch.equal(kept[name], before[name]) for name in before)
    assert summary.fit.startswith("no gain: ")
    assert "; the weights before training are kept" in summary.fit


def test_without_validation_images_the_trained_weights_are_kept() -> None:
    recipe = Recipe(loss="arcface", epochs=1, interpolate=True, validation=0.0)
    summary = train(load(NET), images(), recipe, device="cpu").summary
    assert summary.best is not None
    assert summary.best.interpolation is None

"""The networks of university courses, by their recipe, on images of CIFAR-100's shape."""

from __future__ import annotations

from pathlib import Path

import pytest

from archscope import datasets, load
from archscope.records.run_folder import read_summary
from archscope.train import Callback, Interval, recipe_files, train


class Lines(Callback):
    def __init__(self) -> None:
        self.rows: list[Interval] = []

    def on_interval(self, row: Interval) -> None:
        self.rows.append(row)


# Seconds each; batches of 20 and narrow networks, as a test has no minutes to wait.
@pytest.mark.slow
@pytest.mark.parametrize(
    "name, narrow", [("vgg13_cifar100", {"width": 0.25}), ("resnet_cifar100_seed", {"width": 16})]
)
def test_an_epoch_of_the_course(tmp_path: Path, name: str, narrow: dict[str, float]) -> None:
    images = datasets.load("synthetic", shape="3x32x32", classes=100, images=100, test=10)
    recipe = recipe_files.read("course", {"batch": 20, "log_every": 1, "validation": 0})
    lines = Lines()
    train(load(name, set=narrow), images, recipe, run_dir=tmp_path / name, progress=lines)
    summary = read_summary(tmp_path / name)
    assert (summary.state, summary.epochs, summary.steps) == ("finished", 1, 5)
    assert summary.test is not None
    assert summary.test.keys() == {"loss", "top1", "top5"}
    first = lines.rows[0].train["loss"]
    assert first == pytest.approx(4.605, abs=0.7), "chance among a hundred classes is ln 100"
    assert all(row.learning_rate == 1e-4 for row in lines.rows)

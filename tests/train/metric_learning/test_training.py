"""Networks that learn to tell classes apart, also those that they never saw.

This takes some twenty seconds, as it trains a small network for every loss, twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import torch

from archscope import datasets, load
from archscope.build import build
from archscope.datasets import Dataset
from archscope.errors import OptionError
from archscope.records.run_folder import read_summary
from archscope.train import Recipe, recipe_files, resume, train
from archscope.train.metric_learning.distance import distance_change
from archscope.train.metric_learning.embedding import HEAD
from archscope.train.metric_learning.evaluation import evaluate_pairs
from archscope.train.metric_learning.metric_losses import ANCHORS, anchor_of
from archscope.train.recipe import MetricLoss
from archscope.train.recipe_files import change
from archscope.train.run_folder import read_graph, read_recipe, read_weights
from archscope.train.tasks.metric import MetricLearning
from tests.train.test_resume import same

LOSSES = get_args(MetricLoss)
NET = "INPUT 1x8x8 -> CONV 8 -> RELU -> POOL -> FC 16"
TWINS = """
inputs: {left: [1, 8, 8], right: [1, 8, 8]}
blocks:
  tower: {layers: [{conv: {out: 8, kernel: 3}, then: [batchnorm, relu]}, flatten, {linear: 8}]}
layers:
  - {tower: {}, from: left, name: a, share: tower}
  - {tower: {}, from: right, name: b, share: tower}
  - {distance: manhattan, from: [a, b]}
"""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """One thread is fastest for networks of this size, and sums in one order everywhere."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def patterns(classes: int = 40) -> Dataset:
    """Return noisy images of many classes: what tells some apart helps with the others."""
    return datasets.load(
        "synthetic", classes=classes, images=30 * classes, test=10 * classes, shape="1x8x8",
        noise=0.4,
    )  # fmt: skip


@pytest.fixture
def twins(tmp_path: Path) -> Path:
    path = tmp_path / "twins.yaml"
    path.write_text(TWINS, encoding="utf-8")
    return path


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_learns_digits(loss: MetricLoss) -> None:
    """The digits it is taught come apart; others are told apart better than by chance.

    Five digits are too few to learn from what others have in common: there, the untrained network
    is as good or better, so that the test of unseen classes is the next one.
    """
    summary = train(load(NET), datasets.load("digits"), Recipe(loss=loss, epochs=2)).summary
    assert summary.last is not None
    assert summary.test is not None
    assert summary.last.train["auc"] > 0.85
    assert summary.test["auc"] > 0.6
    assert summary.test["verification"] > 0.55


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_helps_with_classes_that_it_never_saw(loss: MetricLoss) -> None:
    summary = train(load(NET), patterns(), Recipe(loss=loss, epochs=6)).summary
    assert summary.best is not None
    assert summary.best.validation is not None
    assert summary.test is not None
    untrained = summary.task["untrained"]
    assert summary.best.validation["auc"] > untrained["auc"] + 0.03
    assert summary.test["auc"] > 0.68
    assert not summary.fit.startswith("no gain")


@pytest.mark.parametrize("loss", ["contrastive", "triplet", "quadruplet", "arcface"])
def test_by_default_six_classes_are_enough_to_gain(loss: MetricLoss) -> None:
    brief = {"epochs": 2, "epoch_images": 2560}
    recipe = recipe_files.read_for(None, {"loss": loss, **brief})
    summary = train(load(NET), patterns(10), recipe).summary
    assert len(summary.task["taught"]) == 6
    assert summary.test is not None
    assert summary.test["auc"] > summary.task["untrained_test"]["auc"] + 0.01
    assert summary.fit.startswith("a gain: auc of classes that were not trained on went from ")


@pytest.mark.parametrize("validation", [0.0, 0.1])
def test_training_that_does_not_help_is_called_so(validation: float) -> None:
    recipe = Recipe(loss="contrastive", epochs=2, learning_rate=1e-12, validation=validation)
    told = train(load(NET), patterns(), recipe).summary.fit
    assert told.startswith("no gain: auc")
    assert ("in validation" in told) == (validation > 0)


def quick(**knobs: object) -> Recipe:
    return change(Recipe(loss="contrastive", epochs=2, log_every=2), knobs)


@pytest.mark.parametrize(
    "loss, anchor",
    [
        ("contrastive", 0),
        ("center", 0),
        ("sphereface", 0),
        ("arcface", 0),
        ("arcface", 5),
        ("contrastive", None),
    ],
)
def test_stopped_it_goes_on(tmp_path: Path, twins: Path, loss: str, anchor: float | None) -> None:
    """What a loss learns goes on as well: directions, centres, steps."""
    images = patterns(10)
    recipe = quick(loss=loss, anchor=anchor, ema=0.5, interpolate=True)
    asked = iter(range(100))
    train(load(twins), images, recipe, run_dir=tmp_path / "whole")
    stopped = tmp_path / "stopped"
    train(load(twins), images, recipe, run_dir=stopped, stop=lambda: next(asked) >= 6)
    assert read_summary(stopped).state == "stopped"
    resume(stopped, images)
    same(tmp_path / "whole", stopped)
    assert read_summary(stopped).task == read_summary(tmp_path / "whole").task


def test_what_was_measured_before_pretrained_weights_moved_is_kept(
    tmp_path: Path, twins: Path
) -> None:
    """A run that goes on no longer has the weights that it began with."""
    images, recipe = patterns(10), quick(loss="contrastive")
    graph = load(twins)
    begin = {name: 3 * weights for name, weights in build(graph).state_dict().items()}
    asked = iter(range(100))
    train(graph, images, recipe, run_dir=tmp_path / "whole", initial=begin)
    stopped = tmp_path / "stopped"
    train(graph, images, recipe, run_dir=stopped, initial=begin, stop=lambda: next(asked) >= 6)
    resume(stopped, images)
    same(tmp_path / "whole", stopped)
    assert read_summary(stopped).task == read_summary(tmp_path / "whole").task


def test_an_anchor_holds_the_distances_of_the_untrained_network() -> None:
    """Even where the weights themselves move."""
    images = patterns(10)
    before = build(load(NET))
    changes = {}
    for anchor in (0, 1000):
        recipe = quick(loss="arcface", anchor=anchor, epochs=3, epoch_images=640)
        after = train(load(NET), images, recipe, initial=before.state_dict()).network.eval()
        with torch.no_grad():
            x = images.train.images[:100].float() / 255
            changes[anchor] = float(distance_change(after(x), before(x), "angle"))
    assert changes[1000] < changes[0] / 4


def test_only_what_the_untrained_network_tells_apart_is_anchored() -> None:
    full = ANCHORS["arcface"]
    weights = [anchor_of("arcface", auc) for auc in (0.3, 0.5, 0.7, 0.8, 0.9, 1)]
    assert weights == [0, 0, 0, full, full, full]


@pytest.mark.parametrize(
    "loss, classes, anchored",
    [("contrastive", 10, True), ("contrastive", 40, False), ("center", 10, False)],
)
def test_few_classes_are_anchored_by_default(loss: str, classes: int, anchored: bool) -> None:
    recipe = recipe_files.read_for(None, {"loss": loss, "epochs": 1, "epoch_images": 128})
    assert ("anchor" in train(load(NET), patterns(classes), recipe).summary.task) == anchored


def test_an_anchor_stays_while_weights_are_rounded() -> None:
    recipe = quick(loss="arcface", anchor=5, weight_bits=2, epoch_images=128)
    before = build(load(NET)).state_dict()
    network = train(load(NET), patterns(10), recipe, initial=before).network
    anchored = network.get_submodule(f"{HEAD}.start").state_dict()
    assert all(torch.equal(anchored[name], before[name]) for name in before)


def test_the_folder_holds_the_tower(tmp_path: Path, twins: Path) -> None:
    images, path = patterns(10), tmp_path / "run"
    train(load(twins), images, quick(loss="triplet"), run_dir=path)
    summary = read_summary(path)
    assert read_recipe(path).distance == summary.task["distance"] == "manhattan"
    assert [node.name for node in read_graph(path).inputs] == ["left"]
    assert summary.goal == "auc"
    assert set(summary.task["taught"]).isdisjoint(summary.task["validation"])
    assert summary.task["test"] == summary.task["validation"]
    assert len(summary.task["test"]) == 5
    assert summary.data["train"] == 150
    assert summary.data["test"] == 50
    # The weights fit the network of two inputs, by name.
    build(load(twins)).load_state_dict(read_weights(path))
    assert images.test is not None
    pairs = evaluate_pairs(path, images, images.test, device="cpu")
    assert pairs.scores == pytest.approx(summary.test)
    assert (pairs.images, pairs.classes) == (50, tuple(summary.task["test"]))
    other = patterns(6)
    assert other.test is not None
    assert evaluate_pairs(path, other, other.test, device="cpu").images == 60


def test_what_a_loss_learns_is_kept_under_its_own_name(tmp_path: Path) -> None:
    train(load(NET), patterns(10), quick(loss="arcface"), run_dir=tmp_path / "run")
    weights = read_weights(tmp_path / "run")
    assert weights[f"{HEAD}.W"].shape == (16, 5)


def test_the_network_that_reads_pairs_is_not_fed_them() -> None:
    with pytest.raises(OptionError, match="does not end in the embedding of one image"):
        MetricLearning(load("siamese"), quick()).check(load("siamese"))


@pytest.mark.parametrize(
    "knobs, message",
    [
        ({"mixup": 0.1}, "mixup blends labels, which the loss contrastive does not"),
        ({"batch": 30}, "batch of 30 in 1 parts cannot be divided into groups of 4 images"),
        ({"loss": "sphereface", "margin": 2.5}, "must be an integer, got 2.5"),
        (
            {"distance": "cosine"},
            "distance: expected one of auto, euclidean, manhattan, got 'cosine'",
        ),
        ({"per_class": 1}, "per_class: expected a whole number of at least 2, got 1"),
    ],
)
def test_knobs_that_do_not_go_together(knobs: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        quick(**knobs)

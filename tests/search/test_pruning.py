"""Successive halving: which scores a training must reach, and when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from msgspec import structs

from archscope.files import Cache
from archscope.records.study import Job, TrialResult
from archscope.search import evaluation
from archscope.search.evaluation import Trainer, cache_key, evaluate, graph_of
from archscope.search.pruning import pruned, rungs_of
from archscope.search.training_images import load_images
from archscope.weights import read_weights


def ended(*curve: float, losses: tuple[float, ...] | None = None) -> TrialResult:
    """A training with an accuracy after each epoch, on 100 images of ten classes."""
    found = losses or tuple(1 - accuracy for accuracy in curve)
    return TrialResult(1, "trained", curve=curve, losses=found, validated=100, chance=0.1)


RESULTS = [ended(0.1, 0.2, 0.3), ended(0.2, 0.4, 0.5), ended(0.3, 0.3), ended(0.4)]


def test_rungs_are_the_losses_of_the_best_share() -> None:
    assert rungs_of(RESULTS, 2) == ((1, 0.7), (2, 0.6))
    assert rungs_of(RESULTS, 3) == ((1, 0.6),)
    assert rungs_of(RESULTS[:1], 2) == (), "one training has no best half"
    assert rungs_of(RESULTS, 0) == rungs_of([], 2) == ()


def test_the_loss_decides_where_accuracies_say_otherwise() -> None:
    results = [ended(0.5, 0.6, losses=(2.0, 1.0)), ended(0.4, 0.5, losses=(1.0, 0.9))]
    assert rungs_of(results, 2) == ((1, 1.0),)


def test_nobody_is_stopped_while_scores_are_at_chance_level() -> None:
    guessing = [ended(0.1, 0.5), ended(0.12, 0.5), ended(0.16, 0.5)]
    assert rungs_of(guessing, 3) == ()
    assert rungs_of([*guessing, ended(0.3, 0.5)], 3) == ((1, 0.7),)
    unknown = [structs.replace(one, validated=0) for one in RESULTS]
    assert rungs_of(unknown, 2) == (), "nothing is known of chance"


def test_a_training_ends_above_a_rung() -> None:
    rungs = ((1, 0.7), (2, 0.6))
    assert pruned(rungs, 1, 0.75) == "validation loss 0.7500 after epoch 1, above 0.7000"
    assert pruned(rungs, 1, 0.7) == pruned(rungs, 3, 9.0) == ""


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    monkeypatch.setenv("ARCHSCOPE_CACHE", str(tmp_path))
    yield Job(7, "name: one\ninput: [1, 4, 4]\nlayers: [flatten, {linear: 2}]\n", "")


@pytest.mark.parametrize(
    "rungs, outcome, curve, score",
    [((), "trained", (0.2, 0.3, 0.4), 0.4), (((1, 2.0), (2, 1.0)), "pruned", (0.2, 0.3), 0.3)],
)
def test_a_cached_training_is_pruned_where_it_would_have_been(
    job: Job,
    rungs: tuple[tuple[int, float], ...],
    outcome: str,
    curve: tuple[float, ...],
    score: float,
) -> None:
    trainer = Trainer(data="synthetic:classes=2,shape=1x4x4,images=8,test=2")
    cache: Cache[TrialResult] = evaluation.CACHE
    images = load_images(trainer.data, None, 0, None, 0)
    key = cache_key(graph_of(job), images.dataset.digest, trainer)
    done = TrialResult(
        1, "trained", 0.4, {"top1": 0.4}, (0.2, 0.3, 0.4), losses=(1.9, 1.7, 0.2), validated=8
    )
    cache.put(key, done)
    result = evaluate(trainer, Job(job.number, job.spec, "", rungs))
    assert (result.number, result.cached) == (7, True)
    assert (result.outcome, result.curve, result.score) == (outcome, curve, score)
    assert result.scores["top1"] == result.score
    assert bool(result.reason) == bool(rungs)


def test_the_score_is_that_of_the_best_epoch_and_the_mean_of_all_splits(job: Job) -> None:
    few = Trainer(
        data="synthetic:classes=2,shape=1x4x4,images=48,test=2,noise=2", recipe={"epochs": 3},
        proxies=False, cache=False,
    )  # fmt: skip
    result = evaluate(few, job)
    assert result.outcome == "trained", result.reason
    assert result.score == result.scores["top1"] == max(result.curve)
    assert len(result.curve) == len(result.losses) == 3
    assert result.validated == 20 * 12, "a quarter of the images, as often as is allowed"
    assert result.chance == 0.5


def test_weights_are_left_and_inherited(job: Job, tmp_path: Path) -> None:
    trainer = Trainer(
        data="synthetic:classes=2,shape=1x4x4,images=1400,test=2", images=64,
        recipe={"epochs": 1, "learning_rate": 1e-9}, proxies=False,
    )  # fmt: skip
    first = structs.replace(job, leave=(tmp_path / "first.safetensors").as_posix())
    second = structs.replace(
        job, inherit=first.leave, leave=(tmp_path / "second.safetensors").as_posix()
    )
    other = structs.replace(trainer, seed=5)
    assert evaluate(trainer, first).outcome == evaluate(other, second).outcome == "trained"
    left, right = (read_weights(Path(one.leave or "")) for one in (first, second))
    for name, tensor in left.items():
        torch.testing.assert_close(right[name], tensor)
    assert not evaluate(other, job).cached, "a training with inherited weights is not kept"

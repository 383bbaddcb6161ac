"""Successive halving: which scores a training must reach, and when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from archscope.datasets import load
from archscope.files import Cache
from archscope.records.study import Job, TrialResult
from archscope.search import evaluation
from archscope.search.evaluation import Trainer, cache_key, evaluate, graph_of
from archscope.search.pruning import pruned, rungs_of

CURVES = [[0.1, 0.2, 0.3], [0.2, 0.4, 0.5], [0.3, 0.3], [0.4]]


def test_rungs_are_the_scores_of_the_best_share() -> None:
    assert rungs_of(CURVES, 2) == ((1, 0.3), (2, 0.4))
    assert rungs_of(CURVES, 3) == ((1, 0.4),)
    assert rungs_of(CURVES[:1], 2) == (), "one curve has no best half"
    assert rungs_of(CURVES, 0) == rungs_of([], 2) == ()


def test_a_training_ends_below_a_rung() -> None:
    rungs = ((1, 0.3), (2, 0.4))
    assert pruned(rungs, 1, 0.25) == "0.2500 after epoch 1, below 0.3000"
    assert pruned(rungs, 1, 0.3) == pruned(rungs, 3, 0.0) == ""


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    monkeypatch.setenv("ARCHSCOPE_CACHE", str(tmp_path))
    yield Job(7, "name: one\ninput: [1, 4, 4]\nlayers: [flatten, {linear: 2}]\n", "")


@pytest.mark.parametrize(
    "rungs, outcome, curve",
    [((), "trained", (0.1, 0.3, 0.2)), (((1, 0.1), (2, 0.4)), "pruned", (0.1, 0.3))],
)
def test_a_cached_training_is_pruned_where_it_would_have_been(
    job: Job, rungs: tuple[tuple[int, float], ...], outcome: str, curve: tuple[float, ...]
) -> None:
    trainer = Trainer(data="synthetic:classes=2,shape=1x4x4,images=8,test=2")
    cache: Cache[TrialResult] = evaluation.CACHE
    key = cache_key(graph_of(job), load(trainer.data, None).digest, trainer)
    cache.put(key, TrialResult(1, "trained", 0.3, {"top1": 0.3}, (0.1, 0.3, 0.2)))
    result = evaluate(trainer, Job(job.number, job.spec, "", rungs))
    assert (result.number, result.cached) == (7, True)
    assert (result.outcome, result.curve, result.score) == (outcome, curve, 0.3)
    assert bool(result.reason) == bool(rungs)

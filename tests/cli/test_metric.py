"""Metric learning, as users type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

SPEC = "INPUT 1x8x8 -> CONV 6 -> RELU -> FC 16 -> RELU -> FC 10"
DATA = "synthetic:images=240,test=120,shape=1x8x8,classes=8"
QUICK = ("--data", DATA, "--epochs", "1", "--name", "one")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_siamese_network_from_training_to_verification(run: Run) -> None:
    result = run("train", "siamese", "--set", "width=0.25", "--loss", "contrastive", *QUICK)
    assert result.code == 0
    assert "auc" in result.out
    assert "verification" in result.out
    assert "top1" not in result.out + result.err
    assert result.out.index("untrained") < result.out.index("validation  ")

    (listed,) = json.loads(run("runs", "--format", "json").out)["runs"]
    assert listed["task"]["loss"] == "contrastive"
    assert " auc " in run("runs").out

    judged = json.loads(run("evaluate", "one", "--format", "json").out)
    assert judged["scores"] == pytest.approx(listed["test"])
    assert judged["classes"] == listed["task"]["test"]
    assert "on synthetic, test, pairs of 3 classes" in run("evaluate", "one").out
    refused = run("predict", "one", "x.png")
    assert refused.code == 2
    assert "learnt embeddings, and names no classes" in refused.err


def test_a_classifier_is_cut_at_its_embedding(run: Run, tmp_path: Path) -> None:
    result = run("train", SPEC, "--loss", "arcface", "--embedding", "linear0", *QUICK)
    assert result.code == 0, result.err
    assert "linear1" not in (tmp_path / "runs" / "one" / "spec.yaml").read_text(encoding="utf-8")


def test_a_layer_for_the_classes_is_left_out_and_that_is_said(run: Run, tmp_path: Path) -> None:
    result = run("train", SPEC.replace("FC 10", "FC 8"), "--loss", "arcface", *QUICK)
    assert result.code == 0, result.err
    left_out = "note: 'linear1' names the classes and is left out; the embedding is 'relu1'"
    assert left_out in result.err
    assert "linear1" not in (tmp_path / "runs" / "one" / "spec.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "options, message",
    [
        (("siamese",), "takes 2 inputs (left, right), and classification feeds one; --loss"),
        ((SPEC, "--embedding", "linear0"), "--embedding needs a metric loss"),
        ((SPEC, "--loss", "arcfase"), "did you mean 'arcface'?"),
        ((SPEC, "--loss", "triplet", "--embedding", "linaer0"), "did you mean 'linear0'?"),
        (
            (SPEC, "--loss", "triplet", "--teacher", "one"),
            "--teacher needs a loss on classes, and triplet is one on embeddings",
        ),
    ],
)
def test_what_cannot_be_trained_leaves_nothing(
    run: Run, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    result = run("train", *options, *QUICK)
    assert result.code == 2
    assert message in result.err
    assert not (tmp_path / "runs" / "one").exists()

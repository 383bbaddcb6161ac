"""`archscope quantize`: accuracy and bytes of a run, trained codebooks, and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from archscope import load
from archscope.build import build
from tests.cli.conftest import Run

NET = "INPUT 1x8x8 -> CONV 4 -> RELU -> FC 10"


@pytest.fixture
def trained(run: Run, tmp_path: Path) -> Path:
    words = ["--data", "digits", "--epochs", "1", "--no-look", "-q", "--name", "net"]
    result = run("train", NET, *words, "--runs-dir", str(tmp_path / "runs"))
    assert result.code == 0, result.err
    return tmp_path / "runs" / "net"


def test_a_run(run: Run, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "shared.safetensors"
    result = run("quantize", str(trained), "--bits", "3", "-o", str(out))
    assert (result.code, result.err) == (0, "")
    assert "times smaller" in result.out and "test images" in result.out
    weights = load_file(out)
    assert all(len(w.unique()) <= 8 for w in weights.values() if w.ndim > 1)
    words = ["--method", "uniform", "--bits", "8", "--format", "json"]
    data = json.loads(run("quantize", str(trained), *words).out)
    tested = json.loads((trained / "run.json").read_text(encoding="utf-8"))["test"]
    assert data["test"]["before"] == pytest.approx(tested)
    assert data["test"]["after"]["loss"] == pytest.approx(tested["loss"], abs=0.02)


def test_codebooks_are_trained_on(run: Run, trained: Path) -> None:
    words = ["quantize", str(trained), "--bits", "2", "--epochs", "1", "-q", "--format", "json"]
    result = run(*words)
    assert result.code == 0, result.err
    data = json.loads(result.out)
    assert [entry["name"] for entry in data["runs"]] == ["net", "net-codebook2"]
    assert [layer["error"] for layer in data["layers"]] == [0.0, 0.0]
    rounded = json.loads(run(*words[:4], "--format", "json").out)
    assert data["test"]["after"]["loss"] < rounded["test"]["after"]["loss"]
    assert json.loads(run(*words).out) == data  # what is there is taken


def test_weights_of_a_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    torch.manual_seed(0)
    save_file(build(load(NET)).state_dict(), path)
    data = json.loads(run("quantize", NET, "--weights", str(path), "--format", "json").out)
    assert data["test"] is None
    assert data["totals"]["codebook"] < data["totals"]["float32"] / 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "there are no weights to quantize: give --weights, or a run"),
        (["--epochs", "2"], "--epochs is for a run"),
        (["--bits", "1"], "1 is not in the range"),
        (["--weights", "none.safetensors"], "cannot read 'none.safetensors'"),
        (["--method", "codebok"], "codebok"),
    ],
)
def test_refusals(run: Run, words: list[str], message: str) -> None:
    result = run("quantize", NET, *words)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_uniform_levels_are_not_trained(run: Run, trained: Path) -> None:
    result = run("quantize", str(trained), "--method", "uniform", "--epochs", "1")
    assert (result.code, result.out) == (2, "")
    assert "--epochs trains codebooks, and the method is uniform" in result.err

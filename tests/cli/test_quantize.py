"""`archscope quantize`: accuracy and bytes of a run, trained codebooks, and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from archscope import load
from archscope.build import build
from archscope.train.quantization_aware import rate_factor
from archscope.train.run_folder import read_recipe
from tests.cli.conftest import Run, Train

SHARED = ["--method", "codebook"]
NET = "INPUT 1x8x8 -> CONV 4 -> RELU -> FC 10"


@pytest.fixture
def trained(train: Train) -> Path:
    return train(NET)


def test_a_run(run: Run, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "shared.safetensors"
    result = run("quantize", str(trained), *SHARED, "--bits", "3", "-o", str(out))
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
    words = ["quantize", str(trained), *SHARED, "--epochs", "1", "--bits", "2", "--format", "json"]
    result = run(*words, "-q")
    assert result.code == 0, result.err
    data = json.loads(result.out)
    assert [entry["name"] for entry in data["runs"]] == ["net", "net-codebook2"]
    assert [layer["error"] for layer in data["layers"]] == [0.0, 0.0]
    rounded = json.loads(run(*words[:4], *words[6:]).out)
    assert data["test"]["after"]["loss"] < rounded["test"]["after"]["loss"]
    assert json.loads(run(*words).out) == data  # what is there is taken


def test_weights_of_a_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    torch.manual_seed(0)
    save_file(build(load(NET)).state_dict(), path)
    words = [*SHARED, "--weights", str(path), "--format", "json"]
    data = json.loads(run("quantize", NET, *words).out)
    assert data["test"] is None
    assert data["totals"]["codebook"] < data["totals"]["float32"] / 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (SHARED, "no weights to quantize: give --weights, or a run"),
        (["--data", "digits"], "no weights to quantize: give --weights, or a run"),
        ([], "no images to calibrate with: name a run, or give --data"),
        (["--bits", "4"], "--bits is for --method codebook, uniform and qat; int8 has 8"),
        ([*SHARED, "--keep-accuracy", "1"], "--keep-accuracy is for --method int8, not codebook"),
        (["--data", "digits", "-o", "x.safetensors"], "int8 is written as .onnx"),
        ([*SHARED, "--images", "5"], "--images is for --method int8 and qat, not codebook"),
        ([*SHARED, "-o", "x.onnx"], "codebook is written as .safetensors"),
        (["--epochs", "2"], "--epochs is for --method codebook and qat, not int8"),
        ([*SHARED, "--epochs", "2"], "--epochs needs a run"),
        (["--method", "qat", "--bits", "9"], "--bits: expected a whole number from 1 to 8"),
        (["--method", "qat"], "--method qat needs --epochs: it trains the network"),
        (["--method", "qat", "--epochs", "1"], "--epochs needs a run"),
        ([*SHARED, "--weights", "none.safetensors"], "cannot read 'none.safetensors'"),
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
    assert "--epochs is for --method codebook and qat, not uniform" in result.err


@pytest.mark.parametrize("words", [["--bits", "3"], ["--bits", "3", "--epochs", "1"]])
def test_images_of_a_run_are_in_the_given_folder(
    run: Run, trained: Path, tmp_path: Path, words: list[str]
) -> None:
    result = run("quantize", str(trained), *SHARED, *words, "--data-dir", str(tmp_path))
    assert (result.code, result.out) == (2, "")
    assert "'digits' is included and takes no folder" in result.err


def test_a_run_in_int8(run: Run, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "net.int8.onnx"
    words = ["quantize", str(trained), "--images", "40", "--sensitivity", "-o", str(out)]
    result = run(*words)
    assert (result.code, result.err) == (0, "")
    assert "times smaller" in result.out and "each layer alone in int8" in result.out
    data = json.loads(run(*words, "--format", "json").out)
    assert data["bytes"]["int8"] == out.stat().st_size
    tested = json.loads((trained / "run.json").read_text(encoding="utf-8"))["test"]
    assert data["test"]["float32"] == pytest.approx(tested, abs=1e-5)
    assert data["test"]["int8"]["loss"] == pytest.approx(tested["loss"], abs=0.02)
    assert [layer["name"] for layer in data["layers"]] == ["conv", "linear"]
    assert data["calibration_images"] == 40
    assert run("quantize", str(trained), "--data", "digits").code == 2


def test_a_network_and_images(run: Run, trained: Path) -> None:
    weights = ["--weights", str(trained)]
    words = ["--data", "digits", "--images", "20", "--format", "json", *weights]
    data = json.loads(run("quantize", str(trained / "spec.yaml"), *words).out)
    assert data["test"]["float32"]["top1"] > 0.5
    other = run("quantize", "lenet5", *words)
    assert (other.code, other.out) == (2, "")
    assert len(other.err.splitlines()) == 1


@pytest.mark.parametrize("bits", [2, 4])
def test_a_run_is_trained_on_in_few_bits(run: Run, trained: Path, bits: int) -> None:
    words = ["quantize", str(trained), "--method", "qat", "--bits", str(bits), "--epochs", "1"]
    data = json.loads(run(*words, "--format", "json").out)
    name = f"net-w{bits}a{bits}"
    assert [entry["name"] for entry in data["runs"]] == ["net", name]
    ops = [node.op.name for node in load(str(trained.with_name(name) / "spec.yaml")).nodes]
    assert ops.count("fake_quantize") == 1
    assert (ops.count("batchnorm") == 1) == (bits == 2) == data["norms_added"]
    assert data["runs"][1]["test"]["top1"] > 0.5
    # Steps are smaller than in the run, but for one and two bits.
    rates = [read_recipe(trained.with_name(each)).learning_rate for each in ("net", name)]
    assert rates[1] == pytest.approx(rates[0] * (1 if bits == 2 else 1 / 3))
    assert rate_factor(8) == rate_factor(4) < rate_factor(2) == rate_factor(1) == 1


def test_what_a_run_in_few_bits_keeps_of_its_recipe(run: Run, trained: Path) -> None:
    words = ["quantize", str(trained), "--method", "qat", "--epochs", "1", "-q"]
    recipe = trained / "recipe.yaml"
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(text.replace("keep: null", 'keep: "zeros"'), encoding="utf-8")
    refused = run(*words)
    assert (refused.code, len(refused.err.splitlines())) == (2, 1)
    assert "net' cannot be trained on like this: weight_bits cannot be combined" in refused.err
    recipe.write_text(text.replace("ema: 0.0", "ema: 0.9"), encoding="utf-8")
    assert read_recipe(trained).ema == 0.9
    assert run(*words).code == 0
    assert read_recipe(trained.with_name("net-w4a4")).ema == 0


def test_weights_alone_need_two_bits(run: Run, trained: Path) -> None:
    refused = run("quantize", str(trained), *SHARED, "--bits", "1")
    assert (refused.code, refused.out) == (2, "") and "2 to 8 bits" in refused.err


def test_the_run_before_teaches(run: Run, trained: Path) -> None:
    words = ["quantize", str(trained), *SHARED, "--bits", "2", "--epochs", "1", "--distill"]
    data = json.loads(run(*words, "--format", "json").out)
    assert data["runs"][1]["task"]["kind"] == "distillation"
    other = run(*words[:-1])
    assert (other.code, other.out) == (2, "")
    assert "net-codebook2' belongs to another compression" in other.err
    assert "--distill needs --epochs" in run(*words[:6], "--distill").err

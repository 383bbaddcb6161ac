"""`archscope evaluate` of networks with weights in a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from archscope import datasets, load
from archscope.build import build
from tests.cli.conftest import Run

NET = "INPUT 1x8x8 -> CONV 4 -> RELU -> FC 4"
DATA = "synthetic:images=80,test=40,shape=1x8x8"
JSON = ["--format", "json"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    state = build(load(NET)).state_dict()
    save_file(state, "w.safetensors")
    torch.save({"state_dict": state}, "w.pt")


@pytest.mark.parametrize("normalize", ["data", "none"])
@pytest.mark.parametrize("file", ["w.safetensors", "w.pt"])
def test_scores_are_those_of_the_formula(run: Run, normalize: str, file: str) -> None:
    words = ["--weights", file, "--data", DATA, "--normalize", normalize]
    result = run("evaluate", NET, *words, *JSON)
    assert (result.code, result.err) == (0, "")
    data = json.loads(result.out)
    assert (data["split"], data["weights"], data["images"]) == ("test", file, 40)
    network = build(load(NET)).eval()
    network.load_state_dict(load_file("w.safetensors"))
    images = datasets.load(DATA)
    pixels = images.test.images / 255  # type: ignore[union-attr]
    if normalize == "data":
        taught = images.train.images / 255
        pixels = (pixels - taught.mean()) / taught.std(correction=0)
    outputs = network(pixels).detach()
    labels = images.test.labels  # type: ignore[union-attr]
    assert data["scores"]["top1"] == (outputs.argmax(1) == labels).double().mean()
    loss = float(torch.nn.functional.cross_entropy(outputs, labels))
    assert data["scores"]["loss"] == pytest.approx(loss, abs=1e-5)
    table = run("evaluate", NET, *words).out
    assert f"(weights of {file}) on synthetic, test" in table
    assert table.splitlines()[-1].startswith("images: ")


def test_a_run_is_its_spec_and_weights(run: Run) -> None:
    assert run("train", NET, "--data", DATA, "--epochs", "1", "--name", "a", "--no-look").code == 0
    of_run = json.loads(run("evaluate", "a", *JSON).out)
    assert (of_run["split"], of_run["weights"]) == ("test", "best")
    for weights in ("runs/a", "runs/a/best.safetensors"):
        words = ["--weights", weights, "--data", DATA]
        spec = json.loads(run("evaluate", "runs/a/spec.yaml", *words, *JSON).out)
        assert spec["scores"]["top1"] == of_run["scores"]["top1"]
        mine = json.loads(run("evaluate", "a", "--weights", weights, *JSON).out)
        assert (mine["scores"], mine["weights"]) == (of_run["scores"], weights)
    other = json.loads(run("evaluate", "a", "--weights", "w.safetensors", *JSON).out)
    assert other["scores"]["loss"] != of_run["scores"]["loss"]
    # A file that normalises its input by the run's statistics, and has its own weights.
    assert run("export", "runs/a", "-o", "net.onnx").code == 0
    words = ["evaluate", "net.onnx", "--data", DATA, "--normalize", "none", *JSON]
    assert json.loads(run(*words).out)["scores"] == pytest.approx(of_run["scores"], abs=1e-5)


def test_colours_and_sizes_are_fitted(run: Run) -> None:
    net = "INPUT 3x16x16 -> CONV 4 -> RELU -> FC 4"
    save_file(build(load(net)).state_dict(), "c.safetensors")
    words = ["--weights", "c.safetensors", "--data", DATA, "--normalize", "imagenet", *JSON]
    data = json.loads(run("evaluate", net, *words).out)
    assert data["normalization"]["mean"] == [0.485, 0.456, 0.406]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([NET, "--data", DATA], "no weights for "),
        (["lenet5", "--data", "digits"], "no weights for 'lenet5': give --weights, or a run"),
        ([NET, "--weights", "w.pt"], "no images for "),
        ([NET, "--weights", "no.pt", "--data", DATA], "cannot read 'no.pt': no such file"),
        ([NET, "--weights", "w.bmp", "--data", DATA], "cannot read 'w.bmp'"),
        (["lenet5", "--weights", "w.pt", "--data", "digits"], "'w.pt' "),
        ([NET, "--weights", "w.pt", "--data", "digits"], "the data have 10 classes"),
        ([NET, "--weights", "w.pt", "--data", "diggits"], "did you mean 'digits'?"),
        ([NET, "--weights", "w.pt", "--data", DATA, "--keep"], "--keep is for a run"),
        ([NET, "--weights", "w.pt", "--data", DATA, "--split", "validation"], "no validation"),
        (
            [NET, "--weights", "w.pt", "--data", DATA, "--normalize", "imagenet"],
            "3 channels, the network takes 1",
        ),
        ([NET, "--weights", "w.pt", "--data", "synthetic:shape=3x8x8"], "has 3 channels"),
        (["vgg17", "--weights", "w.pt", "--data", DATA], "did you mean 'vgg19'?"),
        (["nothing"], "no run 'nothing'"),
    ],
)
def test_mistakes(run: Run, words: list[str], message: str) -> None:
    result = run("evaluate", *words)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert len(result.err.splitlines()) == 1


def test_options_of_networks_are_not_those_of_runs(run: Run) -> None:
    assert run("train", NET, "--data", DATA, "--epochs", "1", "--name", "a", "--no-look").code == 0
    for words in (["--adapt", "pad"], ["--normalize", "none"], ["--set", "a=1"]):
        result = run("evaluate", "a", *words)
        assert (result.code, result.out) == (2, "")
        assert result.err == f"error: {words[0]} is for a SPEC; a run has its own\n"
    assert "--keep saves what a run's own weights show" in (
        run("evaluate", "a", "--weights", "w.pt", "--keep").err
    )

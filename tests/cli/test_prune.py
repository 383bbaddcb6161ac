"""`archscope prune`: a spec and weights that fit each other, and refusals of one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from archscope import analyze, load
from archscope.build import build
from archscope.compress.sparsity import sparsify
from tests.cli.conftest import Run, Train

SPEC = """
input: [3, 16, 16]
layers:
  - conv: {out: 32, kernel: 3}
  - batchnorm
  - relu
  - conv: {out: 64, kernel: 3}
  - relu
  - global_avgpool
  - flatten
  - linear: 10
"""


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return str(path)


@pytest.fixture
def weights(spec: str, tmp_path: Path) -> Path:
    path = tmp_path / "net.safetensors"
    torch.manual_seed(0)
    save_file(build(load(spec)).state_dict(), path)
    return path


def test_groups(run: Run, spec: str) -> None:
    result = run("prune", spec, "--groups")
    assert (result.code, result.err) == (0, "")
    assert "2 of 4 groups can lose channels, in 96 units" in result.out
    data = json.loads(run("prune", spec, "--groups", "--format", "json").out)
    assert [group["units"] for group in data["groups"]] == [3, 32, 64, 10]
    assert data["groups"][0]["fixed"] == "input 'input'"


def test_spec_and_weights(run: Run, spec: str, weights: Path, tmp_path: Path) -> None:
    out, small = tmp_path / "s.yaml", tmp_path / "s.safetensors"
    words = ["--weights", str(weights), "-o", str(out), "--weights-output", str(small)]
    result = run("prune", spec, "--budget", "50%", *words, "--format", "json")
    assert (result.code, result.err) == (0, "")
    data = json.loads(result.out)
    totals = analyze(load(out)).totals
    assert totals.macs == data["after"]["macs"] <= data["before"]["macs"] / 2
    assert data["budgets"][0]["most"] == data["before"]["macs"] / 2
    assert totals.params == data["after"]["params"]
    build(load(out)).load_state_dict(load_file(small), strict=True)
    heading = "# Written by `archscope prune net --budget '50%'`.\n"
    assert out.read_text(encoding="utf-8").startswith(heading)


def test_without_weights_it_says_what_decided(run: Run, spec: str) -> None:
    result = run("prune", spec, "--budget", "50%")
    assert result.code == 0
    assert "no weights given" in result.err
    assert "of at most" in result.out


def test_a_share_of_another_network_is_at_this_input(run: Run, spec: str) -> None:
    result = run("prune", spec, "--budget", "1% of resnet18", "--importance", "random")
    macs = analyze(load("resnet18", input=(3, 16, 16))).totals.macs
    assert f"of at most {macs / 1e5:.1f} K macs" in result.out
    result = run("prune", spec, "--budget", "50% of no_net", "--importance", "random")
    assert "'no_net' is no file" in result.err


def test_sparsity(run: Run, spec: str, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "sparse.safetensors"
    words = ["--weights", str(weights), "--weights-output", str(out)]
    result = run("prune", spec, "--sparsity", "90%", *words)
    assert result.code == 0
    assert "90.00% of the weights of layers are zero" in result.out
    assert "it does not get faster" in result.out
    expected = sparsify(load(spec), load_file(weights), 0.9).weights
    got = load_file(out)
    assert all(torch.equal(got[name], tensor) for name, tensor in expected.items())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give one of --groups, --budget, --sparsity and --sensitivity"),
        (
            ["--groups", "--budget", "50%"],
            "give one of --groups, --budget, --sparsity and --sensitivity",
        ),
        (["--sparsity", "90%"], "--sparsity needs weights: give --weights, or a run"),
        (["--groups", "-o", "s.yaml"], "-o writes a spec, and only --budget changes the spec"),
        (
            ["--budget", "50%", "-o", "s.yaml", "--weights-output", "s.safetensors"],
            "--weights-output needs weights",
        ),
        (["--budget", "1%"], "the budget '1%' cannot be kept"),
        (["--budget", "50%", "--weights", "none.safetensors"], "cannot read 'none.safetensors'"),
        (["--budget", "50%", "-o", "no_folder/s.yaml"], "no_folder"),
    ],
)
def test_refusals(run: Run, spec: str, words: list[str], message: str) -> None:
    result = run("prune", spec, *words)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert len(result.err.splitlines()) == 1


def test_refused_shares_and_names(run: Run, spec: str, weights: Path) -> None:
    given = ["--weights", str(weights)]
    result = run("prune", spec, "--sparsity", "ninety", *given)
    assert "expected a share such as 90% or 0.9, got 'ninety'" in result.err
    result = run("prune", spec, "--sparsity", "100%", *given)
    assert "expected a sparsity above 0% and below 100%, got 100%" in result.err
    result = run("prune", spec, "--sparsity", "50", *given)
    assert "got 5000%; for 50 %, write 50%" in result.err
    result = run("prune", spec, "--budget", "50%", "--weights-output", "s.safetensors", *given)
    assert "--weights-output needs -o" in result.err
    result = run("prune", "lenet5", "--budget", "50%", *given)
    assert "net.safetensors' has" in result.err and len(result.err.splitlines()) == 1


@pytest.fixture
def trained(train: Train, spec: str) -> Path:
    return train(spec, "--channels", "repeat")


def test_a_run_is_pruned_in_steps_and_goes_on(run: Run, trained: Path, tmp_path: Path) -> None:
    words = ["prune", str(trained), "--budget", "40%", "--steps", "2", "--epochs", "1", "-q"]
    first = run(*words, "--format", "json")
    assert first.code == 0, first.err
    data = json.loads(first.out)
    assert [entry["name"] for entry in data["runs"]] == ["net", "net-pruned1", "net-pruned2"]
    origins = [entry["compressed_from"] for entry in data["runs"]]
    assert origins == ["", *[str(trained.resolve())] * 2]
    assert data["runs"][-1]["macs"] == data["after"]["macs"] <= 0.4 * data["before"]["macs"]
    # The second step is lost before it has begun; the same command leads to the same result.
    last = trained.with_name("net-pruned2")
    weights = load_file(last / "best.safetensors")
    for file in (last / "state.pt", last / "best.safetensors"):
        file.unlink()
    text = (last / "run.json").read_text(encoding="utf-8")
    (last / "run.json").write_text(text.replace('"finished"', '"running"'), encoding="utf-8")
    out, small = tmp_path / "s.yaml", tmp_path / "s.safetensors"
    again = run(*words, "-o", str(out), "--weights-output", str(small))
    assert again.code == 0, again.err
    new = load_file(last / "best.safetensors")
    assert all(torch.equal(new[name], tensor) for name, tensor in weights.items())
    build(load(out)).load_state_dict(load_file(small), strict=True)
    assert {*map(float, load_file(small)["linear.bias"])} == {*map(float, new["linear.bias"])}
    other = run(*words[:3], "50%", *words[4:])
    assert other.code == 2
    assert "net-pruned1' belongs to another compression; rename or remove it" in other.err


def test_steps_with_other_channels_are_not_reused(run: Run, trained: Path) -> None:
    words = ["prune", str(trained), "--budget", "50%", "--lanes", "1", "--scope", "layer"]
    words += ["--epochs", "1", "-q"]
    assert [run(*words).code for _ in range(2)] == [0, 0]
    other = run(*words, "--importance", "random")  # another choice of as many channels
    assert other.code == 2
    assert "net-pruned1' belongs to another compression" in other.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--budget", "50%", "--steps", "2"], "--steps needs --epochs"),
        (["--budget", "50%", "--scratch"], "--scratch needs --epochs"),
        (["--sparsity", "50%", "--epochs", "2", "--scratch"], "--scratch needs --budget"),
        (["--groups", "--epochs", "2"], "--epochs needs --budget or --sparsity"),
        (["--budget", "50%", "--epochs", "2"], "--epochs needs a run"),
    ],
)
def test_refused_training(run: Run, spec: str, words: list[str], message: str) -> None:
    result = run("prune", spec, *words)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_zeros_are_kept_through_training(run: Run, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "sparse.safetensors"
    words = ["prune", str(trained), "--sparsity", "90%", "--steps", "2", "--epochs", "1", "-q"]
    result = run(*words, "--weights-output", str(out), "--format", "json")
    assert result.code == 0, result.err
    data = json.loads(result.out)
    names = [entry["name"] for entry in data["runs"]]
    assert names == ["net", "net-sparse68.38", "net-sparse90"]
    weights = load_file(out)
    assert sparsify(load(str(trained / "spec.yaml")), weights, 0.9).sparsity == data["sparsity"]
    before = load_file(trained / "best.safetensors")
    assert any(
        not torch.equal(weights[name], before[name] * (weights[name] != 0)) for name in before
    )
    other = run(*words, "--scope", "layer")
    assert other.code == 2
    assert "net-sparse68.38' belongs to another compression" in other.err


def test_what_a_run_can_spare(run: Run, trained: Path) -> None:
    result = run("prune", str(trained), "--sensitivity")
    assert (result.code, result.err) == (0, "")
    assert "bears most: " in result.out
    data = json.loads(run("prune", str(trained), "--sensitivity", "--format", "json").out)
    assert [group["layers"] for group in data["groups"]] == [["conv0"], ["conv1"]]
    assert data["shares"] == [0.25, 0.5, 0.75]
    assert all(len(group["lost"]) == 3 for group in data["groups"])


def test_gradients_of_a_run_decide(run: Run, trained: Path, tmp_path: Path) -> None:
    words = ["prune", str(trained), "--budget", "50%", "--format", "json"]
    found = [
        json.loads(run(*words, "--importance", how).out)["after"]["macs"]
        for how in ("taylor", "magnitude")
    ]
    assert max(found) <= 0.5 * analyze(load(str(trained / "spec.yaml"))).totals.macs


@pytest.mark.parametrize(
    "words", [["--sensitivity"], ["--budget", "50%", "--importance", "taylor"]]
)
def test_only_a_run_has_images(run: Run, spec: str, weights: Path, words: list[str]) -> None:
    result = run("prune", spec, "--weights", str(weights), *words)
    assert (result.code, result.out) == (2, "")
    assert "needs a run: it uses the run's images and recipe" in result.err

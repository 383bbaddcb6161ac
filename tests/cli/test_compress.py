"""`archscope compress`: a row per step, int8 models, and errors of one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from archscope.records.run_folder import read_summary
from tests.cli.conftest import Run, Train

NET = "INPUT 1x8x8 -> CONV 16 -> RELU -> CONV 16 -> RELU -> FC 10"


@pytest.fixture
def trained(train: Train) -> Path:
    return train(NET)


def test_all_the_way(run: Run, trained: Path, tmp_path: Path) -> None:
    model = tmp_path / "net.int8.onnx"
    words = ["compress", str(trained), "--target", "50%", "--epochs", "1", "--lanes", "1"]
    result = run(*words, "--keep-accuracy", "50", "--model", str(model), "--format", "json")
    assert result.code == 0, result.err
    data = json.loads(result.out)
    names = [step["name"] for step in data["steps"]]
    assert names == ["net", "net-pruned1", "net-pruned2", "net-pruned2, int8"]
    macs = [step["macs"] for step in data["steps"]]
    assert macs[0] > macs[1] > macs[2] == macs[3] and macs[2] <= macs[0] / 2
    assert data["kept"] and data["steps"][-1]["model_bytes"] == model.stat().st_size
    again = run(*words, "--keep-accuracy", "50")  # what is trained is taken
    assert again.code == 0 and "times smaller" in again.out
    other = run(*words[:3], "1%", *words[4:])
    assert (other.code, other.out) == (2, "")
    assert "cannot be kept" in other.err


def test_seeds_are_one_network_with_a_spread(run: Run, tmp_path: Path) -> None:
    home = ["--runs-dir", str(tmp_path / "runs")]
    words = ["--data", "digits", "--epochs", "1", "--no-look", "-q", "--name", "net"]
    assert run("train", NET, *words, "--seeds", "2", *home).code == 0
    words = ["compress", "net", "-t", "50%", "--steps", "1", "--epochs", "1", "--lanes", "1"]
    words += ["--keep-accuracy", "50", "--scratch", *home]
    data = json.loads(run(*words, "--format", "json").out)
    assert [step["name"] for step in data["steps"]] == ["net", "net-pruned1", "net-pruned1, int8"]
    assert len(data["seeds"]) == 2 and data["scratch"]["name"] == "net-scratch"
    for place, step in enumerate([*data["steps"], data["scratch"]]):
        own = [[*seed["steps"], seed["scratch"]][place] for seed in data["seeds"]]
        tops = [stage["test"]["top1"] for stage in own]
        assert step["test"]["top1"] == pytest.approx(sum(tops) / 2)
        assert step["spread"] == pytest.approx(abs(tops[0] - tops[1]) / 2**0.5)
        assert step["macs"] == sum(stage["macs"] for stage in own) / 2
    for seed in (0, 1):
        control, pruned = (
            read_summary(tmp_path / "runs" / f"net-seed{seed}-{what}")
            for what in ("scratch", "pruned1")
        )
        assert (control.epochs, control.seed) == (2, seed)  # one of the run, one of its step
        assert control.macs == pruned.macs
    out = run(*words).out
    assert "spread" in out and "net-scratch" in out
    one_model = run(*words, "--model", str(tmp_path / "x.onnx"))
    assert one_model.code == 2 and "2 runs" in one_model.err


def test_without_test_images_validation_images_serve(run: Run, tmp_path: Path) -> None:
    home = ["--runs-dir", str(tmp_path / "runs")]
    for label, level in (("dark", 20), ("light", 230)):
        for number in range(8):
            path = tmp_path / "images" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 8), level + number).save(path)
    net = "INPUT 1x8x8 -> CONV 8 -> RELU -> CONV 8 -> RELU -> FC 2"
    words = ["train", net, "--data", f"folder:{tmp_path / 'images'}", "--epochs", "1", *home]
    words += ["--no-look", "-q"]
    assert run(*words, "--name", "net").code == 0
    assert run(*words, "--name", "all", "--recipe-set", "validation=0").code == 0
    words = ["compress", "net", "-t", "50%", "--steps", "1", "--epochs", "1", "--lanes", "1", *home]
    data = json.loads(run(*words, "--keep-accuracy", "100", "--format", "json").out)
    assert all("top1" in step["validation"] and "test" not in step for step in data["steps"])
    out = run(*words, "--keep-accuracy", "100").out
    assert "validation top1" in out and "there are no test images" in out
    refused = run("compress", "all", "-t", "50%", *home)
    assert refused.code == 2 and "kept no images for validation" in refused.err


def test_refusals(run: Run, trained: Path) -> None:
    for words, message in (
        ([str(trained)], "--target"),
        ([str(trained), "-t", "50%", "--model", "x.pt"], "int8 is written as .onnx"),
        (["no_such_run", "-t", "50%"], "no_such_run"),
        ([str(trained), "-t", "50% of no_such_net"], "'no_such_net' is no file"),
    ):
        result = run("compress", *words)
        assert (result.code, result.out) == (2, "")
        assert message in result.err

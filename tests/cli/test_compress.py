"""`archscope compress`: a row a step, a model in int8, and one line for what cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

NET = "INPUT 1x8x8 -> CONV 16 -> RELU -> CONV 16 -> RELU -> FC 10"


@pytest.fixture
def trained(run: Run, tmp_path: Path) -> Path:
    words = ["--data", "digits", "--epochs", "1", "--no-look", "-q", "--name", "net"]
    result = run("train", NET, *words, "--runs-dir", str(tmp_path / "runs"))
    assert result.code == 0, result.err
    return tmp_path / "runs" / "net"


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


def test_refusals(run: Run, trained: Path) -> None:
    for words, message in (
        ([str(trained)], "--target"),
        ([str(trained), "-t", "50%", "--model", "x.pt"], "int8 is written as .onnx"),
        (["no_such_run", "-t", "50%"], "no_such_run"),
    ):
        result = run("compress", *words)
        assert (result.code, result.out) == (2, "")
        assert message in result.err

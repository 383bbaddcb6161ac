from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from archscope.datasets.source import VARIABLE
from tests.cli.conftest import Run


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine"))
    monkeypatch.setattr("archscope.datasets.source.SYSTEM", tmp_path / "system")


def test_list(run: Run, tmp_path: Path) -> None:
    result = run("data")
    assert (result.code, result.err) == (0, "")
    assert "1x8x8          10          included" in result.out
    assert f"cifar10 is in none of {tmp_path}/mine/cifar10, " in result.out
    assert "download cifar-10-python.tar.gz or" in result.out
    rows = list(csv.DictReader(io.StringIO(run("data", "--format", "csv").out)))
    assert [row["name"] for row in rows if row["found"] == "no"] == [
        "cifar10", "cifar100", "fashion-mnist", "mnist",
    ]  # fmt: skip
    assert next(row for row in rows if row["name"] == "mnist")["train"] == "60000"


def test_list_finds_files(run: Run, tmp_path: Path) -> None:
    archive = tmp_path / "mine" / "cifar10" / "cifar-10-python.tar.gz"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(bytes(1000))
    data = json.loads(run("data", "--format", "json").out)["data"]
    (found,) = [one for one in data if one["name"] == "cifar10"]
    assert (found["present"], found["bytes"]) == (True, 1000)
    assert found["found"] == str(archive.parent)
    result = run("data", "cifar10")
    assert result.code == 2
    assert result.err.startswith(f"error: '{archive}' is not the official file: expected md5 c58f")


def test_contents(run: Run) -> None:
    out = run("data", "digits").out
    assert out.startswith("digits: handwritten digits of 8 x 8 pixels, from scikit-learn, 1x8x8\n")
    assert " total   1,442    355" in out
    assert " mean   0.3052\n" in out
    data = json.loads(run("data", "synthetic:classes=3,test=0", "--format", "json").out)["data"]
    assert data["train"] == sum(one["train"] for one in data["classes"]) == 512
    assert data["test"] is None
    assert len(data["mean"]) == 3


def test_mistakes(run: Run, tmp_path: Path) -> None:
    result = run("data", "digit")
    assert result.code == 2
    assert result.err == "error: unknown data set 'digit', did you mean 'digits'?\n"
    result = run("data", "folder", "--data-dir", str(tmp_path / "none"))
    assert result.code == 2
    assert result.err == (
        f"error: data set 'folder' was not found in {tmp_path}/none (no such folder):"
        " give a folder with one sub-folder of images for each class\n"
    )

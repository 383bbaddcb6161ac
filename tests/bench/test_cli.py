from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from archscope.bench import roofline, timing
from archscope.bench.machine import Machine
from archscope.bench.roofline import Roofline
from tests.bench.conftest import roofline_of
from tests.cli.conftest import Run

TINY = "INPUT 3x8x8 -> CONV 4 -> BN -> RELU -> GAP -> FC 5"
QUICK = ("--time", "1ms", "--threads", "1", "--device", "cpu")


@pytest.fixture(autouse=True)
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "TURN", 0.0)


@pytest.fixture
def no_roofline_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def instant(place: Machine, dtype: str, threads: int, **words: object) -> Roofline:
        return roofline_of(place, threads)

    monkeypatch.setattr(roofline, "measure_roofline", instant)


def test_table(run: Run) -> None:
    result = run("bench", TINY, "siamese", "--batch", "1", "--batch", "2", *QUICK)
    assert (result.code, result.err) == (0, "")
    assert "1 thread, float32, inference" in result.out
    rows = [line.split() for line in result.out.splitlines()]
    assert [row[0] for row in rows if row and row[0] in ("pattern", "siamese")] == [
        "pattern", "pattern", "siamese", "siamese",
    ]  # fmt: skip


def test_json_and_csv_and_markdown(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    assert run("bench", TINY, *QUICK, "--format", "json", "-o", str(path)).code == 0
    data = json.loads(path.read_text(encoding="utf-8"))
    assert (data["format"], data["networks"][0]["name"]) == (1, "pattern")
    rows = list(csv.DictReader(run("bench", TINY, *QUICK, "--format", "csv").out.splitlines()))
    assert rows[0]["network"] == "pattern"
    assert float(rows[0]["median_ms"]) > 0
    assert "| pattern | 1 |" in run("bench", TINY, *QUICK, "--format", "markdown").out


@pytest.mark.usefixtures("no_roofline_is_measured")
def test_per_layer(run: Run) -> None:
    result = run("bench", TINY, *QUICK, "--per-layer", "--slowest", "2", "--fused")
    assert result.code == 0
    assert "the 2 slowest of 5 layers" in result.out  # conv, relu, pool, flatten, linear
    assert "between layers" in result.out
    assert "roofline: 50.00 GMAC/s, 20.00 GB/s, 5.000 us a call" in result.out
    out = run("bench", TINY, *QUICK, "--per-layer", "--format", "csv").out
    rows = list(csv.DictReader(out.splitlines()))
    assert [row["op"] for row in rows] == [
        "conv", "batchnorm", "relu", "global_avgpool", "flatten", "linear",
    ]  # fmt: skip
    assert sum(float(row["share"]) for row in rows) <= 1


def test_training(run: Run) -> None:
    result = run("bench", TINY, *QUICK, "--training", "--optimizer", "adam", "--batch", "2")
    assert result.code == 0
    assert "training with adam" in result.out


def test_mistakes_are_one_line(run: Run) -> None:
    for words, said in (
        ((TINY, "--time", "soon"), "expected a time such as 500ms"),
        (("no_such",), "'no_such' is no file"),
        ((TINY, "--training", "--fused"), "cannot be trained"),
        ((TINY, "--scale", "2"), "are for 'archscope bench guidelines'"),
        (("guidelines", "vgg16"), "takes no other SPEC"),
        (("guidelines", "--set", "a=1"), "takes no other SPEC"),
        (("guidelines", "--training"), "--training does not apply"),
        (("guidelines", "--per-layer"), "--per-layer does not apply"),
        (("guidelines", "--batch", "1", "--batch", "2"), "takes a single --batch"),
        (("vgg16", "--batch", "1000000000", "--device", "cpu"), "needs at least"),
        (("./guidelines",), "'guidelines' is no file"),
    ):
        result = run("bench", *words)
        assert (result.code, result.out) == (2, ""), words
        assert said in result.err
        assert result.err.count("\n") == 1


def test_guidelines(run: Run) -> None:
    result = run("bench", "guidelines", "--scale", "1", *QUICK)
    assert result.code == 0
    for code in ("G1", "G2", "G3", "G4"):
        assert f"\n{code}  " in result.out
        assert f"{code}, against " in result.out
    assert "of 13 as on the paper's ARM" in result.out


@pytest.mark.usefixtures("no_roofline_is_measured")
def test_device(run: Run) -> None:
    result = run("device", "--device", "cpu", "--threads", "1", "--threads", "1")
    assert result.code == 0
    assert result.out.count("50.00") == 2  # float32 and bfloat16
    result = run("device", "--device", "cpu", "--dtype", "float32", "--format", "json")
    roofs = json.loads(result.out)["rooflines"]
    assert {roof["threads"] for roof in roofs} >= {1}


def test_device_warns_of_a_busy_machine(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(place: Machine, dtype: str, threads: int, **words: object) -> Roofline:
        return Roofline(place, dtype, threads, 1.0, 1.0, 1e-6, 99.0)

    monkeypatch.setattr(roofline, "measure_roofline", busy)
    assert "the machine was busy" in run("device", "--device", "cpu", "--threads", "1").out

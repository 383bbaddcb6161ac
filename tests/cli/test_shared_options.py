"""`--set`, `--input`, `--batch`, `--dtype` and `--fused` mean the same in every command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run

NET = """
input: [3, 32, 32]
let: {width: 16}
layers:
  - conv: {out: =width, kernel: 3, padding: 1, bias: false}
  - batchnorm
  - relu
  - conv: {out: =4*width, kernel: 1, bias: false}
  - batchnorm
  - relu
  - global_avgpool
  - flatten
  - linear: 10
"""
CHANGES = ("--set", "width=8", "--input", "3x64x64", "--fused")


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(NET, encoding="utf-8")
    return "net.yaml"


@pytest.fixture
def analysis(run: Run, net: str) -> dict[str, Any]:
    """What `analyze` says of the changed network: the words of the other commands must agree."""
    options = [*CHANGES, "--batch", "4", "--dtype", "float16", "--format", "json"]
    found: dict[str, Any] = json.loads(run("analyze", net, *options).out)
    return found


def test_report_and_compare_count_as_analyze_does(
    run: Run, net: str, analysis: dict[str, Any]
) -> None:
    options = [*CHANGES, "--batch", "4", "--dtype", "float16", "--format", "json"]
    (compared,) = json.loads(run("compare", net, *options).out)["networks"]
    assert compared["totals"] == analysis["totals"]
    (reported,) = json.loads(run("report", net, *options).out)["networks"]
    for key in ("params", "macs", "memory_access_bytes", "peak_activation_bytes"):
        assert reported["values"][key] == analysis["totals"][key]


def test_a_drawing_is_of_the_changed_network(run: Run, net: str) -> None:
    plain = run("draw", net, "--format", "dot").out
    changed = run("draw", net, *CHANGES, "--format", "dot").out
    assert "16x32x32" in plain and "batchnorm" in plain
    assert "8x64x64" in changed and "batchnorm" not in changed


@pytest.mark.parametrize("batch", [1, 7])
def test_guidelines_count_the_memory_access_of_a_batch(run: Run, net: str, batch: int) -> None:
    result = run("guidelines", net, "--batch", str(batch), "--format", "json")
    (scores,) = json.loads(result.out)["networks"]
    value = {score["code"]: score["value"] for score in scores["scores"]}
    positions, weights = batch * 32 * 32, 16 * 64
    least = 2 * positions * (16 * 64) ** 0.5 + weights
    assert value["G1"] == pytest.approx((positions * (16 + 64) + weights) / least, abs=1e-4)
    analysed = json.loads(run("analyze", net, "--batch", str(batch), "--format", "json").out)
    access = {
        kind: sum(row["memory_access_bytes"] for row in analysed["layers"] if row["op"] in kinds)
        for kind, kinds in {
            "element-wise": ("relu",),
            "all": ("relu", "conv", "linear", "global_avgpool"),
        }.items()
    }
    assert value["G4"] == pytest.approx(access["element-wise"] / access["all"], abs=1e-4)


def test_lint_judges_the_changed_network_and_edits_none(run: Run, net: str) -> None:
    Path(net).write_text(NET.replace("- relu\n", "- relu\n  - relu\n", 1), encoding="utf-8")
    assert "ACT103 [*]" in run("lint", net, "--select", "ACT103", *CHANGES).out
    for change in (["--set", "width=8"], ["--input", "3x64x64"], ["--fused"], ["--batch", "2"]):
        result = run("lint", net, "--fix", *change)
        assert (result.code, result.out) == (2, "")
        assert result.err.startswith("error: --fix")


def test_lint_offers_no_fix_that_it_would_not_make(run: Run, net: str) -> None:
    Path("base.yaml").write_text(NET.replace("- relu\n", "- relu\n  - relu\n", 1), encoding="utf-8")
    Path("own.yaml").write_text("extends: base.yaml\n", encoding="utf-8")
    assert "[*]" in run("lint", "base.yaml", "--select", "ACT103").out
    shown = run("lint", "own.yaml", "--select", "ACT103").out
    assert "ACT103" in shown and "[*]" not in shown and "fixable" not in shown
    assert "[*]" in run("lint", ".", "--select", "ACT103").out


def test_im2col_of_a_batch(run: Run, net: str) -> None:
    def columns(*words: str) -> list[int]:
        data = json.loads(run("im2col", net, "conv0", *words, "--format", "json").out)
        found: list[int] = data["im2col"]["columns"]
        return found

    assert columns() == [27, 1024]
    assert columns("--batch", "3") == [27, 3072]


def test_a_space_around_the_changed_network(run: Run, net: str) -> None:
    text = run("space", net, "--vary", "width", "--set", "width=32", "--input", "3x16x16").out
    assert "input: [3, 16, 16]" in text
    assert "width: !choice [16, 24, 32" in text


def test_a_search_is_of_the_changed_space(run: Run, tmp_path: Path) -> None:
    from archscope.search.config import SearchConfig
    from archscope.search.evaluation import Trainer

    (tmp_path / "space.yaml").write_text(
        NET.replace("kernel: 3, padding: 1", "kernel: !choice [3, 5], padding: same")
    )
    spec = (tmp_path / "space.yaml").as_posix()
    trainer = Trainer(data="digits")
    plain = SearchConfig(spec=spec, trainer=trainer).space()[1]
    config = SearchConfig(spec=spec, trainer=trainer, set={"width": 8}, input=(3, 16, 16))
    changed = config.space()[1]
    assert plain.graph(plain.defaults).by_name["conv0"].out == (16, 32, 32)
    assert changed.graph(changed.defaults).by_name["conv0"].out == (8, 16, 16)
    assert config.record()["set"] == {"width": 8}

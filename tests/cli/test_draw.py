"""Drawings of pruned networks on the command line."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.conftest import Run

SPEC = "input: [3, 8, 8]\nlayers:\n  - conv: {out: WIDTH, kernel: 3}\n  - relu\n"


@pytest.fixture
def specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, width in (("small", "8"), ("large", "16")):
        Path(f"{name}.yaml").write_text(SPEC.replace("WIDTH", width), encoding="utf-8")


@pytest.mark.usefixtures("specs")
def test_losses_are_drawn(run: Run) -> None:
    assert run("draw", "small.yaml", "--before", "large.yaml", "-o", "gone.svg").code == 0
    texts = [text.text for text in ElementTree.parse("gone.svg").iter() if text.text]
    assert "16 → 8x6x6 · 50 %" in texts and "macs gone since 'large', 50.0 % in all" in texts
    for form in ("dot", "mermaid"):
        result = run("draw", "small.yaml", "--before", "large.yaml", "--format", form)
        assert result.code == 0 and "macs gone since" in result.out


@pytest.mark.usefixtures("specs")
def test_the_network_before_may_be_that_of_a_run(run: Run) -> None:
    folder = Path("runs/large")
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{}", encoding="utf-8")
    Path("large.yaml").rename(folder / "spec.yaml")
    assert run("draw", "small.yaml", "--before", "runs/large", "-o", "gone.svg").code == 0
    assert run("report", "small.yaml", "--before", "runs/large", "-o", "page.html").code == 0


@pytest.mark.usefixtures("specs")
@pytest.mark.parametrize("words", [("--heat", "none"), ("--overlay", "values.json")])
def test_losses_are_what_is_painted(run: Run, words: tuple[str, str]) -> None:
    result = run("draw", "small.yaml", "--before", "large.yaml", *words)
    assert (result.code, result.err.count("\n")) == (2, 1) and words[0] in result.err

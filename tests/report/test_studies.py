"""Study folders: what searches found, computed anew from their trials."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from archscope.errors import OptionError
from archscope.report.render import html
from archscope.report.studies import read_study
from archscope.report.summary import summary
from tests.report.conftest import collected, make_study, page_of

ROOT = Path(__file__).parents[2]


def test_a_study(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "first"))
    assert dict(study.counts) == {"trained": 6, "pruned": 2, "infeasible": 2}
    curves = {curve.name: curve.y for curve in study.best}
    assert curves["control"] == (pytest.approx(0.54),)
    assert curves["search"] == pytest.approx((0.5, 0.58, 0.58, 0.7, 0.74, 0.78, 0.78))
    assert dict(study.proxies) == {"up": pytest.approx(1), "down": pytest.approx(-1)}
    assert study.decisions == ("width", "kind"), "what never differs decides nothing"
    assert len(study.trials) == len(study.work) == 8
    assert {one.worker for one in study.work} == {0}
    assert "trial 7 is the best with 78.0 %" in study.verdict
    assert study.state == "not finished"
    assert dict(study.facts)["data"] == "digits"
    assert summary((), (), [study]) == (f"Study first: {study.verdict}",)


def test_what_is_broken_is_named(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "first")
    lines = (folder / "trials.jsonl").read_text().splitlines(keepends=True)
    (folder / "trials.jsonl").write_text("".join([lines[0], "nonsense\n", *lines[2:]]))
    (folder / "study.json").unlink()
    study = read_study(folder)
    assert [text.split(":")[0] for text in study.missing[:2]] == ["trials.jsonl, line 2",
                                                                  "study.json"]  # fmt: skip
    assert sum(count for _, count in study.counts) == 9
    (folder / "trials.jsonl").unlink()
    (folder / "study.json").write_text("{}")
    with pytest.raises(OptionError, match="trials"):
        read_study(folder)


def test_a_study_without_an_answer_yet(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "first")
    (folder / "trials.jsonl").write_text("")
    study = read_study(folder)
    assert study.verdict == "No network has been trained to its end."
    assert study.best == () and study.trials == ()


def test_its_winner_stands_among_the_networks(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "studies" / "first")
    shutil.copy(ROOT / "specs" / "lenet5.yaml", folder / "winner.yaml")
    last = [
        {"trial": 7, "scores": [0.8, 0.82], "mean": 0.81, "low": 0.8, "high": 0.82, "tied": True},
        {"trial": 6, "scores": [0.7], "mean": 0.7, "low": 0.7, "high": 0.7},
    ]
    found = {"importance": {"width": 0.2, "kind": 0.8}, "finalists": last, "networks": "1,234"}
    (folder / "summary.json").write_text(json.dumps(found))
    inputs = collected(str(tmp_path / "studies"))
    (winner,) = inputs.finish()
    assert winner.name == "winner of first"
    assert winner.values["accuracy"] == 0.81, "of the longer training, not of the search"
    assert inputs.studies[0].importance == (("kind", 0.8), ("width", 0.2))
    assert inputs.studies[0].state == "finished"
    assert dict(inputs.studies[0].facts)["networks"] == "1,234"
    text = html(page_of(winner, inputs=inputs), charts="")
    assert "80.0 % to 82.0 %" in text and "the winner" in text and "behind" in text

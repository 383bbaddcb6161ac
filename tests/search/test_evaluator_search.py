"""Search by a user's own function: its scores, its errors, and studies that continue."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

import archscope
from archscope.ir import Graph
from archscope.report.pages.inputs import ReportInputs
from archscope.report.pages.text_page import parts
from archscope.search.evaluator_search import checked_scores, name_of
from archscope.search.result import SearchResult


def score(graph: Graph) -> dict[str, float]:
    totals = archscope.analyze(graph).totals
    return {"score": min(totals.depth / 40, 1.0), "kilobytes": totals.weight_bytes / 1024}


def searched(folder: Path, evaluate: Any, **more: Any) -> SearchResult:
    found = archscope.search(
        "tiny", "5MMACs", evaluate=evaluate, folder=folder, **{"trials": 8, **more}
    )
    assert isinstance(found, SearchResult)
    return found


def rows_of(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "trials.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["outcome"] in ("trained", "failed")]


def test_the_best_score_wins_and_everything_is_kept(tmp_path: Path) -> None:
    found = searched(tmp_path / "study", score)
    rows = rows_of(tmp_path / "study")
    assert [row["outcome"] for row in rows] == ["trained"] * 8
    assert all(row["verdict"]["scores"].keys() == {"score", "kilobytes"} for row in rows)
    assert all(row["costs"]["macs"] <= 5e6 for row in rows)
    best = max(row["verdict"]["score"] for row in rows)
    assert found.winner is not None and found.winner.mean == best
    assert score(archscope.load(tmp_path / "study" / "winner.yaml"))["score"] == best
    assert found.verdict.startswith(f"trial {found.winner.trial} has the best score of")
    inputs = ReportInputs()
    inputs.add(str(tmp_path / "study"))
    assert not inputs.problems and inputs.sections[0].measured is None
    assert dict(inputs.studies[0].facts)["evaluator"] == f"{__name__}.score"
    page = inputs.page(None, "")
    assert f"by '{__name__}.score'" in page.answer[0]
    assert "8 were evaluated" in page.studies[0].conclusion
    told = [msgspec.json.encode(page.studies).decode(), *page.answer, *page.summary]
    told += [part if isinstance(part, str) else repr(part) for part in parts(page, plot=True)]
    told.append(archscope.load(tmp_path / "study" / "winner.yaml").about)
    for text in told:
        assert not re.search("validation (accuracy|images)|mean accuracy|seeds is only", text)


def test_the_limit_is_that_of_the_evaluations(tmp_path: Path) -> None:
    """It ends the search before another evaluation."""
    found = searched(tmp_path / "late", score, max_time=1e-9)
    assert (found.outcomes, found.reason) == ({}, "no more trials fit into 1e-09 s")


def test_equal_scores_are_told_and_explain_nothing(tmp_path: Path) -> None:
    spec = tmp_path / "ten.yaml"
    widths = ", ".join(map(str, range(2, 22, 2)))
    spec.write_text(f"input: [1, 8, 8]\nlayers: [{{conv: !choice [{widths}]}}, flatten]")
    found = archscope.search(str(spec), evaluate=lambda graph: 0.5, folder=tmp_path / "study")
    assert isinstance(found, SearchResult)
    assert ", 50.0 %, as do 9 others; each network has one" in found.verdict
    assert found.importance == {}
    assert archscope.report(tmp_path / "study", output=tmp_path / "page.html").exists()


def test_a_space_that_is_exhausted_says_so(tmp_path: Path) -> None:
    spec = tmp_path / "three.yaml"
    spec.write_text("input: [1, 8, 8]\nlayers: [{conv: !choice [2, 4, 6]}, flatten, {linear: 2}]")
    found = archscope.search(str(spec), evaluate=score, folder=tmp_path / "study")
    assert isinstance(found, SearchResult)
    assert found.outcomes["trained"] == 3
    assert found.reason.startswith("every network within the budget that could be found")


def test_a_stopped_study_continues_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    calls: list[str] = []

    def evaluate(graph: Graph) -> float:
        calls.append(graph.name)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return score(graph)["score"]

    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path / "stopped", evaluate)
    assert len(rows_of(tmp_path / "stopped")) == 3
    searched(tmp_path / "stopped", evaluate)
    assert len(calls) == 9
    searched(tmp_path / "whole", evaluate)
    assert [row["genes"] for row in rows_of(tmp_path / "stopped")] == [
        row["genes"] for row in rows_of(tmp_path / "whole")
    ]
    with pytest.raises(archscope.ArchscopeError, match="begun with another evaluator"):
        searched(tmp_path / "stopped", score)


def test_errors_of_the_function_are_failed_trials(tmp_path: Path) -> None:
    answers: list[Any] = [0.5, "good", None, float("nan"), 2, {"accuracy": 1}, True]

    def evaluate(graph: Graph) -> Any:
        if not answers:
            raise RuntimeError("out of memory\nat line 3")
        return answers.pop(0)

    found = searched(tmp_path / "study", evaluate)
    reasons = [row["verdict"].get("reason", "") for row in rows_of(tmp_path / "study")]
    assert reasons == [
        "",
        "ValueError: expected a number as score, got str 'good'",
        "ValueError: expected a number as score, got NoneType None",
        "ValueError: expected a finite number as score, got nan",
        "ValueError: expected a score from 0 to 1, got 2",
        "ValueError: expected a dict with 'score', got dict {'accuracy': 1}",
        "ValueError: expected a number as score, got bool True",
        "RuntimeError: out of memory",
    ]
    assert found.winner is not None and found.outcomes["failed"] == 7
    none = searched(tmp_path / "none", evaluate, trials=3)
    assert none.winner is None
    assert none.verdict.endswith("scored no network; the last error: RuntimeError: out of memory")


@pytest.mark.parametrize("given", [0.5, np.float32(0.5), np.array(0.5), torch.tensor(0.5)])
def test_numbers_of_other_packages(given: Any) -> None:
    assert checked_scores(given) == checked_scores({"score": given}) == {"score": 0.5}


def test_what_an_evaluator_excludes(tmp_path: Path) -> None:
    for word, value in {"data": "digits", "epochs": 2, "images": 5, "judge": "prior"}.items():
        with pytest.raises(archscope.ArchscopeError, match=f"evaluate excludes {word}"):
            searched(tmp_path / "study", score, **{word: value})
    with pytest.raises(archscope.ArchscopeError, match="an evaluator is a function"):
        name_of(3)
    with pytest.raises(ValueError, match="no 'top1' beside"):
        checked_scores({"score": 0.5, "top1": 0.4})
    assert not (tmp_path / "study").exists()

"""Search by a user's own function: its scores, its errors, and studies that continue."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import optuna
import pytest
import torch

import archscope
from archscope.ir import Graph
from archscope.records.score_metric import metric_of_evaluator
from archscope.report.pages.html import html
from archscope.report.pages.inputs import ReportInputs
from archscope.report.pages.text_page import parts
from archscope.report.tables.studies import found_parts
from archscope.search.evaluator_search import checked_scores, name_of
from archscope.search.result import SearchResult
from archscope.units import MEASURED


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
        "ValueError: expected a score from 0 to 1, got 2; others need a metric and a direction",
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
    default = metric_of_evaluator("", "maximize")
    assert checked_scores(given, default) == checked_scores({"score": given}, default)
    loss = metric_of_evaluator("loss", "minimize")
    assert checked_scores(given, loss) == checked_scores({"loss": given}, loss) == {"loss": 0.5}


def test_what_an_evaluator_excludes(tmp_path: Path) -> None:
    for word, value in {"data": "digits", "epochs": 2, "images": 5, "judge": "prior"}.items():
        with pytest.raises(archscope.ArchscopeError, match=f"evaluate excludes {word}"):
            searched(tmp_path / "study", score, **{word: value})
    with pytest.raises(archscope.ArchscopeError, match="an evaluator is a function"):
        name_of(3)
    assert not (tmp_path / "study").exists()


def psnr(graph: Graph) -> dict[str, float]:
    """Return a metric of any size; the number called top1 is not the score."""
    return {"psnr": 30 + 10 * score(graph)["score"], "top1": 0.25}


def test_scores_have_a_name_and_no_limits(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    found = searched(folder, psnr, metric="psnr", direction="maximize")
    rows = rows_of(folder)
    best = max(row["verdict"]["score"] for row in rows)
    assert found.winner is not None and found.winner.mean == best > 30
    assert [row["values"] for row in rows] == [[row["verdict"]["score"]] for row in rows]
    assert f"has the best psnr of '{__name__}.psnr', {best:.2f}" in found.verdict
    told = json.loads((folder / "summary.json").read_text())
    assert told["metric"] == {"name": "psnr", "direction": "maximize", "kind": "measure"}
    asked = json.loads((folder / "study.json").read_text())
    assert (asked["metric"], asked["objectives"]) == ("psnr", ["psnr"])
    assert f"psnr {best:.2f};" in archscope.load(folder / "winner.yaml").about
    assert optuna.load_study(
        study_name="study", storage=f"sqlite:///{folder / 'study.db'}"
    ).metric_names == ["psnr"]
    inputs = ReportInputs()
    inputs.add(str(folder))
    page = inputs.page(None, "")
    told = [part if isinstance(part, str) else repr(part) for part in found_parts(found)]
    told += [part if isinstance(part, str) else repr(part) for part in parts(page, plot=True)]
    told += [msgspec.json.encode(page.studies).decode(), *page.answer, *page.summary]
    assert not re.search("accuracy|validation|highest score", " ".join(told))
    assert f"psnr {best:.2f} by '{__name__}.psnr'" in page.answer[0]
    assert f"has the best psnr of the search, {best:.2f} (" in page.studies[0].conclusion
    assert dict(page.studies[0].facts)["objectives"] == "psnr"


SMALL = """
let: {width: !choice [2, 3, 4, 6, 8], kernel: !choice [1, 3], depth: !choice [1, 2, 3]}
input: [1, 8, 8]
layers:
  - conv: {out: =width, kernel: =kernel, padding: =kernel//2}
    repeat: =depth
  - flatten
  - linear: 2
"""


def small(folder: Path, factor: float, **more: Any) -> SearchResult:
    """Search a space of 30 networks by a score that is multiplied by a factor."""
    folder.mkdir()
    spec = folder / "small.yaml"
    spec.write_text(SMALL)
    direction = "maximize" if factor > 0 else "minimize"
    found = archscope.search(
        str(spec), evaluate=partial(scaled, factor=factor), folder=folder / "study",
        **{"direction": direction, "trials": 18, **more},
    )  # fmt: skip
    assert isinstance(found, SearchResult)
    return found


def scaled(graph: Graph, factor: float) -> float:
    totals = archscope.analyze(graph).totals
    return factor * (totals.depth + totals.params % 97 / 97)


def test_a_loss_is_minimized_as_its_negative_is_maximized(tmp_path: Path) -> None:
    """Also if it is very small, or very large: powers of two lose no digit."""
    studies = []
    for name, factor in {"gain": 1.0, "small": -(2.0**-40), "large": -(2.0**40)}.items():
        small(tmp_path / name, factor, metric=name)
        studies.append([row["genes"] for row in rows_of(tmp_path / name / "study")])
    assert studies[0] == studies[1] == studies[2]


def test_the_report_of_a_loss_says_that_less_is_better(tmp_path: Path) -> None:
    found = small(tmp_path / "loss", 100.0, metric="perplexity", direction="minimize")
    folder = tmp_path / "loss" / "study"
    values = [row["verdict"]["score"] for row in rows_of(folder)]
    assert found.winner is not None and found.winner.mean == min(values)
    assert found.front[-1].score == min(values)
    falling = [trial.score or 0.0 for trial in found.front]
    assert falling == sorted(falling, reverse=True)
    assert found.certificate is not None
    assert found.certificate.bound <= found.certificate.winner
    assert found.certificate.gap == found.certificate.winner - found.certificate.bound
    inputs = ReportInputs()
    inputs.add(str(folder))
    page = inputs.page(None, "")
    (study,) = page.studies
    assert study.best[0].y[-1] == min(values) or study.best[1].y[-1] == min(values)
    for curve in study.best:
        known = [value for value in curve.y if value is not None]
        assert known == sorted(known, reverse=True)
    low, high = study.random_band
    assert all(a is None or b is None or a <= b for a, b in zip(low.y, high.y, strict=True))
    assert f"perplexity {MEASURED.format(min(values))} by" in page.answer[0]
    text = html(page)
    assert "mean accuracy" not in text and ">perplexity</th>" in text


def test_a_study_remembers_its_metric(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    searched(folder, psnr, metric="psnr", direction="maximize", trials=3)
    more = searched(folder, psnr, metric="psnr", direction="maximize", trials=5)
    assert more.outcomes["trained"] == 5
    for given, other in {
        "direction": {"metric": "psnr", "direction": "minimize"},
        "objectives": {},
    }.items():
        with pytest.raises(archscope.ArchscopeError, match=f"begun with another {given}"):
            searched(folder, psnr, **other)
    searched(tmp_path / "plain", score, trials=2)
    file = tmp_path / "plain" / "study.json"
    before = json.loads(file.read_text())
    del before["metric"], before["direction"]  # as earlier versions wrote it
    file.write_text(json.dumps(before))
    assert searched(tmp_path / "plain", score, trials=3).outcomes["trained"] == 3


@pytest.mark.parametrize(
    "given, expected",
    [
        ({"metric": "psnr"}, "expected 'maximize' or 'minimize', got None"),
        ({"metric": "psnr", "direction": "up"}, "expected 'maximize' or 'minimize', got 'up'"),
        ({"direction": "minimize"}, "direction needs metric"),
        ({"metric": "", "direction": "minimize"}, "expected the name of the score in one line"),
        ({"metric": "a\nb", "direction": "minimize"}, "expected the name of the score in one line"),
        ({"metric": "m" * 41, "direction": "minimize"}, "at most 40 characters, got 41"),
        ({"metric": "macs", "direction": "minimize"}, "'macs' is a cost of networks"),
        ({"metric": "origin", "direction": "minimize"}, "a column of the table of trials"),
        ({"metric": "kernel", "direction": "minimize"}, "'kernel' is a decision of"),
        ({"metric": "psnr", "direction": "minimize", "objectives": ("psn",)},
         "no objective 'psn', did you mean 'psnr'"),
    ],
)  # fmt: skip
def test_what_a_metric_cannot_be(tmp_path: Path, given: dict[str, Any], expected: str) -> None:
    spec = tmp_path / "one.yaml"
    spec.write_text("let: {kernel: !choice [1, 3]}\ninput: [1, 8, 8]\nlayers: [conv: {out: 2,"
                    " kernel: =kernel}, flatten]")  # fmt: skip
    with pytest.raises(archscope.ArchscopeError, match=re.escape(expected)):
        archscope.search(str(spec), evaluate=psnr, folder=tmp_path / "study", **given)
    assert not (tmp_path / "study").exists()


def test_a_metric_needs_an_evaluator(tmp_path: Path) -> None:
    with pytest.raises(archscope.ArchscopeError, match="scores of evaluate, which is not given"):
        archscope.search("tiny", metric="psnr", direction="maximize", folder=tmp_path / "study")


def test_several_objectives_with_a_metric(tmp_path: Path) -> None:
    found = searched(
        tmp_path / "study", psnr, metric="psnr", direction="minimize", objectives=("psnr", "macs")
    )
    rows = rows_of(tmp_path / "study")
    assert all(row["values"] == [row["verdict"]["score"], row["costs"]["macs"]] for row in rows)
    assert found.winner is not None

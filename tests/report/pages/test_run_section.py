"""Run folders: whole, half written, and broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archscope.errors import OptionError
from archscope.report.pages.run_section import read_run
from tests.report.conftest import DOT, collected, inspection, make_run


def test_a_whole_run(run_folder: Path) -> None:
    run = read_run(run_folder)
    assert (run.id, run.name, run.network, run.accuracy) == ("run-first", "first", "lenet5", 0.95)
    curves = {curve.name: curve for curve in run.epochs}
    assert curves["validation_top1"].y == (0.73, 0.91)
    assert curves["train_loss"].y == (1.9, None), "what is no number is a gap"
    assert curves["train_loss"].x == (1.0, 2.0), "a row that is half written is left"
    assert {curve.name for curve in run.steps} == {"train_loss", "gradient"}
    assert run.confusion and run.confusion.counts == ((9, 1), (2, 8))
    assert dict(run.facts)["data"] == "digits: 1,293 train, 144 validation"
    assert run.missing == ()


def test_what_is_broken_is_named(run_folder: Path) -> None:
    (run_folder / "epochs.csv").unlink()
    (run_folder / "steps.csv").write_bytes(b"\xff\xfe\x00")
    (run_folder / "evaluation.json").write_text("{")
    run = read_run(run_folder)
    assert len(run.missing) == 3
    assert [text.split(":")[0] for text in run.missing] == [
        "epochs.csv", "steps.csv", "evaluation.json",
    ]  # fmt: skip
    assert run.epochs == ()


@pytest.mark.parametrize("text", ["", "[1]", '{"name":'])
def test_a_summary_that_cannot_be_read(run_folder: Path, text: str) -> None:
    (run_folder / "run.json").write_text(text)
    with pytest.raises(OptionError, match=r"run\.json"):
        read_run(run_folder)


def test_a_run_still_going_has_no_accuracy(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "now", state="running", test=None, best=None))
    assert (run.state, run.accuracy) == ("running", None)


def test_a_folder_of_runs_with_a_broken_one(tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "a")
    (make_run(tmp_path / "runs" / "b") / "run.json").write_text("{")
    (make_run(tmp_path / "runs" / "c") / "spec.yaml").write_text("layers: [cnov: 3]")
    inputs = collected(str(tmp_path / "runs"))
    assert [run.name for run in inputs.runs] == ["a", "c"]
    assert [one.name for one in inputs.networks()] == ["a"]
    assert inputs.networks()[0].values["accuracy"] == 0.95
    assert ["b" in problem.source or "c" in problem.source for problem in inputs.problems] == [
        True,
        True,
    ]
    assert "unknown operator" in inputs.problems[1].reason


def test_an_inspection(run_folder: Path) -> None:
    (run_folder / "look.json").write_text(json.dumps(inspection()))
    run = read_run(run_folder)
    assert run.inspection and [layer.dead for layer in run.inspection.layers] == [None, 0.5]
    assert run.confusion and run.confusion.counts == ((9, 1), (2, 8)), "the evaluation is newer"
    (run_folder / "evaluation.json").unlink()
    run = read_run(run_folder)
    assert run.confusion and run.confusion.counts == ((8, 2), (1, 9))


def test_the_effective_receptive_field(run_folder: Path) -> None:
    field = {
        "layer": "conv4", "images": 20, "share": 0.95, "effective": [5, 7], "theoretical": [9, 9],
        "input": [16, 16], "png": DOT,
    }  # fmt: skip
    (run_folder / "look.json").write_text(json.dumps(inspection(field=field)))
    facts = dict(read_run(run_folder).facts)
    assert facts["receptive field"] == "5x7 effective, 9x9 theoretical, at conv4"
    (run_folder / "look.json").write_text(json.dumps(inspection()))
    assert "receptive field" not in dict(read_run(run_folder).facts)


@pytest.mark.parametrize(
    "text",
    ["{", "[]", json.dumps(inspection(filters={"layer": "a", "about": "b", "png": '"><script>'}))],
)
def test_a_broken_inspection_is_named_and_left_out(run_folder: Path, text: str) -> None:
    (run_folder / "look.json").write_text(text)
    run = read_run(run_folder)
    assert run.inspection is None and len(run.missing) == 1
    assert run.missing[0].startswith("look.json: ")
    assert run.confusion is not None


def test_seeds_of_one_network_are_one_network(tmp_path: Path) -> None:
    for seed, right in enumerate((0.9, 0.92, 0.97)):
        scores = {"loss": 0.2, "top1": right}
        make_run(tmp_path / "runs" / f"small-seed{seed}", seed=seed, test=scores)
    again = {"loss": 0.2, "top1": 0.5}
    make_run(tmp_path / "runs" / "small-seed2-again", seed=2, test=again)
    other = make_run(tmp_path / "runs" / "wide", seed=7)
    (other / "recipe.yaml").write_text("epochs: 9")
    inputs = collected(str(tmp_path / "runs"))
    first, *rest = inputs.networks()
    assert first.name == "small (3 seeds)" and len(inputs.runs) == 5
    assert first.measured is not None
    assert first.measured.scores == (0.9, 0.92, 0.97)
    assert first.values["accuracy"] == pytest.approx(0.93)
    assert first.measured.spread == pytest.approx(0.0360555)
    assert first.measured.on == "digits test images"
    assert [one.name for one in rest] == ["small-seed2-again", "wide"], "not of another seed alone"

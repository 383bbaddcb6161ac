"""Manual changes in a run folder raise one error that names the file and the field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archscope.errors import OptionError
from archscope.records.run_folder import find_run, is_abandoned, read_summary, read_threads

SUMMARY: dict[str, Any] = {
    "format": 1, "name": "run", "network": "net", "state": "finished", "reason": "epochs",
    "task": {"kind": "classification"},
    "data": {
        "name": "digits", "source": {"name": "digits", "folder": None}, "digest": "0",
        "classes": ["a", "b"], "adapt": {"how": "resize", "channels": "same"},
        "adaptation": {"source": [1, 8, 8], "target": [1, 32, 32], "how": "resize",
                       "channels": "same"},
        "statistics": {"mean": [0.3], "std": [0.2]}, "train": 1, "validation": 1, "test": 0,
    },
    "seed": 0, "deterministic": False, "device": "cpu", "params": 1, "macs": 1, "epochs": 1,
    "steps": 1, "seconds": 1.0, "goal": "top1", "best": None, "last": None, "test": None,
    "verdict": "", "findings": [], "started": "", "archscope": "0",
}  # fmt: skip
DISTILLED = {"kind": "distillation", "teacher": "t", "temperature": 4, "alpha": 0.7, "pairs": []}


def written(folder: Path, content: Any) -> Path:
    (folder / "run.json").write_text(json.dumps(content))
    return folder


def changed(path: str, value: Any) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(json.dumps(SUMMARY))
    *inner, last = path.split(".")
    place = whole
    for key in inner:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return whole


def test_a_summary_is_read(tmp_path: Path) -> None:
    assert read_summary(written(tmp_path, SUMMARY)).data["classes"] == ["a", "b"]
    assert read_summary(written(tmp_path, changed("task", DISTILLED))).task["alpha"] == 0.7


@pytest.mark.parametrize(
    "path, value, field",
    [
        ("task", "classification", "task"),
        ("task", {}, "kind"),
        ("task.kind", 5, "task.kind"),
        ("task.kind", "distillation", "task"),
        ("task", {**DISTILLED, "pairs": [["a"]]}, "task.pairs[0]"),
        ("task", {**DISTILLED, "alpha": 7}, "task.alpha"),
        ("data", [], "data"),
        ("data.classes", "ab", "data.classes"),
        ("data.classes", [1, 2], "data.classes[0]"),
        ("data.classes", [], "data.classes"),
        ("data.statistics", None, "data.statistics"),
        ("data.statistics.std", ["a"], "data.statistics.std[0]"),
        ("data.statistics.std", [-1], "data.statistics.std[0]"),
        ("data.statistics.std", [1, 1], "data.statistics"),
        ("data.statistics.mean", ..., "data.statistics"),
        ("data.adaptation.target", [1, 99999, 99999], "data.adaptation.target[1]"),
        ("data.adaptation.target", [1, 8], "data.adaptation.target"),
        ("data.adaptation.how", "zoom", "data.adaptation.how"),
        ("data.adapt", {"zoom": "resize"}, "data.adapt"),
        ("data.source", "digits", "data.source"),
        ("data.source.folder", 5, "data.source.folder"),
        ("data.train", "many", "data.train"),
        ("findings", -1, "findings"),
        ("state", "asleep", "state"),
        ("best", 3, "best"),
        ("seed", ..., "seed"),
    ],
)
def test_a_changed_field_is_named(tmp_path: Path, path: str, value: Any, field: str) -> None:
    with pytest.raises(OptionError) as caught:
        read_summary(written(tmp_path, changed(path, value)))
    said = str(caught.value)
    assert said.startswith(f"cannot read '{tmp_path / 'run.json'}': ") and "\n" not in said
    assert field in said


def test_what_a_reader_needs_must_be_there(tmp_path: Path) -> None:
    written(tmp_path, changed("data.statistics", ...))
    read_summary(tmp_path, "classes")
    with pytest.raises(OptionError, match=r"run\.json': data: 'statistics' is missing$"):
        read_summary(tmp_path, "classes", "statistics")


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"{", b"\xff", b"5"])
def test_other_content_is_one_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    (tmp_path / "environment.json").write_bytes(content)
    for read in (read_summary, read_threads):
        with pytest.raises(OptionError, match=r"^cannot read '.*\.json': "):
            read(tmp_path)


@pytest.mark.parametrize("threads", ["two", 0, None])
def test_threads_are_a_positive_number(tmp_path: Path, threads: Any) -> None:
    (tmp_path / "environment.json").write_text(json.dumps({"threads": threads}))
    with pytest.raises(OptionError, match=r"environment\.json': threads: expected a whole number"):
        read_threads(tmp_path)


def test_what_a_killed_training_left_is_no_run(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert not is_abandoned(folder)
    folder.mkdir()
    assert is_abandoned(folder)
    (folder / "spec.yaml").touch()
    with pytest.raises(OptionError, match="was stopped before its training began"):
        find_run("run", tmp_path)
    (folder / "mine.txt").touch()
    assert not is_abandoned(folder)
    with pytest.raises(OptionError, match=r"no run 'run'"):
        find_run("run", tmp_path)

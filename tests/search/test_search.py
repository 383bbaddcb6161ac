"""Whole searches, with real trainings in real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from safetensors.torch import load_file

from archscope.analysis import analyze
from archscope.build import build
from archscope.files import is_locked, locked
from archscope.language import load
from tests.cli.conftest import Run
from tests.search.test_prior_model import UNITS

SPACE = """
input: [1, 16, 16]
let: {classes: 10}
blocks:
  layer:
    with: {width: !int {low: 3, high: 9}, kernel: !choice [1, 3]}
    layers:
      - conv: {out: =width, kernel: =kernel, padding: =kernel//2}
      - relu
layers:
  - layer: {}
    repeat: 2
  - global_avgpool
  - flatten
  - linear: =classes
"""
DATA = "synthetic:classes=4,shape=1x12x12,images=1400,test=16"
WORDS = (
    "search", "small.yaml", "--budget", "40KMACs", "--trials", "5", "--epochs", "2", "--data", DATA,
    "--images", "100", "--resolution", "12", "--top", "1", "--seeds", "1", "--stretch", "1",
)  # fmt: skip


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARCHSCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    (tmp_path / "small.yaml").write_text(SPACE, encoding="utf-8")
    return tmp_path


def trials(study: Path) -> list[dict[str, object]]:
    """Return what a study says of its trials, less what time it took."""
    rows = [json.loads(line) for line in (study / "trials.jsonl").read_text().splitlines()]
    for row in rows:
        if row["verdict"] is not None:
            for key in ("seconds", "worker", "started", "cached", "speed"):
                del row["verdict"][key]
    return rows


@pytest.mark.slow
def test_a_search_ends_with_a_winner_within_the_budget(run: Run, place: Path) -> None:
    result = run(*WORDS, "--name", "one", "-j", "2", "--format", "json")
    assert result.code == 0, result.err
    found = json.loads(result.out)["study"]
    study = place / "studies/one"
    winner = load(study / "winner.yaml")
    assert 34_000 <= analyze(winner).totals.macs <= 40_000
    assert winner.inputs[0].out == (1, 16, 16)
    assert found["winner"]["costs"]["macs"] == analyze(winner).totals.macs
    run_folder = place / found["winner"]["best_run"]
    build(load(run_folder / "spec.yaml")).load_state_dict(
        load_file(run_folder / "best.safetensors")
    )
    trained = [row for row in trials(study) if row["verdict"] is not None]
    assert len(trained) == 5 and len({row["digest"] for row in trained}) == 5
    assert all(34_000 <= row["costs"]["macs"] <= 40_000 for row in trained)  # type: ignore[index]
    kept = optuna.load_study(study_name="one", storage=f"sqlite:///{study / 'study.db'}")
    states = {trial.state.name for trial in kept.trials}
    first = len(kept.trials)
    assert states <= {"COMPLETE", "PRUNED"} and first == len(trials(study))
    assert not is_locked(study / "lock")
    assert found["verdict"] and found["winner"]["trial"] in found["tied"]
    assert len(found["reliability"]["repeats"]) == 4
    assert found["pilot"]["epochs"] == 2 and "pilot: 2 epochs of 100 images at 12x12" in result.err
    assert "plan: about 5 trainings of " in result.err

    # The same seed and one worker: the same study, out of the cache of trainings.
    assert run(*WORDS, "--name", "two", "-j", "1").code == 0
    assert trials(place / "studies/two") == trials(study)
    # The same command goes on, and more trials are more of the same.
    again = run(*WORDS, "--name", "one", "--trials", "6", "-j", "1")
    assert again.code == 0 and "resuming" in again.err
    assert trials(study)[:first] == trials(place / "studies/two")
    # Another question needs another name.
    other = run(*WORDS, "--name", "one", "--seed", "1")
    assert other.code == 2
    assert "was begun with another seed: 0, now 1" in other.err


@pytest.mark.slow
@pytest.mark.parametrize("how, code", [("SIGKILL", -9), ("SIGTERM", 143), ("SIGINT", 130)])
def test_a_killed_search_goes_on_to_the_same_end(
    run: Run, place: Path, how: str, code: int
) -> None:
    assert run(*WORDS, "--name", "whole", "-j", "1").code == 0
    text = (
        "import os, signal, sys\n"
        "from archscope.search import study_folder\n"
        "add = study_folder.StudyFolder.add\n"
        "def stop(self, trial):\n"
        "    add(self, trial)\n"
        "    if sum(trial.trained for trial in self.trials) == 2:\n"
        "        os.kill(os.getpid(), signal." + how + ")\n"
        "study_folder.StudyFolder.add = stop\n"
        "from archscope.cli import main\n"
        "if __name__ == '__main__': sys.exit(main(sys.argv[1:]))\n"
    )
    (place / "killed.py").write_text(text, encoding="utf-8")
    words = [sys.executable, "killed.py", *WORDS, "--name", "killed", "-j", "1"]
    process = subprocess.run(words, capture_output=True, text=True, check=False)
    assert process.returncode == code, process.stderr
    assert "Traceback" not in process.stderr
    assert ("the same command continues studies/killed" in process.stderr) == (code > 0)
    study = place / "studies/killed"
    assert not is_locked(study / "lock")
    with (study / "trials.jsonl").open("a") as file:
        file.write('{"number": 99, "gen')  # a line that was cut short
    assert run(*WORDS, "--name", "killed", "-j", "1").code == 0
    assert trials(study) == trials(place / "studies/whole")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--budget", "40Kfoo"), "unknown unit"),
        (("--budget", "macs<=10"), "no network of 'small' was found within macs<=10"),
        (("--sampler", "tpee"), "no sampler 'tpee', did you mean 'tpe'?"),
        (("--objectives", "acc"), "no objective 'acc'"),
        (("--data", "digitss"), "did you mean 'digits'?"),
        (("--recipe-set", "batchh=3"), "unknown knob 'batchh', did you mean 'batch'?"),
        (("--start", "vgg16"), "was not found among the networks of 'small'"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(
    run: Run, words: tuple[str, ...], message: str
) -> None:
    result = run("search", "small.yaml", *words, "--resolution", "12")
    assert result.code == 2
    assert message in result.err
    assert "pilot" not in result.err


def test_a_spec_without_holes_is_no_space(run: Run) -> None:
    result = run("search", "lenet5")
    assert result.code == 2
    assert "has no holes" in result.err


def test_a_study_in_use_is_refused(run: Run, place: Path) -> None:
    study = place / "studies/mine"
    study.mkdir(parents=True)
    lock = locked(study / "lock", "unused")
    result = run(*WORDS, "--name", "mine")
    lock.release()
    assert result.code == 2
    assert f"the study 'studies/mine' is in use by process {os.getpid()}" in result.err


def test_a_folder_in_place_of_the_lock_is_one_error(run: Run, place: Path) -> None:
    (place / "studies/mine/lock").mkdir(parents=True)
    result = run(*WORDS, "--name", "mine")
    assert result.code == 2
    assert result.err == "error: cannot write 'studies/mine/lock': is a directory\n"


def test_the_first_alternatives_need_not_make_a_network(run: Run, place: Path) -> None:
    text = UNITS.replace("  - classifier: 10", "  - maxpool: !choice [99, 2]\n  - classifier: 10")
    (place / "units.yaml").write_text(text, encoding="utf-8")
    words = ("search", "units.yaml", "--judge", "prior", "--trials", "4", "--top", "0")
    found = run(*words, "--budget", "macs<=100% of mobilenet_v2", "-b", "params<=9M",
                "--name", "one")  # fmt: skip
    assert (found.code, (place / "studies/one/winner.yaml").exists()) == (0, True), found.err

"""The commands around training, as a user types them."""

from __future__ import annotations

import csv
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Run

ROOT = Path(__file__).parents[2]
SPEC = "INPUT 1x8x8 -> CONV 6 -> RELU -> POOL -> FC 4"
DATA = "synthetic:images=160,test=40,shape=1x8x8"
QUICK = (SPEC, "--data", DATA, "--epochs", "2", "--batch", "32",
         "--recipe-set", "log_every=2")  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_lenet5_learns_digits(run: Run) -> None:
    result = run("train", "lenet5", "--data", "digits", "--epochs", "5", "--format", "json")
    summary = json.loads(result.out)
    assert (result.code, summary["state"]) == (0, "finished")
    assert summary["test"]["top1"] > 0.95


def test_a_run_from_training_to_prediction(run: Run, tmp_path: Path) -> None:
    result = run("train", *QUICK, "--name", "first")
    assert result.code == 0
    assert "on synthetic: finished (epochs), 2 epochs, best epoch" in result.out
    assert "run: runs/first" in result.out
    lines = result.err.splitlines()
    assert lines[0].startswith("epoch 1  step 2  loss ")
    assert sum(" done " in line for line in lines) == 2

    listed = json.loads(run("runs", "--format", "json").out)["runs"]
    assert [(one["name"], one["state"]) for one in listed] == [("first", "finished")]
    assert "first" in run("runs").out

    for name in ("broken", "empty"):
        (tmp_path / "runs" / name).mkdir()
        (tmp_path / "runs" / name / "run.json").write_text("{" if name == "broken" else "")
    beside = run("runs", "--format", "json")
    assert (beside.code, json.loads(beside.out)["runs"]) == (2, listed)
    assert [line.partition(":")[0] for line in beside.err.splitlines()] == ["error"] * 2
    assert "'runs/broken/run.json'" in beside.err and "'runs/empty/run.json'" in beside.err

    judged = json.loads(run("evaluate", "first", "--format", "json").out)
    assert judged["scores"] == pytest.approx(listed[0]["test"])
    assert sum(map(sum, judged["confusion"])) == judged["images"] == 40
    right = sum(row[place] for place, row in enumerate(judged["confusion"]))
    assert right / 40 == judged["scores"]["top1"]
    assert "taken for" in run("evaluate", "runs/first", "--weights", "last").out

    Image.new("L", (12, 10), 128).save(tmp_path / "grey.png")
    rows = list(
        csv.DictReader(StringIO(run("predict", "first", "grey.png", "--format", "csv").out))
    )
    assert len(rows) == 4
    assert sum(float(row["probability"]) for row in rows) == pytest.approx(1)
    assert len(list(csv.DictReader(StringIO(
        run("predict", "first", "grey.png", "grey.png", "--top", "1", "--format", "csv").out
    )))) == 2  # fmt: skip


def test_runs_get_numbers_rather_than_being_written_over(run: Run, tmp_path: Path) -> None:
    for _ in range(2):
        assert run("train", "INPUT 1x8x8 -> FC 4", "--data", DATA, "--epochs", "1").code == 0
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [
        "pattern-synthetic", "pattern-synthetic-2",
    ]  # fmt: skip


def test_seeds_give_mean_and_spread(run: Run) -> None:
    result = run("train", *QUICK, "--seeds", "3", "--format", "csv", "--quiet")
    assert result.code == 0
    assert result.err == ""
    rows = list(csv.DictReader(StringIO(result.out)))
    assert [row["seed"] for row in rows[:3]] == ["0", "1", "2"]
    table = run("train", *QUICK, "--seeds", "2", "--seed", "5").out
    assert "mean" in table
    assert "spread" in table


def test_a_student_and_its_teacher(run: Run, tmp_path: Path) -> None:
    small = ("INPUT 1x8x8 -> FC 4", *QUICK[1:], "--quiet", "--name", "student")
    result = run("train", *small, "--teacher", SPEC, "--seeds", "2", "--alpha", "0.5")
    assert result.code == 0
    names = {path.name for path in (tmp_path / "runs").iterdir()}
    assert names == {"student-teacher", "student-seed0", "student-seed1"}
    listed = json.loads(run("runs", "--format", "json").out)["runs"]
    assert listed[0]["task"]["teacher"] == str(tmp_path / "runs" / "student-teacher")
    assert listed[0]["task"]["alpha"] == 0.5
    again = run("train", *small[:-1], "other", "--teacher", "student-teacher")
    assert (again.code, again.err) == (0, "")
    missing = run("train", *small[:-1], "third", "--teacher", "studnet")
    assert (missing.code, missing.err.count("\n")) == (2, 1)


def test_divergence_is_a_finding(run: Run) -> None:
    result = run("train", *QUICK, "--lr", "1e30", "--optimizer", "sgd", "--recipe-set", "clip=null")
    assert result.code == 1
    assert "diverged: the loss is" in result.err
    assert result.err.rstrip().endswith("try a lower --lr")


def test_recipes_explain_every_knob(run: Run) -> None:
    data = json.loads(run("recipes", "--format", "json").out)
    assert data["recipes"]["course"]["learning_rate"] == 1e-4
    assert data["knobs"].keys() == data["recipes"]["brief"].keys()
    assert "weight_decay" in run("recipes", "course").out


@pytest.mark.parametrize(
    "args, message",
    [
        ((), "name either a SPEC to train or a run to --resume"),
        (("lenet5", "--data", "digit"), "unknown data set 'digit', did you mean 'digits'?"),
        (("lenet5", "--batch", "0"), "--batch: expected a whole number from 1, got"),
        (("lenet5", "--recipe", "breif"), "no recipe 'breif', did you mean 'brief'?"),
        (("lenet5", "--recipe-set", "emma=0.9"), "unknown knob 'emma', did you mean 'ema'?"),
        (("lenet5", "--recipe-set", "ema"), "--recipe-set needs KNOB=VALUE, got 'ema'"),
        (
            ("lenet5", "--max-time", "soon"),
            "expected a time such as 500ms, 90s, 5m or 1h30m, got 'soon'",
        ),
        (("vgg13_cifar100", "--data", "synthetic"), "the data have 4 classes; many specs take"),
        (("vgg13_cifar100", "--set", "classes=10"), "has 1 channel, the spec takes 3 channels"),
        (("--resume", "nothing"), "no run 'nothing'; `archscope runs` lists them"),
        (("--resume", "nothing", "--epochs", "3"), "it takes no --epochs"),
        (("lenet5", "--name", "a/../../b"), "--name: expected the name of a folder in --runs-dir"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    run: Run, tmp_path: Path, args: tuple[str, ...], message: str
) -> None:
    result = run("train", *args)
    assert result.code == 2
    assert len(result.err.splitlines()) == 1
    assert message in result.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "args, message",
    [
        (("evaluate", "none"), "no run 'none'"),
        (("evaluate", "one", "--data", "digits"), "knows 4 classes, 'digits' has 10"),
        (
            ("evaluate", "one", "--data", "synthetic:test=0", "--split", "test"),
            "data set 'synthetic' has no test images; try --split train",
        ),
        (
            ("predict", "one", "missing.png"),
            "'missing.png' cannot be read as an image: no such file",
        ),
        (("predict", "one", "text.png"), "'text.png' cannot be read as an image: Pillow"),
    ],
)
def test_mistakes_after_training(
    run: Run, tmp_path: Path, args: tuple[str, ...], message: str
) -> None:
    run("train", *QUICK, "--name", "one", "--quiet")
    (tmp_path / "text.png").write_text("not an image", encoding="utf-8")
    result = run(*args)
    assert result.code == 2
    assert len(result.err.splitlines()) == 1
    assert message in result.err


def test_a_folder_that_cannot_be_written_is_one_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    result = run("train", *QUICK, "--runs-dir", "file")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "cannot write 'file/" in result.err


@pytest.fixture
def files_of_20_kb() -> Iterator[None]:
    """Let no file grow beyond 20 kB, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_is_one_error_and_earlier_results_are_whole(
    run: Run, tmp_path: Path, files_of_20_kb: None
) -> None:
    run("train", *QUICK, "--name", "good", "--quiet")
    before = {path: path.read_bytes() for path in (tmp_path / "runs" / "good").iterdir()}
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (20_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    )
    wide = SPEC.replace("CONV 6", "CONV 64")
    result = run("train", wide, *QUICK[1:], "--name", "large", "--quiet")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "cannot write 'runs/large/state.pt': " in result.err
    assert {path: path.read_bytes() for path in (tmp_path / "runs" / "good").iterdir()} == before
    assert json.loads((tmp_path / "runs" / "large" / "run.json").read_bytes())["state"] == "failed"
    assert not list((tmp_path / "runs" / "large").glob(".state*"))


def test_ctrl_c_leaves_a_run_that_goes_on(run: Run, tmp_path: Path) -> None:
    long = (SPEC, "--data", DATA, "--epochs", "100000", "--recipe-set", "log_every=1")
    with subprocess.Popen(
        [sys.executable, "-m", "archscope", "train", *long, "--name", "long"],
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as child:  # fmt: skip
        assert child.stderr is not None
        assert child.stderr.readline().startswith("epoch 1  step 1 ")
        child.send_signal(signal.SIGINT)
        *_, last = child.stderr.readlines()
        assert child.wait() == 130
    assert last == "stopped; to continue: archscope train --resume runs/long\n"
    (row,) = json.loads(run("runs", "--format", "json").out)["runs"]
    assert row["state"] == "stopped"
    # It goes on as it began, but for the time that it takes.
    recipe = tmp_path / "runs" / "long" / "recipe.yaml"
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(text.replace("max_time: null", "max_time: 0.001"), encoding="utf-8")
    result = run("train", "--resume", "long", "--format", "json")
    assert (result.code, json.loads(result.out)["reason"]) == (0, "time")
    assert json.loads(result.out)["steps"] == row["steps"] + 1


def test_a_disk_that_is_full_at_once_leaves_nothing(
    run: Run, tmp_path: Path, files_of_20_kb: None
) -> None:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    result = run("train", *QUICK, "--name", "none", "--quiet")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "cannot write 'runs/none/spec.yaml': file too large" in result.err
    assert not list((tmp_path / "runs").iterdir())


def test_a_log_for_tensorboard_has_the_rows_of_the_run(run: Run, tmp_path: Path) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    assert run("train", *QUICK, "--name", "logged", "--log", "tensorboard").code == 0
    log = events.EventAccumulator(str(tmp_path / "runs/logged/tensorboard")).Reload()
    with (tmp_path / "runs/logged/epochs.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    written = log.Scalars("validation/loss")
    assert [row.step for row in written] == [int(row["step"]) for row in rows]
    assert [row.value for row in written] == pytest.approx(
        [float(row["validation_loss"]) for row in rows]
    )
    assert "steps/learning_rate" in log.Tags()["scalars"]


@pytest.mark.parametrize("more", [(), ("--seeds", "2", "--seed", "3")])
def test_a_taken_name_is_refused_before_the_data_are_read(
    run: Run, tmp_path: Path, more: tuple[str, ...]
) -> None:
    for taken in ("net", "net-seed4"):
        (tmp_path / "runs" / taken).mkdir(parents=True)
        (tmp_path / "runs" / taken / "run.json").write_text("{}", encoding="utf-8")
    result = run("train", SPEC, "--data", "folder:nowhere", "--name", "net", *more)
    assert result.code == 2
    path = "runs/net-seed4" if more else "runs/net"
    assert result.err == (
        f"error: '{path}' already exists; use another name, or continue with --resume {path}\n"
    )

"""A killed and resumed run ends as if it had not been interrupted."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from archscope import load
from archscope.build import build
from archscope.errors import OptionError
from archscope.records.run_folder import find_run, is_training, read_summary
from archscope.train import RunResult, recipe_files, resume, train
from archscope.train.run_folder import RunFolder, read_weights
from tests.train.nets import DROPPING, images, quick, small

ROOT = Path(__file__).parents[2]
TIMES = {"seconds", "images_per_second"}
KNOBS = {
    "epochs": 3, "ema": 0.9, "mixup": 0.2, "crop": 1, "checkpoint_every": 0,
}  # fmt: skip
"""Every part of a state matters: averages, blended labels, random shifts, a state at each row."""


def rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file, without what a clock decides."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            {name: cell for name, cell in row.items() if name not in TIMES}
            for row in csv.DictReader(file)
        ]


def same(one: Path, other: Path) -> None:
    """Check that two runs came to the same."""
    for name in ("steps.csv", "epochs.csv"):
        assert rows(one / name) == rows(other / name)
    first, second = read_summary(one), read_summary(other)
    assert first.state == second.state == "finished"
    assert first.test == second.test
    assert first.best is not None
    assert second.best is not None
    assert first.best.epoch == second.best.epoch
    for which in ("best", "last"):
        ours, theirs = read_weights(one, which), read_weights(other, which)
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "net.yaml"
    path.write_text(DROPPING, encoding="utf-8")
    return path


def killed(folder: Path, spec: str, knobs: Path, steps: int) -> None:
    """Train in another process, which is killed when it has done so many steps."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.train.child", str(folder), spec, str(knobs)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    ) as child:  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        for step in range(1, steps + 1):
            assert child.stdout.readline() == "step\n"
            if step < steps:
                child.stdin.write("\n")
                child.stdin.flush()
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL


def test_killed_twice_it_ends_with_the_same_numbers(tmp_path: Path, spec: Path) -> None:
    knobs = tmp_path / "knobs.yaml"
    knobs.write_text(recipe_files.text(quick(**KNOBS)), encoding="utf-8")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        train(load(spec), images(), quick(**KNOBS), run_dir=tmp_path / "whole")
        folder = tmp_path / "killed"
        killed(folder, str(spec), knobs, steps=7)  # in the second epoch, between two rows
        assert read_summary(folder).state == "running"
        assert not is_training(folder)
        # Rows that are newer than the state, and half a row, as a kill may leave them.
        with (folder / "steps.csv").open("a", encoding="utf-8") as file:
            file.write("2,8,0.5")
        killed(folder, "resume", knobs, steps=3)
        resume(folder, images())
    finally:
        torch.set_num_threads(threads)
    same(tmp_path / "whole", folder)


def run(folder: Path, stop_after: int | None = None, **knobs: object) -> RunResult:
    asked = iter(range(1000))
    return train(
        small(), images(), quick(**knobs), run_dir=folder,
        stop=lambda: stop_after is not None and next(asked) >= stop_after,
    )  # fmt: skip


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 4, 7])
def test_stopped_anywhere_it_goes_on(tmp_path: Path, steps: int) -> None:
    run(tmp_path / "whole")
    result = run(tmp_path / "stopped", stop_after=steps)
    assert (result.summary.state, result.summary.steps) == ("stopped", steps)
    assert result.summary.test is None
    assert resume(tmp_path / "stopped", images()).summary.state == "finished"
    same(tmp_path / "whole", tmp_path / "stopped")


@pytest.mark.parametrize("optimizer", ["momentum", "nesterov", "adagrad", "rmsprop", "adam"])
def test_state_of_every_optimizer_comes_back(tmp_path: Path, optimizer: str) -> None:
    knobs = {"optimizer": optimizer, "schedule": "step", "learning_rate": 0.01}
    run(tmp_path / "whole", **knobs)
    run(tmp_path / "stopped", stop_after=5, **knobs)
    resume(tmp_path / "stopped", images())
    same(tmp_path / "whole", tmp_path / "stopped")


def test_a_run_that_dies_before_its_test_trains_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*args: object) -> None:
        raise KeyboardInterrupt

    knobs = {"epochs": 9, "patience": 1, "learning_rate": 1e-12}
    whole = run(tmp_path / "whole", **knobs)
    assert whole.summary.reason == "patience"
    with monkeypatch.context() as patch:
        patch.setattr("archscope.train.training_run.evaluate", die)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "dead", **knobs)
    assert read_summary(tmp_path / "dead").state == "stopped"
    assert resume(tmp_path / "dead", images()).summary.reason == "patience"
    same(tmp_path / "whole", tmp_path / "dead")


def test_what_cannot_go_on_says_so(tmp_path: Path) -> None:
    run(tmp_path / "done")
    with pytest.raises(OptionError, match=r"has ended: finished \(epochs\)"):
        resume(tmp_path / "done", images())
    run(tmp_path / "other", stop_after=3)
    with pytest.raises(OptionError, match="are not those of the run"):
        resume(tmp_path / "other", images(seed=1))
    (tmp_path / "other" / "state.pt").write_bytes(b"no state")
    with pytest.raises(OptionError, match="cannot continue from"):
        resume(tmp_path / "other", images())
    with pytest.raises(OptionError, match=r"no run 'othr', did you mean 'other'\?"):
        find_run("othr", tmp_path)


def test_given_weights_are_not_replaced_by_random_ones(tmp_path: Path) -> None:
    initial = build(small()).state_dict()
    train(small(), images(), quick(), run_dir=tmp_path / "run", initial=initial, stop=lambda: True)
    (tmp_path / "run" / "state.pt").unlink()  # as if it was killed before it wrote that
    with pytest.raises(OptionError, match="the weights that it began with are not in it"):
        resume(tmp_path / "run", images())


def test_one_process_at_a_time(tmp_path: Path) -> None:
    run(tmp_path / "run", stop_after=3)
    holder = RunFolder(tmp_path / "run")
    holder.acquire()
    assert is_training(tmp_path / "run")
    with pytest.raises(OptionError, match="is in use by process"):
        resume(tmp_path / "run", images())
    holder.release()
    resume(tmp_path / "run", images())


class Bomb:
    """What an attacker would put into a state."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch exploded",)


def test_a_state_executes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(tmp_path / "run", stop_after=3)
    torch.save({"network": Bomb()}, tmp_path / "run" / "state.pt")
    with pytest.raises(OptionError, match="cannot continue from"):
        resume(tmp_path / "run", images())
    assert not (tmp_path / "exploded").exists()


def test_what_was_killed_before_it_was_a_run_is_begun_again(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "early"
    folder.mkdir(parents=True)
    for name in ("spec.yaml", ".lock", ".archscope.0123"):
        (folder / name).write_text("half")
    with pytest.raises(OptionError, match=r"was stopped before its training began; start it again"):
        find_run("early", tmp_path / "runs")
    result = train(small(), images(), quick(), run_dir=folder)
    assert result.summary.state == "finished"


def test_other_folders_are_no_place_for_a_run(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OptionError, match="already exists"):
        train(small(), images(), quick(), run_dir=tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_learned_steps_come_back(tmp_path: Path) -> None:
    run(tmp_path / "whole", weight_bits=2)
    run(tmp_path / "stopped", stop_after=5, weight_bits=2)
    resume(tmp_path / "stopped", images())
    same(tmp_path / "whole", tmp_path / "stopped")

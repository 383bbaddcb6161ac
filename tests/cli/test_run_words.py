"""Words for runs that are none: every command names the runs that may be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run

COMMANDS = (
    ("quantize",),
    ("quantize", "--method", "qat", "--bits", "2", "--epochs", "1"),
    ("prune", "--sensitivity"),
    ("prune", "--budget", "50%", "--epochs", "1"),
    ("evaluate",),
    ("evaluate", "--weights", "w.safetensors"),
    ("compress", "--target", "50%"),
    ("export", "-o", "net.onnx"),
    ("size",),
    ("draw", "lenet5", "--before"),
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("net-seed0", "net-seed1", "alone"):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "run.json").write_text("{}")
    stopped = tmp_path / "runs" / "stopped"
    stopped.mkdir()
    (stopped / "recipe.yaml").write_text("")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("runs/net", "'runs/net' stands for 2 runs; name one of them: runs/net-seed0, runs/net-se"),
        ("net", "'net' stands for 2 runs; name one of them: runs/net-seed0, runs/net-seed1"),
        ("runs/aloen", "no run 'runs/aloen', did you mean 'alone'?"),
        ("runs/other", "no run 'runs/other'; `archscope runs` lists them"),
        ("runs/stopped", "the run 'runs/stopped' was stopped before its training began"),
    ],
)
def test_what_is_no_run_is_said_first(
    run: Run, command: tuple[str, ...], word: str, expected: str
) -> None:
    name, *options = command
    words = [name, *options, word] if options[-1:] == ["--before"] else [name, word, *options]
    result = run(*words)
    several = "stands for" in expected and name in ("compress", "evaluate")
    if several:  # each of them is read, but for the weights of one network
        of_one = f"'{word}' stands for 2 runs"
        expected = of_one if "--weights" in words else "runs/net-seed0/run.json"
    assert result.code == 2
    assert expected in result.err
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize(
    "command", [c for c in COMMANDS if c[0] in ("quantize", "prune", "export", "size")],
    ids=" ".join,
)  # fmt: skip
def test_a_run_by_its_name_is_suggested_by_its_path(run: Run, command: tuple[str, ...]) -> None:
    name, *options = command
    result = run(name, "alone", *options)
    assert result.code == 2
    assert "'alone' is no network" in result.err and "runs/alone" in result.err


def test_weights_of_several_runs_are_refused(run: Run) -> None:
    result = run("size", "lenet5", "--weights", "runs/net")
    assert result.code == 2
    assert "'runs/net' stands for 2 runs" in result.err

"""Files that commands write: refused before any work if that cannot be, or if they are sources."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from archscope import load
from archscope.build import build
from tests.cli.conftest import Run

SPEC = "input: [1, 8, 8]\nlayers: [conv: 16, relu, conv: 16, flatten, linear: 2]\n"
NAMES_IN_RUN = {"net.yaml": "spec.yaml", "net.safetensors": "best.safetensors"}
MODULE = """from torch import nn


def net():
    return nn.Conv2d(1, 8, 3)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a spec, its weights and a module, to work in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.yaml").write_text(SPEC, encoding="utf-8")
    (tmp_path / "own.py").write_text(MODULE, encoding="utf-8")
    torch.manual_seed(0)
    save_file(build(load("net.yaml")).state_dict(), tmp_path / "net.safetensors")
    (tmp_path / "link.safetensors").symlink_to("net.safetensors")
    run = tmp_path / "runs/one"
    run.mkdir(parents=True)
    for name in ("net.yaml", "net.safetensors"):
        (run / NAMES_IN_RUN[name]).write_bytes((tmp_path / name).read_bytes())
    (run / "run.json").write_text("{}", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("line", "source"),
    [
        ("export net.yaml --to onnx -o net.yaml", "net.yaml"),
        ("export own.py:net --input 1x8x8 -o ./own.py", "own.py"),
        ("export own:net --input 1x8x8 -o own.py", "own.py"),
        ("prune net.yaml --budget 90% -o net.yaml", "net.yaml"),
        ("prune net.yaml --sparsity 50% --weights net.safetensors"
         " --weights-output link.safetensors", "net.safetensors"),
        ("quantize net.yaml --method uniform --weights net.safetensors -o net.safetensors",
         "net.safetensors"),
        ("size net.yaml --weights net.safetensors --weights-output net.safetensors",
         "net.safetensors"),
        ("analyze net.yaml -o net.yaml", "net.yaml"),
        ("compare lenet5 net.yaml -o ./net.yaml", "net.yaml"),
        ("lint net.yaml -o net.yaml", "net.yaml"),
        ("convert net.yaml --flat -o net.yaml", "net.yaml"),
        ("report net.yaml lenet5 --format json -o net.yaml", "net.yaml"),
        ("plot pareto net.yaml lenet5 -o net.yaml", "net.yaml"),
        ("import own.py:net --input 1x8x8 --weights own.py", "own.py"),
        ("size net.yaml --weights net.safetensors -o net.safetensors", "net.safetensors"),
        ("size net.yaml --weights runs/one -o runs/one/best.safetensors",
         "runs/one/best.safetensors"),
        ("analyze runs/one -o runs/one/spec.yaml", "runs/one/spec.yaml"),
        ("evaluate one --data digits -o runs/one/best.safetensors", "runs/one/best.safetensors"),
        ("compress one -t 50% -o runs/one/run.json", "runs/one/run.json"),
    ],
)  # fmt: skip
def test_sources_are_not_overwritten(run: Run, folder: Path, line: str, source: str) -> None:
    before = (folder / source).read_bytes()
    result = run(*line.split())
    assert (result.code, result.out) == (2, "")
    assert "would overwrite what it is made from" in result.err
    assert len(result.err.splitlines()) == 1
    assert (folder / source).read_bytes() == before


def test_results_may_be_written_again(run: Run, folder: Path) -> None:
    for _ in range(2):
        assert run("analyze", "runs/one/spec.yaml", "-o", "runs/one/costs.json").code == 0
        assert run("export", "net.yaml", "-o", "net.py").code == 0
        assert run("prune", "net.yaml", "-b", "90%", "--lanes", "2", "-o", "small.yaml").code == 0


LINES = pytest.mark.parametrize(
    "line",
    [
        "analyze net.yaml -o {}", "prune net.yaml --budget 50% -o {}", "quantize net.yaml -o {}",
        "size net.yaml --weights-output {}", "report net.yaml -o {}",
        "import own.py:net --input 1x8x8 --weights {}", "compress norun -t 50% --model {}",
        "device calibrate -o {}", "plot pareto net.yaml -o {}", "convert net.yaml --flat -o {}",
    ],
)  # fmt: skip


@LINES
def test_a_missing_folder_is_found_before_the_work(run: Run, folder: Path, line: str) -> None:
    result = run(*line.format("nowhere/x.yaml").split())
    assert (result.code, result.out) == (2, "")
    assert "cannot write 'nowhere/x.yaml': there is no folder 'nowhere'" in result.err
    result = run(*line.format(".").split())
    assert (result.code, result.out) == (2, "")
    assert "cannot write '.': is a directory" in result.err


@LINES
def test_what_is_read_only_is_found_before_the_work(
    run: Run, folder: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("kept.json").write_text("old")
    Path("kept.json").chmod(0o444)
    result = run(*line.format("kept.json").split())
    assert (result.code, result.out) == (2, "")
    assert "cannot write 'kept.json': the file is read-only" in result.err
    assert Path("kept.json").read_text() == "old"
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write anywhere
    result = run(*line.format("new.json").split())
    assert (result.code, result.out) == (2, "")
    assert "cannot write 'new.json': the folder '.' is read-only" in result.err


def test_the_folder_of_profiles_is_checked_before_a_calibration(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHSCOPE_DATA", "net.yaml")
    result = run("device", "calibrate")
    assert (result.code, result.out) == (2, "")
    assert result.err == "error: cannot write 'net.yaml/latency': not a directory\n"


def test_devices_can_be_written_to(run: Run, folder: Path) -> None:
    assert run("analyze", "net.yaml", "-o", "/dev/null").code == 0

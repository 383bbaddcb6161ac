"""What a shell completes."""

from __future__ import annotations

from pathlib import Path

import click.core
import pytest
from click.shell_completion import ShellComplete

from archscope.cli import COMPLETION
from archscope.cli.completion import SHELLS
from archscope.cli.shared.app import FILES, archscope
from archscope.ops import OPS
from archscope.rules.rule import RULES
from tests.cli.conftest import Run

OPTION = click.core.Option


class Words(ShellComplete):
    """Completes words without a shell."""

    name = "none"


def completed(*words: str) -> list[str]:
    *before, incomplete = words
    shell = Words(archscope, {}, "archscope", COMPLETION)
    return [item.value for item in shell.get_completions(list(before), incomplete)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Help replaces click's classes, in a process of its own but for tests.
    monkeypatch.setattr(click.core, "Option", OPTION)
    monkeypatch.chdir(tmp_path)
    for name in ("vggish.yaml", "vgg.py", "vgg.txt", "sub/net.yaml", "runs/lenet5-digits/run.json"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def test_commands() -> None:
    assert completed("") == sorted(FILES)
    assert completed("ana") == ["analyze"]
    assert completed("help", "im") == ["im2col", "import"]


@pytest.mark.parametrize("command", ["analyze", "lint", "compare", "report", "train", "search"])
def test_networks_of_the_zoo_and_files(command: str) -> None:
    found = completed(command, "vgg")
    assert {"vgg16", "vggish.yaml", "vgg.py"} < {*found} and "vgg.txt" not in found
    assert completed(command, "sub/") == ["sub/net.yaml"]
    assert completed(command, "s")[-1] == "sub/"


def test_options_and_their_values() -> None:
    assert completed("lint", "--sel") == ["--select"]
    assert completed("analyze", "vgg16", "--dtype", "float") == ["float64", "float32", "float16"]


def test_names_of_other_things() -> None:
    assert completed("recipes", "st") == completed("train", "--recipe", "st") == ["standard"]
    assert completed("search", "--sampler", "tp") == ["tpe"]
    assert completed("device", "cal") == ["calibrate"]
    assert completed("device", "calibrate", "--thr") == ["--threads"]
    assert completed("im2col", "vgg16", "stage0.c") == ["stage0.conv0", "stage0.conv1"]
    assert completed("im2col", "no_such_net", "") == []
    assert completed("rule", "") == sorted(RULES)
    assert completed("ops", "max") == [name for name in sorted(OPS) if name.startswith("max")]
    assert completed("evaluate", "")[:2] == ["lenet5-digits", "runs/lenet5-digits"]
    assert "resnet50" in completed("evaluate", "res")
    assert completed("train", "lenet5", "--data", "fas") == ["fashion-mnist"]
    assert completed("quantize", "lenet5", "--data", "fo") == completed("data", "fo") == ["folder:"]
    assert completed("search", "--data", "folder:s") == ["folder:sub/"]
    assert completed("data", "digits:") == completed("data", "none:") == []
    assert "resnet50" in completed("zoo", "res")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_a_shell(run: Run, monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    monkeypatch.setattr("click.shell_completion.BashComplete._check_version", lambda self: None)
    script = run("completion", shell).out
    assert COMPLETION in script and "archscope" in script
    monkeypatch.setenv("SHELL", f"/usr/bin/{shell}")
    assert run("completion").out == script
    monkeypatch.setenv("SHELL", "/bin/unknown")
    assert run("completion").err == "error: SHELL: name a shell, one of bash, zsh, fish\n"

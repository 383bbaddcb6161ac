"""Light commands load nothing heavy: sets of modules do not flake, as times do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "torch", "numpy", "pandas", "networkx", "optuna", "fvcore", "jinja2", "plotly", "sklearn",
    "scipy",
}  # fmt: skip
ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "args",
    [
        ["analyze", "vgg16"],
        ["analyze", "densenet121", "--format", "json"],
        ["compare", "vgg16", "resnet50", "--format", "markdown"],
        ["analyze", "resnet18", "--count", "ptflops"],
        ["analyze", "resnet18", "--fused"],
        ["analyze", "resnet50", "--predict"],
        ["analyze", "resnet50", "--latency", "rtx4090"],
        ["device", "list"],
        ["plugins"],
        ["compare", "resnet50", "lenet5", "--recipe", "a1_in1k"],
        ["export", "no_such_network", "-o", "net.py"],
        ["reconcile", "resnet18", "--format", "markdown"],
        ["lint", "vgg16", "--exit-zero"],
        ["rule", "G1"],
        ["guidelines", "mobilenet_v2"],
        ["zoo", "--format", "csv"],
        ["ops"],
        ["schema"],
        ["bench", "no_such_network"],
        ["space", "mobile", "--samples", "10"],
        ["prune", "resnet18", "--groups"],
        ["prune", "resnet18", "--budget", "50%", "--importance", "random"],
        ["diff", "resnet18", "resnet34", "--format", "markdown"],
        ["data"],
        ["data", "no_such_data"],
        ["train", "--help"],
        ["quantize", "--help"],
        ["evaluate", "--help"],
        ["search", "--help"],
        ["search", "no_such_space"],
        ["search", "tiny", "--budget", "300M"],
        ["--help"],
        ["analyze", "no_such_network"],
    ],
)
def test_command_is_light(args: list[str]) -> None:
    code = (
        "import sys; from archscope.cli import main; main(sys.argv[1:]);"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, cwd=ROOT, check=True
    )
    loaded = set(result.stderr.splitlines()[-1].split())
    assert "archscope" in loaded
    assert not loaded & HEAVY


def test_names_of_data_sets_are_completed_without_torch() -> None:
    code = (
        "import sys; from click.shell_completion import ShellComplete;"
        "from archscope.cli.shared.app import archscope;"
        "shell = ShellComplete(archscope, {}, 'archscope', '_X');"
        "print(*[item.value for item in shell.get_completions(['train', '--data'], 'd')]);"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    names, modules = result.stdout.splitlines()
    assert names == "digits"
    assert not {*modules.split()} & HEAVY


def test_the_version_is_shown_without_the_analysis() -> None:
    code = (
        "import sys; from archscope.cli import main; main(['--version']);"
        "print(*sys.modules, file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    from importlib.metadata import version

    assert f"torch {version('torch')}, " in result.stdout
    assert not {"archscope.ir", "msgspec", "importlib.metadata"} & {*result.stderr.split()}


def test_public_names() -> None:
    import archscope

    assert archscope.__all__ == sorted(archscope.__all__)
    assert all(hasattr(archscope, name) for name in archscope.__all__)
    modules = {path.stem for path in (ROOT / "archscope").iterdir()}
    for name in modules & set(archscope.__all__):
        public = getattr(archscope, name)
        assert public is sys.modules[f"archscope.{name}"], f"{name} hides a module"
        assert callable(public)

"""Without its extras archscope analyses, lints and reports; what needs one says how to get it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from archscope.extras import EXTRAS, advice

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OPTIONAL = {package for extra in EXTRAS.values() for package in extra.packages}


def names(requirements: list[str]) -> set[str]:
    """Return the normalised names of distributions."""
    return {
        re.split(r"[^\w.-]", text)[0].lower().replace("_", "-").replace(".", "-")
        for text in requirements
    }


def distributions(package: str) -> set[str]:
    return {name.lower().replace("_", "-") for name in packages_distributions().get(package, ())}


def imported() -> set[str]:
    """Return the top-level packages that archscope imports, anywhere."""
    found = set()
    for path in (ROOT / "archscope").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - {"archscope"} - sys.stdlib_module_names


PEERS = {"openvino", "ptflops", "thop", "torchinfo", "torchprofile", "torchvision"}
"""What is run only where it is installed, and a package whose operators are known without it."""


def test_every_package_is_installed_by_default_or_by_an_extra() -> None:
    base = names(PROJECT["dependencies"])
    for package in imported() - PEERS:
        if package in OPTIONAL:
            assert not distributions(package) & base, f"{package} has an extra and comes anyway"
        else:
            assert distributions(package) & base, f"{package} is imported and never installed"


@pytest.mark.parametrize("name", EXTRAS)
def test_an_extra_brings_its_packages(name: str) -> None:
    brought = names(PROJECT["optional-dependencies"][name])
    for package in EXTRAS[name].packages:
        assert distributions(package) & brought, f"'{name}' does not install {package}"
    everything = " ".join(PROJECT["optional-dependencies"]["all"])
    assert name in re.findall(r"\w+", everything) or name == "space", "space is in torch"


@pytest.mark.parametrize(
    "words, product, extra",
    [
        ("train lenet5 --data digits", "PyTorch", "torch"),
        ("train lenet5 --data digits -q --runs-dir r", "PyTorch", "torch"),
        ("evaluate some-run", "PyTorch", "torch"),
        ("evaluate lenet5 --weights w.pt --data digits", "PyTorch", "torch"),
        ("data digits", "PyTorch", "torch"),
        ("data synthetic", "PyTorch", "torch"),
        ("recipes", "PyTorch", "torch"),
        ("bench lenet5", "PyTorch", "torch"),
        ("verify lenet5", "PyTorch", "torch"),
        ("build lenet5", "PyTorch", "torch"),
        ("export lenet5 -o net.py", "PyTorch", "torch"),
        ("analyze torchvision.models:resnet18", "PyTorch", "torch"),
        ("search", "Optuna", "search"),
        ("space tiny --budget 10MMACs", "NumPy and SciPy", "space"),
        ("draw lenet5 -o net.png", "resvg", "png"),
        ("plot pareto lenet5 alexnet -o front.svg", "matplotlib", "plot"),
    ],
)
def test_what_needs_an_extra_says_what_to_type(
    words: str, product: str, extra: str, tmp_path: Path
) -> None:
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({sorted(OPTIONAL)}));"
        "from archscope.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *words.split()], capture_output=True, text=True, cwd=tmp_path
    )
    command = words.split()[0]
    expected = f"error: 'archscope {command}' needs {product}: pip install 'archscope[{extra}]'\n"
    assert (result.returncode, result.stdout, result.stderr) == (2, "", expected)
    assert not list(tmp_path.iterdir())


def test_an_import_that_fails_otherwise_is_our_mistake() -> None:
    assert advice(ImportError("cannot import name 'x' from 'torch'", name="torch"), "train") is None
    assert advice(ModuleNotFoundError("No module named 'yaml'", name="yaml"), "train") is None

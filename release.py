"""The packages of a release: tried in an empty environment, and checked before the tag is set.

`python release.py try dist/*` and `python release.py check`.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent
LARGEST = 100
"""MiB on disk that an environment with nothing but archscope may take."""
COMMANDS = (
    ("analyze", "vgg16"),
    ("lint", "vgg16", "--exit-zero"),
    ("compare", "resnet50", "mobilenet_v2"),
    ("space", "tiny"),
    ("report", "vgg16", "resnet50", "-o", "page.html"),
)
"""What works without any extra."""
HEAVY = ("torch", "numpy", "scipy", "sklearn", "optuna", "pandas", "networkx", "fvcore", "plotly")
ADVICE = {
    ("train", "lenet5"): "'archscope train' needs PyTorch: pip install 'archscope[torch]'",
    ("search",): "'archscope search' needs Optuna: pip install 'archscope[search]'",
    ("space", "tiny", "-b", "9MMACs"): "needs NumPy and SciPy: pip install 'archscope[space]'",
}
"""What some commands say of the extra that they need."""


def try_package(package: Path) -> None:
    """Install a wheel or a source distribution into an empty environment, and use it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        binaries = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
        pip = [binaries / "python", "-m", "pip", "--disable-pip-version-check"]
        constraint = ["--constraint", ROOT / "constraints.txt"]
        subprocess.run([*pip, "install", "--quiet", *constraint, package.resolve()], check=True)
        paths = [path.lstat() for path in (folder / "venv").rglob("*")]
        megabytes = sum(getattr(path, "st_blocks", path.st_size // 512) for path in paths) / 2048
        installed = {path.name for path in (folder / "venv").glob("lib/*/site-packages/*")}
        archscope = [str(binaries / "archscope")]
        for words in COMMANDS:
            subprocess.run([*archscope, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        for words, advice in ADVICE.items():
            said = subprocess.run(
                [*archscope, *words], cwd=folder, check=False, capture_output=True, text=True
            )
            _require(said.returncode == 2 and advice in said.stderr, f"{words}: {said.stderr}")
        page = (folder / "page.html").stat().st_size / 1e6
    _require(not installed & set(HEAVY), f"{package.name} brings {installed & set(HEAVY)}")
    _require(megabytes < LARGEST, f"{package.name} takes {megabytes:.0f} MiB")
    print(f"{package.name}: {megabytes:.0f} MiB with pip, page of {page:.1f} MB")


def check() -> None:
    """Fail unless version, changelog, manual, working tree and addresses are ready for a tag.

    The changelog may begin with an empty "Unreleased".
    """
    source = (ROOT / "archscope" / "__init__.py").read_text(encoding="utf-8")
    (version,) = re.findall(r'^__version__ = "(.*)"', source, re.MULTILINE)
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    changelog = re.sub(r"^## \[Unreleased\]\s+(?=## )", "", changelog, flags=re.MULTILINE)
    newest = re.findall(r"^## \[(.*?)\]", changelog, re.MULTILINE)[0]
    _require(newest == version, f"CHANGELOG.md begins with {newest}, the version is {version}")
    _require(f"## [{version}] - 2" in changelog, f"CHANGELOG.md has no date for {version}")
    quoted = re.findall(r"\bv\d+\.\d+\.\d+", (ROOT / "docs" / "ci.md").read_text(encoding="utf-8"))
    _require({*quoted} == {f"v{version}"}, f"docs/ci.md names {quoted}, the version is {version}")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    _require("urls" in project, "pyproject.toml has no [project.urls]")
    _require(not _git("status", "--porcelain"), "the working tree has changes")
    _require(f"v{version}" not in _git("tag").split(), f"there is a tag v{version} already")
    print(f"ready: git tag v{version} && git push origin v{version}")


def _git(*words: str) -> str:
    return subprocess.check_output(["git", *words], cwd=ROOT, text=True)


def _require(holds: bool, reason: str) -> None:
    if not holds:
        raise SystemExit(f"error: {reason}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["try", *packages] if packages:
            for each in packages:
                try_package(Path(each))
        case ["check"]:
            check()
        case _:
            raise SystemExit(__doc__)

"""The wheel holds all that a user needs, the zoo with it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_zoo_ships_inside_the_wheel(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    specs = site / "archscope" / "specs"
    shipped = {path.relative_to(specs) for path in specs.rglob("*.yaml")}
    ours = {path.relative_to(ROOT / "specs") for path in (ROOT / "specs").rglob("*.yaml")}
    assert shipped == ours
    assert (site / "archscope" / "train" / "recipes" / "brief.yaml").is_file()
    # -P keeps the checkout, if that is where tests run, out of the way of the wheel.
    result = subprocess.run(
        [sys.executable, "-P", "-m", "archscope", "analyze", "resnet50", "--format", "json"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert '"params": 25557032' in result.stdout
    assert str(site) in result.stdout, "the spec came from somewhere else"

"""The files that other projects' CI reads: the action of GitHub, the hooks of pre-commit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.test_revisions import git

ROOT = Path(__file__).parents[1]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS = {step.get("name", step.get("uses")): step for step in ACTION["runs"]["steps"]}
NET = "input: [3, 8, 8]\nlayers:\n- conv: {out: %d}\n- relu\n"


def run_step(name: str, folder: Path, **values: str) -> tuple[int, str, dict[str, str]]:
    """Run the script of a step; return its exit code, what it printed, and its outputs."""
    output, summary = folder / "output", folder / "summary"
    output.write_text("")
    summary.write_text("")
    step: dict[str, Any] = STEPS[name]
    scripts = folder / "bin"
    scripts.mkdir(exist_ok=True)
    tool = scripts / "archscope"
    tool.write_text('#!/bin/sh\nexec python -m archscope "$@"\n')
    tool.chmod(0o755)
    environment = {
        **os.environ, **dict.fromkeys(step.get("env", {}), ""), **values,
        "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary),
        "RUNNER_TEMP": str(folder), "PYTHONPATH": str(ROOT),
        "PATH": f"{scripts}:{Path(sys.executable).parent}:{os.environ['PATH']}",
    }  # fmt: skip
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", step["run"]], cwd=folder / "clone", env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    pairs = dict(line.split("=", 1) for line in output.read_text().splitlines())
    return done.returncode, done.stdout + done.stderr, pairs


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose spec is wider than on the base branch."""
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "-q", "-b", "main")
    (origin / "a.yaml").write_text(NET % 4)
    git(origin, "add", ".")
    git(origin, "commit", "-q", "-m", "base")
    git(tmp_path, "clone", "-q", "origin", "clone")
    (tmp_path / "clone" / "a.yaml").write_text(NET % 6)
    (tmp_path / "clone" / "b.yaml").write_text(NET % 5)
    git(tmp_path / "clone", "add", ".")
    return tmp_path


def test_what_a_pull_request_changes_is_one_table(clone: Path) -> None:
    values = {"SPECS": "*.yaml", "BASE": "main"}
    code, text, outputs = run_step("Compare with the base branch", clone, **values)
    assert (code, outputs["code"]) == (0, "0"), text
    table = Path(outputs["table"]).read_text(encoding="utf-8")
    assert "### `a.yaml`" in table and "out 4 -> 6" in table
    assert "### `b.yaml`" in table, "a new spec is there, too"
    assert (clone / "summary").read_text() == table
    values["CHANGES"] = "\nmacs=+5%\nparams=+1K\n"
    code, text, outputs = run_step("Compare with the base branch", clone, **values)
    assert (code, outputs["code"]) == (0, "1")
    assert "over the allowed change: macs" in Path(outputs["table"]).read_text(encoding="utf-8")
    values = {"SPECS": "*.yaml", "BASE": "main", "LIMITS": "--max-params 10"}
    assert run_step("Compare with the base branch", clone, **values)[2]["code"] == "1"


def test_lint_leaves_sarif(clone: Path) -> None:
    code, text, outputs = run_step("Lint", clone, SPECS="*.yaml", WORDS="--severity error")
    assert (code, outputs["code"]) == (0, "0"), text
    assert "sarif" in (clone / "clone" / "archscope.sarif").read_text()
    code, text, _ = run_step("Lint", clone, SPECS="*.nothing", WORDS="")
    assert (code, "no spec is called so" in text) == (2, True)


def test_every_input_is_used_and_every_script_parses() -> None:
    text = (ROOT / "action.yml").read_text()
    assert all(f"inputs.{name}" in text for name in ACTION["inputs"])
    for step in STEPS.values():
        if "run" in step:
            subprocess.run(["bash", "-n", "-c", step["run"]], check=True)


def test_hooks_name_commands() -> None:
    for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text()):
        assert {"id", "name", "entry", "language", "files"} <= hook.keys()
        assert hook["entry"].split()[:2] == ["archscope", "lint"]

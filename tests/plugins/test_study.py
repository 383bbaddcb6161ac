"""Whole searches by the plug-ins of the manual: its sampler, on its operator and its images."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.plugins.conftest import Write
from tests.search.test_search import trials

SPACE = """
input: [1, 16, 16]
layers:
  - conv: {out: !int {low: 2, high: 8}, kernel: !choice [1, 3, 5], stride: !choice [1, 2]}
  - star_relu
  - global_avgpool
  - flatten
  - linear: 2
"""
WORDS = ("search", "space.yaml", "--sampler", "climb", "--data", "halves", "--trials", "6",
         "--epochs", "1", "--images", "40", "--resolution", "16", "--control", "0.2", "--top", "1",
         "--seeds", "1", "--stretch", "1", "--no-cache", "-q")  # fmt: skip


@pytest.fixture
def place(project: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", os.fspath(Path(__file__).parents[2]))
    project("space.yaml", SPACE)
    return tmp_path / "studies"


def test_a_study_by_a_sampler_of_a_plugin(place: Path, run: Run) -> None:
    for name, workers in (("alone", "1"), ("pair", "2")):
        result = run(*WORDS, "-j", workers, "--name", name)
        assert (result.code, result.err) == (0, ""), result.err
    rows = trials(place / "alone")
    assert rows == trials(place / "pair"), "workers decide nothing"
    climbed = [row for row in rows if row["origin"] == "climb"]
    assert climbed and all(row["outcome"] == "trained" for row in climbed)

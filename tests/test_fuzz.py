"""A few of the mutated files and specs that `python -m tests.fuzz` tries by the thousand."""

from __future__ import annotations

from math import inf
from pathlib import Path

import pytest

from tests import fuzz


def test_mutated_onnx_files(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="needs archscope[onnx]")
    outcome = fuzz.run(fuzz.onnx_cases(0, 60, 0, tmp_path), seconds=inf)
    assert outcome.failures == []
    assert outcome.taken
    assert outcome.refused


def test_mutated_specs() -> None:
    outcome = fuzz.run(fuzz.spec_cases(0, 60, 0), seconds=inf)
    assert outcome.failures == []
    assert outcome.taken
    assert outcome.refused


def test_failures_are_found() -> None:
    def broken() -> None:
        raise ZeroDivisionError

    outcome = fuzz.run(iter([broken]), first=7)
    assert outcome.failures[0].startswith("case 7: ")
    assert "ZeroDivisionError" in outcome.failures[0]

"""A few of the inputs of the fuzzer, which is run with many by hand."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.fuzz_commands import Case, command_lines, mutated_specs, problem_of

CASES = (*command_lines(Random(1), 25), *mutated_specs(Random(1), 25))


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARCHSCOPE_CACHE", str(tmp_path))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.words[0])
def test_no_input_raises_an_exception(case: Case) -> None:
    assert not problem_of(case)


def test_an_exception_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archscope.cli.schema.schema", lambda: 1 / 0)
    assert "ZeroDivisionError" in problem_of(Case(("schema",)))
    assert not problem_of(Case(("analyze", "no_such_network")))

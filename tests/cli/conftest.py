"""A command line to call, in this process: quick, with exit code and both outputs."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from archscope.cli import main


class Result(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Result]
Train = Callable[..., Path]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def call(*args: str, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        code = main(args)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def train(run: Run, tmp_path: Path) -> Train:
    def call(spec: str, *words: str) -> Path:
        """Train a network on digits for an epoch, and return its run."""
        common = ("--data", "digits", "--epochs", "1", "--no-look", "-q", "--name", "net")
        result = run("train", spec, *common, *words, "--runs-dir", str(tmp_path / "runs"))
        assert result.code == 0, result.err
        return tmp_path / "runs" / "net"

    return call

"""Fixtures: a separate cache, a known machine, and a clock that tests advance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archscope.bench import roofline
from archscope.bench.machine import Machine, this_machine
from archscope.bench.roofline import Roofline
from tests.cli.conftest import run

__all__ = ["run"]


class Clock:
    """Stands still but for what is added, and a step each time someone looks."""

    def __init__(self, step: float = 0.0) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now

    def taking(self, seconds: float, log: list[str] | None = None, name: str = "") -> Callable:
        """Return a call that takes so long."""

        def call() -> None:
            self.now += seconds
            if log is not None:
                log.append(name)

        return call


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("ARCHSCOPE_CACHE", str(folder))
    return folder


@pytest.fixture
def known_machine() -> Roofline:
    """Put a roofline of this machine into the cache, so that none is measured."""
    roof = roofline_of(this_machine("cpu"), threads=1)
    roofline.keep(roof)
    return roof


def roofline_of(place: Machine, threads: int = 1, **numbers: float) -> Roofline:
    figures = {"gmacs": 50.0, "gbytes": 20.0, "overhead": 5e-6, **numbers}
    return Roofline(
        place, "float32", threads, figures["gmacs"], figures["gbytes"], figures["overhead"], 0.0
    )

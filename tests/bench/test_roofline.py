from __future__ import annotations

import pytest
import torch

from archscope.bench import roofline as rooflines
from archscope.bench.machine import this_machine
from archscope.bench.roofline import LARGEST, measure_roofline
from archscope.errors import UnavailableError
from tests.bench.conftest import Clock

PLACE = this_machine("cpu")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooflines, "ARRAY_BYTES", 4096)


def test_figures_of_a_clock_that_ticks() -> None:
    # Every call takes one tick: long enough, so that the smallest product is the only one.
    found = measure_roofline(PLACE, threads=1, seconds=0, clock=Clock(0.1))
    assert found.gmacs_per_second == pytest.approx(256**3 / 0.1 / 1e9)
    assert found.gbytes_per_second == pytest.approx(3 * 4096 / 0.1 / 1e9)
    assert found.overhead_seconds == pytest.approx(0.1)
    assert found.ridge == pytest.approx(found.gmacs_per_second / found.gbytes_per_second)


def test_the_best_size_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    seconds = {256: 0.001, 512: 0.004, 1024: 0.02}

    def fastest(call: object, *rest: object) -> float:
        sizes.append(call.args[0].shape[0])  # type: ignore[attr-defined]
        return seconds[sizes[-1]]

    monkeypatch.setattr(rooflines, "_fastest", fastest)
    rate = rooflines._matmul(PLACE, "float32", 0, Clock())
    assert sizes == [256, 512, 1024]
    assert max(sizes) <= LARGEST
    assert rate == pytest.approx(1024**3 / 0.02)


def test_a_machine_that_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    for load, busy in ((0.0, False), (100.0 * PLACE.cores, True)):
        monkeypatch.setattr(rooflines.psutil, "getloadavg", lambda load=load: (load, 0, 0))
        found = measure_roofline(PLACE, seconds=0, clock=Clock(0.1))
        assert (found.load, PLACE.busy(found.load)) == (load, busy)


def test_a_dtype_that_torch_cannot_multiply(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **words: object) -> None:
        raise RuntimeError("not implemented for 'Half'\ndetails")

    monkeypatch.setattr(torch, "mm", refuse)
    with pytest.raises(UnavailableError, match="cannot measure float16 on cpu: not implemented"):
        measure_roofline(PLACE, "float16", seconds=0, clock=Clock(0.1))

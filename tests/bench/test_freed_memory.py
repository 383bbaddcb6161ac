from __future__ import annotations

import pytest
import torch

from archscope.bench import freed_memory
from archscope.bench.freed_memory import keep_freed_memory

resource = pytest.importorskip("resource", reason="the system counts no page faults")
glibc = pytest.mark.skipif(freed_memory._glibc() is None, reason="the C library is not glibc")


def faults(times: int = 10) -> int:
    """Return the pages that were fetched while 16 MiB were taken and given up again."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.empty(4 * 2**20).fill_(1.0)
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)


@glibc
def test_freed_memory_is_not_fetched_again_page_by_page() -> None:
    with keep_freed_memory():
        faults(30)  # until the heap is large enough
        assert faults() < 16 * 2**20 // 4096  # not even those of one time


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freed_memory, "_glibc", lambda: None)
    with keep_freed_memory():
        pass


def test_a_system_without_such_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: object) -> None:
        raise TypeError

    monkeypatch.setattr(freed_memory.ctypes, "CDLL", missing)
    assert freed_memory._glibc() is None

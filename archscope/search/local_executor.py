"""Candidates trained by processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import queue
import time
from concurrent.futures import CancelledError
from typing import Any

from msgspec import structs
from pebble import ProcessExpired, ProcessPool

from archscope.ir import Graph
from archscope.records.study import Job, TrialResult
from archscope.search.evaluation import Trainer, Work, judge


class LocalJudge:
    """Trains in so many processes; one that crashes or takes too long fails its trial alone."""

    def __init__(
        self,
        trainer: Trainer,
        workers: int = 1,
        *,
        seconds: float | None = None,
        bytes_: int | None = None,
        work: Work = judge,
    ) -> None:
        """Take limits of one trial: its time, and the memory of its process (not on Windows)."""
        self.trainer, self.seconds, self.work = trainer, seconds, work
        self.began = time.perf_counter()
        self.answers: queue.Queue[TrialResult] = queue.Queue()
        self.pool = ProcessPool(
            max_workers=workers,
            context=multiprocessing.get_context("spawn"),
            initializer=_prepare,
            initargs=(trainer.threads, bytes_),
        )

    def submit(self, job: Job, graph: Graph) -> None:
        """Give a job to the next free process."""
        began = time.perf_counter() - self.began
        future = self.pool.schedule(self.work, args=(self.trainer, job), timeout=self.seconds)
        future.add_done_callback(lambda done: self.answers.put(self._verdict(job, done, began)))

    def collect(self) -> TrialResult:
        """Return the next verdict, whichever comes first."""
        while True:
            try:
                return self.answers.get(timeout=0.2)  # so that Ctrl-C is heard
            except queue.Empty:
                continue

    def close(self, at_once: bool = False) -> None:
        """End the processes, after their work or at once."""
        if at_once:
            self.pool.stop()  # type: ignore[no-untyped-call]
        else:
            self.pool.close()  # type: ignore[no-untyped-call]
        self.pool.join()

    def _verdict(self, job: Job, future: Any, began: float) -> TrialResult:
        try:
            verdict: TrialResult = structs.replace(future.result(), started=began)
            return verdict
        except TimeoutError:
            reason = f"took longer than {self.seconds:g} s"
        except ProcessExpired as error:
            reason = f"its process died with exit code {error.exitcode}"
        except CancelledError:
            reason = "cancelled"
        except MemoryError:
            reason = "out of memory"
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        return TrialResult(job.number, "failed", reason=reason, started=began)


def _prepare(threads: int, bytes_: int | None) -> None:
    """Get a process ready: its threads and its memory; Ctrl-C is for the parent."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    if bytes_ is not None:
        try:
            import resource
        except ImportError:  # Windows
            return
        resource.setrlimit(resource.RLIMIT_DATA, (bytes_, bytes_))

"""The executor that trains candidates in processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import queue
import shutil
import time
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any

from msgspec import structs
from pebble import ProcessExpired, ProcessPool

from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.records.study import Job, TrialResult
from archscope.search.evaluation import Evaluate, Trainer, evaluate
from archscope.search.executor import RETRIES, Running, check_deadline, lost


class LocalExecutor:
    """Trains in a pool of processes; a training that takes too long fails its trial only.

    A training whose process dies is restarted once.
    """

    def __init__(
        self,
        trainer: Trainer,
        workers: int = 1,
        *,
        seconds: float | None = None,
        memory_bytes: int | None = None,
        evaluate: Evaluate = evaluate,
    ) -> None:
        """Take the limits of a training: seconds, and bytes of memory (not on Windows)."""
        self.trainer, self.seconds, self.evaluate = trainer, seconds, evaluate
        self.workers = workers
        self.deadline: float | None = None
        self.futures: set[Any] = set()  # jobs without a result
        self.began = time.perf_counter()
        self.results: queue.Queue[TrialResult] = queue.Queue()
        self.pool = ProcessPool(
            max_workers=workers,
            context=multiprocessing.get_context("spawn"),
            initializer=_initialize,
            initargs=(trainer.threads, memory_bytes),
        )

    def submit(self, job: Job, graph: Graph) -> None:
        """Queue a job for the next free process. Raises OptionError if no process starts."""
        try:
            self._start(Running(job, self.trainer, time.perf_counter() - self.began), self.results)
        except RuntimeError as error:
            raise OptionError(
                f"no process starts that trains ({error}); a script must call search within"
                " `if __name__ == '__main__':`, because each process imports the script again"
            ) from None

    def collect(self) -> TrialResult:
        """Wait for the next result and return it. Raises DeadlineError."""
        while True:
            try:
                return self.results.get(timeout=0.2)  # lets Ctrl-C through
            except queue.Empty:
                check_deadline(self.deadline)

    def cancel(self) -> None:
        """Stop and drop all jobs without a result."""
        self.results = queue.Queue()
        for future in list(self.futures):
            future.cancel()

    def close(self, at_once: bool = False) -> None:
        """End the processes, after the queued jobs or at once."""
        if at_once:
            self.pool.stop()  # type: ignore[no-untyped-call]
        else:
            self.pool.close()  # type: ignore[no-untyped-call]
        self.pool.join()

    def _start(self, running: Running, results: queue.Queue[TrialResult]) -> None:
        """Queue a job; `cancel` creates a new queue of results."""
        job = running.job

        def done(future: Any) -> None:
            self.futures.discard(future)
            died = not future.cancelled() and isinstance(future.exception(), ProcessExpired)
            if died and running.losses < RETRIES and results is self.results:
                if job.keep is not None:  # remove the incomplete run
                    shutil.rmtree(job.keep, ignore_errors=True)
                with suppress(RuntimeError):  # the pool has been closed
                    self._start(running.again(), results)
                    return
            results.put(self._result(job, future, running.began))

        # Not `self.trainer`, which may already be that of a later job.
        future = self.pool.schedule(
            self.evaluate, args=(running.trainer, job), timeout=self.seconds
        )
        self.futures.add(future)
        future.add_done_callback(done)

    def _result(self, job: Job, future: Any, began: float) -> TrialResult:
        try:
            result: TrialResult = structs.replace(future.result(), started=began)
            return result
        except TimeoutError:
            reason = f"took longer than {self.seconds:g} s"
        except ProcessExpired as error:
            reason = lost(RETRIES + 1, f"at last with exit code {error.exitcode}")
        except CancelledError:
            reason = "cancelled"
        except MemoryError:
            reason = "out of memory"
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        return TrialResult(job.number, "failed", reason=reason, started=began)


def _initialize(threads: int, memory_bytes: int | None) -> None:
    """Set the threads and the memory limit of a process, and leave Ctrl-C to its parent."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    if memory_bytes is not None:
        try:
            import resource
        except ImportError:  # Windows
            return
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))

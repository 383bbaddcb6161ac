"""The executor that trains candidates on a Ray cluster."""

from __future__ import annotations

import io
import logging
import shutil
import socket
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from archscope import __version__
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.records.study import Job, TrialResult
from archscope.search.evaluation import Evaluate, Trainer, evaluate, graph_of
from archscope.search.executor import RETRIES, Running, check_deadline, lost
from archscope.search.local_executor import LocalExecutor

TIMEOUT = 5.0  # seconds to connect to the cluster


class RayExecutor:
    """Trains as many candidates in parallel as the cluster has processors for.

    If a machine is lost, its trainings restart on others. All machines need the same version of
    archscope, and the images at the same path.
    """

    def __init__(
        self,
        trainer: Trainer,
        address: str | None = None,
        *,
        seconds: float | None = None,
        memory_bytes: int | None = None,
        evaluate: Evaluate = evaluate,
    ) -> None:
        """Take the address of the cluster and the limits of a training. Raises OptionError."""
        self.ray = connect(address)
        self.trainer, self.evaluate = trainer, evaluate
        self.workers = max(1, capacity(trainer.threads))
        self.deadline: float | None = None
        self.limits = seconds, memory_bytes
        self.began = time.perf_counter()
        self.task = self.ray.remote(_task).options(num_cpus=trainer.threads, max_retries=0)
        self.running: dict[Any, Running] = {}  # by the reference to the result

    def submit(self, job: Job, graph: Graph) -> None:
        """Queue a job on the cluster."""
        self._start(Running(job, self.trainer, time.perf_counter() - self.began))

    def collect(self) -> TrialResult:
        """Wait for the next result and return it. Raises DeadlineError."""
        while True:
            done, _ = self.ray.wait(list(self.running), timeout=0.2)  # so that Ctrl-C gets through
            for reference in done:
                result = self._result(reference, self.running.pop(reference))
                if result is not None:
                    return result
            check_deadline(self.deadline)

    def cancel(self) -> None:
        """Stop and drop all jobs without a result."""
        for reference in self.running:
            self.ray.cancel(reference, force=True)
        self.running.clear()

    def close(self, at_once: bool = False) -> None:
        """Cancel running jobs; the connection stays open for the next executor."""
        self.cancel()

    def _start(self, running: Running) -> None:
        reference = self.task.remote(self.evaluate, running.trainer, running.job, *self.limits)
        self.running[reference] = running

    def _result(self, reference: Any, running: Running) -> TrialResult | None:
        """Return the result of a task, or None if it had to be restarted."""
        from ray import exceptions

        losses = (exceptions.NodeDiedError, exceptions.WorkerCrashedError,
                  exceptions.ObjectLostError, exceptions.LocalRayletDiedError)  # fmt: skip
        try:
            answer: _Answer = self.ray.get(reference)
        except losses:
            if running.losses < RETRIES:
                self._start(running.again())
                return None
            reason = lost(RETRIES + 1)
        except exceptions.OutOfMemoryError:
            reason = "out of memory"
        except exceptions.RayError as error:
            reason = f"{type(error).__name__}: {str(error).strip().splitlines()[-1]}"
        else:
            if answer.version == __version__:
                if running.job.keep is not None and answer.run is not None:
                    _unpack(answer.run, Path(running.job.keep))
                return structs.replace(answer.result, started=running.began)
            reason = f"a machine of the cluster has archscope {answer.version}, not {__version__}"
        return TrialResult(running.job.number, "failed", reason=reason, started=running.began)


class _Answer(Struct, frozen=True):
    """The answer of another machine."""

    version: str
    result: TrialResult
    run: bytes | None  # the run folder, as a tar file


def connect(address: str | None = None) -> Any:
    """Return Ray, connected to the cluster at an address, or to that of this machine.

    Raises OptionError if no cluster answers.
    """
    import ray

    if ray.is_initialized():
        return ray
    _check_address(address)
    try:
        ray.init(address or "auto", log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        if address is None:
            raise OptionError(
                "no Ray cluster runs on this machine; start one by 'ray start --head', or name"
                " another by --address"
            ) from None
        said = (str(error).strip().splitlines() or ["it does not answer as one"])[0]
        raise OptionError(f"--address: no Ray cluster at '{address}': {said}") from None
    return ray


def capacity(threads: int) -> int:
    """Return how many trainings with this number of threads the cluster can run in parallel."""
    import ray

    return int(ray.cluster_resources().get("CPU", 0)) // threads  # type: ignore[no-untyped-call]


def _check_address(address: str | None) -> None:
    """Raise OptionError if nothing listens at the address; Ray itself would wait for a minute."""
    if address is None or address in ("auto", "local"):
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        raise OptionError(
            f"--address: expected HOST:PORT, such as 10.0.0.7:6379, or ray://HOST:PORT; got"
            f" '{address}'"
        )
    try:
        socket.create_connection((host, int(port)), TIMEOUT).close()
    except (OSError, OverflowError) as error:
        raise OptionError(f"--address: nothing answers at {host}:{port}: {error}") from None


def _task(
    evaluate: Evaluate, trainer: Trainer, job: Job, seconds: float | None, memory_bytes: int | None
) -> _Answer:
    """Train on a machine of the cluster, and return the result with the run folder, if kept."""
    if job.keep is None:
        return _Answer(__version__, _limited(evaluate, trainer, job, seconds, memory_bytes), None)
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / Path(job.keep).name
        here = structs.replace(job, keep=kept.as_posix())
        result = _limited(evaluate, trainer, here, seconds, memory_bytes)
        return _Answer(__version__, result, _pack(kept) if kept.is_dir() else None)


def _limited(
    evaluate: Evaluate, trainer: Trainer, job: Job, seconds: float | None, memory_bytes: int | None
) -> TrialResult:
    """Train in this process or, if there are limits, in a child process."""
    if seconds is None and memory_bytes is None:
        return evaluate(trainer, job)
    inner = LocalExecutor(trainer, seconds=seconds, memory_bytes=memory_bytes, evaluate=evaluate)
    try:
        inner.submit(job, graph_of(job))
        return inner.collect()
    finally:
        inner.close(at_once=True)


def _pack(folder: Path) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(folder, arcname=".")
    return packed.getvalue()


def _unpack(packed: bytes, folder: Path) -> None:
    """Write a run folder, whole or not at all."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        whole = Path(temporary) / folder.name
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(whole, filter="data")
        shutil.move(whole, folder)

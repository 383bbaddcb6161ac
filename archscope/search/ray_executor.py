"""Candidates trained by the machines of a Ray cluster."""

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
from archscope.search.evaluation import Trainer, Work, graph_of, judge
from archscope.search.local_executor import LocalJudge

RETRIES = 3
"""How often a training starts again because its machine was lost."""

PATIENCE = 5.0  # seconds until a machine that does not answer is given up


class RayJudge:
    """Trains on a cluster, as many at once as it has processors for.

    A training whose machine is lost begins anew on another. Machines need the archscope of this
    one, and the images at the same place.
    """

    def __init__(
        self,
        trainer: Trainer,
        address: str | None = None,
        *,
        seconds: float | None = None,
        bytes_: int | None = None,
        work: Work = judge,
    ) -> None:
        """Take the cluster's address and limits of one trial. Raises OptionError."""
        self.ray = connect(address)
        self.trainer, self.limits, self.work = trainer, (seconds, bytes_), work
        self.began = time.perf_counter()
        self.task = self.ray.remote(_task).options(num_cpus=trainer.threads, max_retries=0)
        self.open: dict[Any, _Open] = {}

    def submit(self, job: Job, graph: Graph) -> None:
        """Give a job to the cluster."""
        self._start(_Open(job, time.perf_counter() - self.began))

    def collect(self) -> TrialResult:
        """Return the next verdict, whichever comes first."""
        while True:
            done, _ = self.ray.wait(list(self.open), timeout=0.2)  # so that Ctrl-C is heard
            for one in done:
                verdict = self._verdict(one, self.open.pop(one))
                if verdict is not None:
                    return verdict

    def close(self, at_once: bool = False) -> None:
        """Give up what is still in work; the connection serves the next judge."""
        for one in self.open:
            self.ray.cancel(one, force=True)
        self.open.clear()

    def _start(self, one: _Open) -> None:
        self.open[self.task.remote(self.work, self.trainer, one.job, *self.limits)] = one

    def _verdict(self, reference: Any, one: _Open) -> TrialResult | None:
        """Return what a task came to, or None if it had to begin anew."""
        from ray import exceptions

        lost = (exceptions.NodeDiedError, exceptions.WorkerCrashedError,
                exceptions.ObjectLostError, exceptions.LocalRayletDiedError)  # fmt: skip
        try:
            answer: _Answer = self.ray.get(reference)
        except lost:
            if one.losses < RETRIES:
                self._start(structs.replace(one, losses=one.losses + 1))
                return None
            reason = f"its process or machine was lost {RETRIES + 1} times"
        except exceptions.OutOfMemoryError:
            reason = "out of memory"
        except exceptions.RayError as error:
            reason = f"{type(error).__name__}: {str(error).strip().splitlines()[-1]}"
        else:
            if answer.version == __version__:
                if one.job.keep is not None and answer.run is not None:
                    _unpack(answer.run, Path(one.job.keep))
                return structs.replace(answer.verdict, started=one.began)
            reason = f"a machine of the cluster has archscope {answer.version}, not {__version__}"
        return TrialResult(one.job.number, "failed", reason=reason, started=one.began)


class _Open(Struct, frozen=True):
    """A job without its verdict."""

    job: Job
    began: float
    losses: int = 0


class _Answer(Struct, frozen=True):
    """What comes back from another machine."""

    version: str
    verdict: TrialResult
    run: bytes | None  # the run folder, as a tar file


def connect(address: str | None = None) -> Any:
    """Return Ray, connected to a cluster: the one named, or that of this machine.

    Raises OptionError if Ray is not installed or no cluster answers.
    """
    try:
        import ray
    except ImportError:
        raise OptionError("Ray is not installed; pip install 'archscope[ray]'") from None
    if ray.is_initialized():
        return ray
    _knock(address)
    try:
        ray.init(address or "auto", log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        if address is None:
            raise OptionError(
                "no Ray cluster runs on this machine; 'ray start --head' starts one, --address"
                " names that of others"
            ) from None
        said = (str(error).strip().splitlines() or ["it does not answer as one"])[0]
        raise OptionError(f"--address: '{address}' is no Ray cluster: {said}") from None
    return ray


def room(threads: int) -> int:
    """Return how many trainings of so many threads the connected cluster does at once."""
    import ray

    return int(ray.cluster_resources().get("CPU", 0)) // threads  # type: ignore[no-untyped-call]


def _knock(address: str | None) -> None:
    """See that somebody listens, because Ray waits for a minute where nobody does."""
    if address is None or address in ("auto", "local"):
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        raise OptionError(
            f"--address: expected HOST:PORT, such as 10.0.0.7:6379, or ray://HOST:PORT; got"
            f" '{address}'"
        )
    try:
        socket.create_connection((host, int(port)), PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise OptionError(f"--address: nobody answers at {host}:{port}: {error}") from None


def _task(
    work: Work, trainer: Trainer, job: Job, seconds: float | None, bytes_: int | None
) -> _Answer:
    """Train on a machine of the cluster; a run folder goes back with the verdict."""
    if job.keep is None:
        return _Answer(__version__, _limited(work, trainer, job, seconds, bytes_), None)
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / Path(job.keep).name
        here = structs.replace(job, keep=kept.as_posix())
        verdict = _limited(work, trainer, here, seconds, bytes_)
        return _Answer(__version__, verdict, _pack(kept) if kept.is_dir() else None)


def _limited(
    work: Work, trainer: Trainer, job: Job, seconds: float | None, bytes_: int | None
) -> TrialResult:
    """Train here, or where limits are to be held, in a process of its own."""
    if seconds is None and bytes_ is None:
        return work(trainer, job)
    inner = LocalJudge(trainer, seconds=seconds, bytes_=bytes_, work=work)
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
    """Write a run folder whole, or not at all."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        whole = Path(temporary) / folder.name
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(whole, filter="data")
        shutil.move(whole, folder)

"""Trainings in local processes: any failure is a single failed trial."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from archscope.errors import OptionError
from archscope.records.study import Job, TrialResult
from archscope.search.evaluation import Trainer, graph_of
from archscope.search.executor import DeadlineError, train_all
from archscope.search.local_executor import LocalExecutor

SPEC = "name: one\ninput: [1, 4, 4]\nlayers: [flatten, {linear: 2}]\n"
GOOD, EXITS, KILLED, RAISES, HANGS, GREEDY = range(6)


def fate(trainer: Trainer, job: Job) -> TrialResult:
    """Evaluate a job as its number says."""
    if job.number == EXITS:
        os._exit(7)
    if job.number == KILLED:
        os.kill(os.getpid(), signal.SIGKILL)
    if job.number == RAISES:
        raise ValueError("no such luck")
    if job.number == HANGS:
        threading.Event().wait()
    if job.number == GREEDY:
        bytearray(1 << 40)
    return TrialResult(job.number, "trained", 1.0)


def dies_once(trainer: Trainer, job: Job) -> TrialResult:
    """Leave a part of a run and die, the first time."""
    begun = Path(trainer.folder or "") / "begun"
    kept = Path(job.keep or "")
    kept.mkdir()
    if not begun.exists():
        begun.touch()
        os._exit(7)
    return TrialResult(job.number, "trained", 1.0)


def test_a_training_whose_process_died_begins_once_again(tmp_path: Path) -> None:
    trainer = Trainer(data="none", folder=str(tmp_path))
    executor = LocalExecutor(trainer, evaluate=dies_once)
    job = Job(3, SPEC, "", keep=str(tmp_path / "run"))
    executor.submit(job, graph_of(job))
    assert executor.collect().outcome == "trained"
    executor.close()


def tells_its_seed(trainer: Trainer, job: Job) -> TrialResult:
    """Return the seed as the score; the job with a folder dies the first time."""
    result = dies_once(trainer, job) if job.keep else TrialResult(job.number, "trained")
    return structs.replace(result, score=float(trainer.seed))


def test_a_training_that_begins_again_keeps_its_own_trainer(tmp_path: Path) -> None:
    executor = LocalExecutor(Trainer(data="none"), evaluate=tells_its_seed)
    trainings = [
        (Trainer(data="none", folder=str(tmp_path), seed=1), str(tmp_path / "run")),
        (Trainer(data="none", seed=2), None),
    ]
    graph = graph_of(Job(0, SPEC, ""))
    results = train_all(executor, [(trainer, graph, keep) for trainer, keep in trainings])
    executor.close()
    assert [result and result.score for result in results] == [1.0, 2.0]


@pytest.fixture
def executor() -> Iterator[LocalExecutor]:
    made = LocalExecutor(
        Trainer(data="none"), workers=1, seconds=5, memory_bytes=1 << 34, evaluate=fate
    )
    yield made
    made.close(at_once=True)


def results(executor: LocalExecutor, *numbers: int) -> dict[int, TrialResult]:
    for number in numbers:
        job = Job(number, SPEC, "")
        executor.submit(job, graph_of(job))
    return {one.number: one for one in (executor.collect() for _ in numbers)}


@pytest.mark.parametrize(
    "number, said",
    [
        (EXITS, "its process or machine was lost 2 times, at last with exit code 7"),
        (RAISES, "ValueError: no such luck"),
        (HANGS, "took longer than 5 s"),
        pytest.param(
            KILLED, "its process or machine was lost 2 times, at last with exit code",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL"),
        ),
        pytest.param(
            GREEDY, "out of memory",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="no limit of memory"),
        ),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_one_failed_trial(
    executor: LocalExecutor, number: int, said: str
) -> None:
    found = results(executor, number, GOOD)
    assert found[number].outcome == "failed"
    assert said in found[number].reason
    assert found[GOOD].outcome == "trained"


def test_what_is_not_ready_at_the_deadline_is_cancelled(executor: LocalExecutor) -> None:
    hanging = Job(HANGS, SPEC, "")
    executor.submit(hanging, graph_of(hanging))
    executor.deadline = 0.0
    with pytest.raises(DeadlineError):
        executor.collect()
    executor.cancel()
    executor.deadline = None
    assert set(results(executor, GOOD)) == {GOOD}, "the result of the cancelled job is forgotten"


def test_a_pool_without_processes_is_one_clear_error() -> None:
    executor = LocalExecutor(Trainer(data="none"), evaluate=fate)
    executor.close(at_once=True)
    job = Job(GOOD, SPEC, "")
    with pytest.raises(OptionError, match="no process starts that trains"):
        executor.submit(job, graph_of(job))

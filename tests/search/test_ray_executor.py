"""Trainings on a Ray cluster of two machines, which are processes here."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archscope.errors import OptionError
from archscope.records.study import Job, TrialResult
from archscope.search.evaluation import Trainer, graph_of
from archscope.search.executor import RETRIES
from archscope.search.ray_executor import RayExecutor, connect
from tests.cli.conftest import Run
from tests.search.test_search import SPACE, WORDS, trials

ray = pytest.importorskip("ray", reason="needs archscope[ray]")
Cluster = pytest.importorskip("ray.cluster_utils").Cluster

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # Ray's own
    pytest.mark.xdist_group("ray"),
]
SPEC = "name: one\ninput: [1, 4, 4]\nlayers: [flatten, {linear: 2}]\n"
STORE = 80_000_000  # bytes of each node's object store, the least that Ray takes


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])
    made = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False, "object_store_memory": STORE},
    )
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SPACE, encoding="utf-8")


class Gate:
    """Where tasks say that they have begun, and wait until they may end."""

    def __init__(self) -> None:
        self.nodes: list[str] = []
        self.came, self.opened = asyncio.Event(), asyncio.Event()

    async def enter(self, node: str) -> None:
        self.nodes.append(node)
        self.came.set()
        await self.opened.wait()

    async def begun(self, many: int) -> list[str]:
        while len(self.nodes) < many:
            self.came.clear()
            await self.came.wait()
        return self.nodes

    async def open(self) -> None:
        self.opened.set()


def at_gate(trainer: Trainer, job: Job) -> TrialResult:
    """Evaluate a job when the test says so."""
    gate = ray.get_actor("gate")
    ray.get(gate.enter.remote(ray.get_runtime_context().get_node_id()))
    return TrialResult(job.number, "trained", 1.0)


def dying(trainer: Trainer, job: Job) -> TrialResult:
    """End the process."""
    os._exit(7)


def raising(trainer: Trainer, job: Job) -> TrialResult:
    """Raise an error."""
    raise ValueError("no such luck")


def submit(executor: RayExecutor, number: int) -> None:
    job = Job(number, SPEC, "")
    executor.submit(job, graph_of(job))


def test_what_a_lost_machine_did_is_done_by_another(cluster: Any) -> None:
    other = cluster.add_node(num_cpus=1, object_store_memory=STORE)
    executor = RayExecutor(Trainer(data="none"), cluster.address, evaluate=at_gate)
    head = ray.get_runtime_context().get_node_id()
    stay = {"num_cpus": 0, "name": "gate", "resources": {"node:__internal_head__": 0.001}}
    gate = ray.remote(Gate).options(**stay).remote()
    for number in range(2):
        submit(executor, number)
    begun = ray.get(gate.begun.remote(2))
    assert len(set(begun)) == 2
    cluster.remove_node(other, allow_graceful=False)
    ray.get(gate.open.remote())
    results = sorted((executor.collect() for _ in range(2)), key=lambda one: one.number)
    assert [result.outcome for result in results] == ["trained", "trained"]
    assert ray.get(gate.begun.remote(3))[2] == head
    ray.kill(gate)


@pytest.mark.parametrize(
    "evaluate, said",
    [(dying, f"its process or machine was lost {RETRIES + 1} times"), (raising, "no such luck")],
)
def test_a_crash_is_one_failed_trial(cluster: Any, evaluate: Any, said: str) -> None:
    executor = RayExecutor(Trainer(data="none"), cluster.address, evaluate=evaluate)
    submit(executor, 4)
    result = executor.collect()
    assert (result.number, result.outcome) == (4, "failed")
    assert said in result.reason


def test_a_study_is_the_same_on_a_cluster(cluster: Any, run: Run, tmp_path: Path) -> None:
    assert run(*WORDS, "--name", "here", "--no-cache", "-j", "1").code == 0
    there = run(*WORDS, "--name", "there", "--no-cache", "--executor", "ray", "--address",
                cluster.address, "--trial-time", "100s")  # fmt: skip
    assert there.code == 0, there.err
    assert trials(tmp_path / "studies/there") == trials(tmp_path / "studies/here")
    finals = [sorted(path.name for path in (tmp_path / f"studies/{name}/finals").glob("*/*"))
              for name in ("here", "there")]  # fmt: skip
    assert finals[0] == finals[1] != []


@pytest.mark.parametrize(
    "words, said",
    [
        (["--executor", "ray", "--address", "nowhere"], "expected HOST:PORT"),
        (["--executor", "ray", "--address", "127.0.0.1:1"], "nothing answers at 127.0.0.1:1"),
        (["--executor", "ray", "--workers", "2"], "a cluster knows its own processors"),
        (["--address", "127.0.0.1:1"], "--address needs --executor ray"),
    ],
)
def test_wrong_words(run: Run, words: list[str], said: str) -> None:
    ray.shutdown()
    result = run(*WORDS, *words)
    assert result.code == 2
    assert said in result.err


def test_no_cluster_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(address: str, **_: Any) -> None:
        assert address == "auto"
        raise ConnectionError("Could not find any running Ray instance.")

    ray.shutdown()
    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(OptionError, match="no Ray cluster runs on this machine"):
        connect()

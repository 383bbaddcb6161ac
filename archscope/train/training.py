"""One training from beginning to end: `train` begins it, `resume` goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import torch
from msgspec import Struct

from archscope import __version__
from archscope.analysis import analyze
from archscope.build import Network, build
from archscope.datasets import Dataset, fit, statistics
from archscope.errors import ArchscopeError, OptionError
from archscope.ir import Graph
from archscope.language.write import to_yaml
from archscope.records.training import FORMAT, Scores, State, Summary
from archscope.train import recipe_files
from archscope.train.device import arithmetic, device, repeatable
from archscope.train.diagnostics import verdict
from archscope.train.distributed import Processes, join
from archscope.train.environment import environment
from archscope.train.evaluate import evaluate
from archscope.train.loader import Feed
from archscope.train.loop import Diverged, Interrupted, Loop, Report
from archscope.train.metric_learning.embedding import to_embed
from archscope.train.observers import Keeper, Watcher
from archscope.train.optimizers import STATES
from archscope.train.out_of_memory import is_full, room_for
from archscope.train.recipe import Recipe
from archscope.train.run_folder import Folder, read_graph, read_recipe, read_summary
from archscope.train.state import restore
from archscope.train.tasks import Task
from archscope.train.tasks.choice import task_for


class RunResult(Struct, frozen=True, eq=False):
    """What a training came to, and the network with its best weights, on its device."""

    summary: Summary
    network: Network
    folder: Path | None


class Order(Struct, frozen=True, kw_only=True):
    """What is to be done, apart from network, images and recipe."""

    name: str
    seed: int = 0
    device: str = "auto"
    deterministic: bool = False
    data: dict[str, Any] = {}  # how to load the images again
    adapt: dict[str, Any] = {}  # how to bring them to the input of the network: how, channels
    command: str = ""
    started: str = ""


def train(
    graph: Graph,
    dataset: Dataset,
    recipe: Recipe | None = None,
    *,
    run_dir: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    deterministic: bool = False,
    adapt: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    task: Task | None = None,
    progress: Watcher | None = None,
    report: Report = lambda epoch, scores: False,
    stop: Callable[[], bool] = lambda: False,
    command: str = "",
) -> RunResult:
    """Train a network and return its scores: a function of its arguments on one machine.

    The training images are split into those that teach and those (`validation` of the recipe)
    that choose the best weights; the test images are looked at once, at the end, with the best
    weights. `run_dir` is a new folder for all that the training leaves; None keeps nothing.
    `seed` decides the split, the initial weights, the order and all random changes. `adapt` says
    how images are brought to the input of the network (`fit`: how, channels). `report` is told
    each epoch's number and validation scores and may answer True to end the training there;
    `stop` is asked at every step, and True leaves a run that `resume` takes up.

    A metric loss trains, and leaves, the tower of a network of several inputs, and splits by
    class: validation and test images are of classes that it never saw.

    A run that diverges ends with the state `diverged` and no error. Raises ArchscopeError for
    what cannot be trained, or if memory or disk are full; what was written before is whole then.
    """
    order = Order(
        name=Path(run_dir).name if run_dir is not None else graph.name,
        seed=seed,
        device=device,
        deterministic=deterministic,
        data=data or {"name": dataset.name},
        adapt=adapt or {},
        command=command,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    recipe = recipe or Recipe()
    if recipe.metric:
        graph, recipe = to_embed(graph, recipe)
    path = Path(run_dir) if run_dir is not None else None
    with _session(order) as where:
        work = _Work(
            graph, dataset, recipe, order, where, task, progress or Watcher(), report, stop
        )
        if path is None or not work.processes.first:
            return work.run(Keeper(), None)
        folder = Folder.create(path)
        try:
            work.describe(folder)
            return work.run(folder, path)
        finally:
            folder.leave()


def resume(
    run_dir: str | Path,
    dataset: Dataset,
    *,
    device: str | None = None,
    task: Task | None = None,
    progress: Watcher | None = None,
    report: Report = lambda epoch, scores: False,
    stop: Callable[[], bool] = lambda: False,
) -> RunResult:
    """Go on with a training that was stopped or killed, to the metrics that it would have had.

    On a CPU, with as many threads as before, they are the same to the last digit. Raises
    OptionError if the run has ended, or if the images are not those that it began with.
    """
    path = Path(run_dir)
    before = read_summary(path)
    if before.state in ("finished", "diverged"):
        raise OptionError(f"the run '{path}' has ended: {before.state} ({before.reason})")
    if before.data["digest"] != dataset.digest:
        raise OptionError(
            f"the images of '{dataset.name}' are not those that the run '{path}' began with"
        )
    order = Order(
        name=before.name,
        seed=before.seed,
        device=device or before.device,
        deterministic=before.deterministic,
        data=before.data["source"],
        adapt=before.data["adapt"],
        command=before.command,
        started=before.started,
    )
    with _session(order) as where:
        work = _Work(
            read_graph(path), dataset, read_recipe(path), order, where, task,
            progress or Watcher(), report, stop,
        )  # fmt: skip
        folder = Folder(path)
        if work.processes.first:
            folder.hold()
        try:
            state = folder.saved()
            if not work.processes.first:
                return work.run(Keeper(), None, state)
            folder.rewind(state["steps"] if state else 0, len(state["records"][0]) if state else 0)
            folder.summarize = work.summary
            return work.run(folder, path, state)
        finally:
            folder.leave()


@contextmanager
def _session(order: Order) -> Iterator[torch.device]:
    """Find the device, and leave torch's settings and random numbers as they were."""
    where = device(order.device)
    gpus = [where] if where.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus), repeatable(order.deterministic):
        yield where


class _Work:
    """The parts of one training put together."""

    def __init__(
        self,
        graph: Graph,
        dataset: Dataset,
        recipe: Recipe,
        order: Order,
        where: torch.device,
        task: Task | None,
        watcher: Watcher,
        report: Report,
        stop: Callable[[], bool],
    ) -> None:
        self.graph, self.dataset, self.recipe, self.order = graph, dataset, recipe, order
        self.task = task or task_for(graph, dataset, recipe)
        self.task.check(graph)
        self.processes: Processes = join(where)
        self.watcher = watcher if self.processes.first else Watcher()
        self.report, self.stop = report, stop
        shape = graph.inputs[0].out
        self.how = arithmetic(recipe, where, len(shape))
        self.adaptation = fit(shape, dataset, **order.adapt)
        taught, held, self.tested = self.task.divide(dataset, recipe, order.seed)
        self.statistics = statistics(taught)
        self.feed = Feed(
            taught, held, recipe, order.seed, self.statistics, self.adaptation, self.how,
            self.processes,
        )  # fmt: skip
        self.images = {"train": len(taught), "validation": len(held)}
        self.analysis = analyze(
            graph, batch=recipe.batch, optimizer=STATES[recipe.optimizer], training=True
        )
        self.lean = analyze(graph).totals
        self.loop: Loop | None = None
        self.state: State = "running"
        self.reason = ""
        self.seconds = 0.0  # of the whole, when it is over
        self.test: Scores | None = None

    def describe(self, folder: Folder) -> None:
        """Write what a new run is; if that fails, it leaves nothing."""
        where, order = self.how, self.order
        folder.summarize = self.summary
        try:
            folder.text("spec.yaml", to_yaml(self.graph))
            folder.text("recipe.yaml", recipe_files.text(self.recipe))
            count = self.processes.count
            about = environment(where, order.seed, order.deterministic, count)
            folder.json("environment.json", about)
            folder.json("analysis.json", self.analysis)
            folder.summary()
        except ArchscopeError:
            folder.remove()
            raise

    def run(
        self, keeper: Keeper, path: Path | None, state: dict[str, Any] | None = None
    ) -> RunResult:
        """Train, test, and say how it ended."""
        network = self._network()
        loop = self.loop = Loop(
            network, self.task, self.feed, self.recipe, self.how,
            keeper=keeper, watcher=self.watcher, processes=self.processes,
            report=self.report, stop=self.stop,
        )  # fmt: skip
        if state is not None:
            restore(loop, state)
        try:
            self.reason = loop.run()
            self._finish(network, keeper)
            self.state = "finished"
        except Diverged as error:
            self.state, self.reason = "diverged", str(error)
        except (Interrupted, KeyboardInterrupt) as error:
            self.state, self.reason = "stopped", "interrupt"
            if isinstance(error, KeyboardInterrupt):
                raise
        except Exception as error:
            self.state, self.reason = "failed", str(error) or type(error).__name__
            if is_full(error):
                self.reason = room_for(self.graph, self.recipe, self.how)
                raise ArchscopeError(self.reason) from None
            raise
        finally:
            self.seconds = loop.seconds
            self._leave_summary(keeper)
        return RunResult(self.summary(), network, path)

    def _network(self) -> Network:
        torch.manual_seed(self.order.seed)
        network = build(self.graph).to(self.how.device)
        if self.how.channels_last:
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # Dropout should differ between processes; the first has the numbers of a run alone.
        if self.processes.rank:
            torch.manual_seed(self.order.seed + self.processes.rank)
        return network

    def _finish(self, network: Network, keeper: Keeper) -> None:
        """Give the network its best weights, and look at the test images, for once."""
        if not self.processes.first:
            return
        network.load_state_dict(keeper.best_weights())
        network.eval()
        if self.tested is not None:
            self.test = evaluate(network, self.task, self.feed.plain(self.tested), self.how)

    def _leave_summary(self, keeper: Keeper) -> None:
        """Write how it ended, if it can be written; an error on its way says why not."""
        if not isinstance(keeper, Folder):
            return
        try:
            keeper.summary()
        except ArchscopeError:
            if self.state not in ("failed", "stopped"):
                raise

    def summary(self) -> Summary:
        """Return the summary of this moment."""
        loop, order = self.loop, self.order
        epochs = loop.epochs if loop else []
        return Summary(
            format=FORMAT,
            name=order.name,
            network=self.graph.name,
            state=self.state,
            reason=self.reason,
            task=self.task.about,
            data={
                "name": self.dataset.name,
                "source": order.data,
                "digest": self.dataset.digest,
                "classes": list(self.dataset.classes),
                "adapt": order.adapt,
                "adaptation": msgspec.to_builtins(self.adaptation),
                "statistics": msgspec.to_builtins(self.statistics),
                **self.images,
                "test": 0 if self.tested is None else len(self.tested),
            },
            seed=order.seed,
            device=self.how.device,
            deterministic=order.deterministic,
            params=self.lean.params,
            macs=self.lean.macs,
            epochs=len(epochs),
            steps=loop.steps if loop else 0,
            seconds=self.seconds or (loop.seconds if loop else 0.0),
            goal=self.task.goal,
            best=loop.best if loop else None,
            last=epochs[-1] if epochs else None,
            test=self.test,
            verdict=verdict(epochs, self.task.goal, self.task.about.get("untrained")),
            findings=tuple(loop.findings.values()) if loop else (),
            started=order.started,
            archscope=__version__,
            command=order.command,
        )

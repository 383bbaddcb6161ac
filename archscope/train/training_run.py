"""One training with all its parts: the images, the loop, the test at the end and the summary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec
import torch
from msgspec import Struct, structs
from torch import Tensor

from archscope import __version__
from archscope.analysis import analyze
from archscope.build import Network, build
from archscope.datasets import Dataset, fit, statistics
from archscope.errors import ArchscopeError, OptionError
from archscope.files import write_json, write_text
from archscope.ir import Graph
from archscope.language.write import to_yaml
from archscope.records.training import FORMAT, Pretrained, RunSummary, Scores, State
from archscope.train import recipe_files
from archscope.train.callbacks import Callback
from archscope.train.device import arithmetic
from archscope.train.distributed import Processes, join
from archscope.train.environment import describe_environment
from archscope.train.evaluation import evaluate
from archscope.train.fit_assessment import Guessing, assess_fit, assess_gain
from archscope.train.loader import TrainingLoader
from archscope.train.loop import Diverged, Interrupted, Loop, Report
from archscope.train.optimizers import STATES
from archscope.train.out_of_memory import explained_memory, images_advice, memory_advice
from archscope.train.recipe import Recipe, batch_of
from archscope.train.run_folder import Recorder, RunFolder
from archscope.train.tasks import Task
from archscope.train.tasks.classification import Classification


class RunResult(Struct, frozen=True, eq=False):
    """The summary of a training, and the network with its best weights on its device."""

    summary: RunSummary
    network: Network
    folder: Path | None


class RunSettings(Struct, frozen=True, kw_only=True):
    """The settings of a run except its network, images and recipe."""

    name: str
    seed: int = 0
    device: str = "auto"
    deterministic: bool = False
    data: dict[str, Any] = {}  # how to load the data set again
    adapt: dict[str, Any] = {}  # arguments of `fit`: how, channels
    command: str = ""
    started: str = ""
    pretrained: Pretrained | None = None
    compressed_from: str = ""
    initial_sha256: str = ""


class TrainingRun:
    """A training with all its parts."""

    def __init__(
        self,
        graph: Graph,
        dataset: Dataset,
        recipe: Recipe,
        settings: RunSettings,
        where: torch.device,
        task: Task | None,
        callback: Callback,
        report: Report,
        stop: Callable[[], bool],
        initial: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.initial = initial or {}
        self.graph, self.dataset, self.recipe, self.settings = graph, dataset, recipe, settings
        self.task = task or task_for(graph, dataset, recipe)
        self.task.check(graph)
        self.processes: Processes = join(where)
        self.callback = callback if self.processes.first else Callback()
        self.report, self.stop = report, stop
        shape = graph.inputs[0].out
        self.how = arithmetic(recipe, where, len(shape), training=True)
        self.adaptation = fit(shape, dataset, **settings.adapt)
        train, validation, self.test_images = self.task.divide(dataset, recipe, settings.seed)
        batch = batch_of(recipe, len(train), self.processes.count)
        recipe = self.recipe = structs.replace(recipe, batch=batch)
        self.statistics = statistics(train)
        with explained_memory(lambda: images_advice(len(train), self.adaptation.target, self.how)):
            self.loader = TrainingLoader(
                train, validation, recipe, settings.seed, self.statistics, self.adaptation,
                self.how, self.processes, self.task.turns,
            )  # fmt: skip
        self.images = {"train": len(train), "validation": len(validation)}
        self.chance = self.task.chance(train)
        self.analysis = analyze(
            graph, batch=batch, optimizer=STATES[recipe.optimizer], training=True
        )
        self.inference = analyze(graph).totals
        self.loop: Loop | None = None
        self.state: State = "running"
        self.reason = ""
        self.seconds = 0.0  # of the whole run, at its end
        self.test: Scores | None = None

    def describe(self, folder: RunFolder) -> None:
        """Write the description of a new run; if that fails, delete its folder."""
        where, settings = self.how, self.settings
        folder.summarize = self.summary
        try:
            write_text(folder.path / "spec.yaml", to_yaml(self.graph))
            write_text(folder.path / "recipe.yaml", recipe_files.text(self.recipe))
            count = self.processes.count
            environment = describe_environment(where, settings.seed, settings.deterministic, count)
            write_json(folder.path / "environment.json", environment)
            write_json(folder.path / "analysis.json", self.analysis)
            folder.write_summary()
        except ArchscopeError:
            folder.remove()
            raise

    def run(
        self,
        recorder: Recorder,
        path: Path | None,
        state: dict[str, Any] | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> RunResult:
        """Train, test, and return the result.

        A resumed run keeps its state and the task's `about`.
        """
        with self._explained():
            network = self._network()
            loop = self.loop = Loop(
                network, self.task, self.loader, self.recipe, self.how,
                recorder=recorder, callback=self.callback, processes=self.processes,
                report=self.report, stop=self.stop,
            )  # fmt: skip
        if state is not None:
            _restore(loop, state, path)
            self.task.about = {**self.task.about, **(about or {})}
        try:
            with self._explained():
                self.reason = loop.run()
                self._finish(network, recorder)
            self.state = "finished"
        except Diverged as error:
            self.state, self.reason = "diverged", str(error)
        except (Interrupted, KeyboardInterrupt) as error:
            self.state, self.reason = "stopped", "interrupt"
            if isinstance(error, KeyboardInterrupt):
                raise
        except Exception as error:
            self.state, self.reason = "failed", str(error) or type(error).__name__
            raise
        finally:
            self.seconds = loop.state.seconds
            self._write_summary(recorder)
        return RunResult(self.summary(), network, path)

    def _explained(self) -> AbstractContextManager[None]:
        """Explain full memory inside of the context."""
        return explained_memory(lambda: memory_advice(self.graph, self.recipe, self.how))

    def _network(self) -> Network:
        torch.manual_seed(self.settings.seed)
        network = build(self.graph).to(self.how.device)
        own = network.state_dict()
        same = {name: tensor for name, tensor in self.initial.items()
                if name in own and own[name].shape == tensor.shape}  # fmt: skip
        network.load_state_dict(same, strict=False)
        if self.how.channels_last:
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # Dropout should differ between processes; the first draws what a single process would.
        if self.processes.rank:
            torch.manual_seed(self.settings.seed + self.processes.rank)
        return network

    def _finish(self, network: Network, recorder: Recorder) -> None:
        """Load the best weights, and evaluate the test images."""
        if not self.processes.first:
            return
        network.load_state_dict(recorder.best_weights())
        network.eval()
        if self.test_images is not None:
            batches = self.loader.evaluation(self.test_images)
            self.test = evaluate(network, self.task, batches, self.how)

    def _write_summary(self, recorder: Recorder) -> None:
        """Write the final summary; after a failure an error in writing does not hide the first."""
        try:
            recorder.write_summary()
        except ArchscopeError:
            if self.state not in ("failed", "stopped"):
                raise

    def _guessing(self) -> Guessing | None:
        """Return the guessing accuracy and image counts for assessing a classifier."""
        if self.chance is None or not self.images["validation"]:
            return None
        return Guessing(**self.images, chance=self.chance)

    def _fit(self) -> str:
        """Return an assessment of the training by its scores, as a sentence."""
        state, about, goal = self.loop.state if self.loop else None, self.task.about, self.task.goal
        best = state.best if state else None
        splits = [
            (split, before, after)
            for split, before, after in (
                ("validation", about.get("untrained"), best and best.validation),
                ("test", about.get("untrained_test"), self.test),
            )
            if before and after
        ]
        if self.test and "untrained_test" in about:
            return assess_gain(goal, splits, best.interpolation if best else None)
        return assess_fit(
            state.epochs if state else (),
            goal,
            best=best,
            before=about.get("untrained"),
            guessing=self._guessing(),
        )

    def summary(self) -> RunSummary:
        """Return the current summary."""
        settings, state = self.settings, self.loop.state if self.loop else None
        epochs = state.epochs if state else []
        return RunSummary(
            format=FORMAT,
            name=settings.name,
            network=self.graph.name,
            state=self.state,
            reason=self.reason,
            task=self.task.about,
            data={
                "name": self.dataset.name,
                "source": settings.data,
                "digest": self.dataset.digest,
                "classes": list(self.dataset.classes),
                "adapt": settings.adapt,
                "adaptation": msgspec.to_builtins(self.adaptation),
                "statistics": msgspec.to_builtins(self.statistics),
                **self.images,
                "test": 0 if self.test_images is None else len(self.test_images),
                **({} if self.chance is None else {"chance": self.chance}),
            },
            seed=settings.seed,
            device=self.how.device,
            deterministic=settings.deterministic,
            params=self.inference.params,
            macs=self.inference.macs,
            epochs=len(epochs),
            steps=state.steps if state else 0,
            seconds=self.seconds or (state.seconds if state else 0.0),
            goal=self.task.goal,
            best=state.best if state else None,
            last=epochs[-1] if epochs else None,
            test=self.test,
            fit=self._fit(),
            diagnoses=tuple(state.diagnoses.values()) if state else (),
            started=settings.started,
            archscope=__version__,
            command=settings.command,
            pretrained=settings.pretrained,
            compressed_from=settings.compressed_from,
            initial_sha256=settings.initial_sha256,
        )


def task_for(graph: Graph, dataset: Dataset, recipe: Recipe) -> Task:
    """Return the task for the loss of a recipe: metric learning or classification."""
    if not recipe.metric:
        return Classification(graph, len(dataset.classes), recipe)
    # The library of metric losses takes a while to import; few trainings need it.
    from archscope.train.tasks.metric import MetricLearning

    return MetricLearning(graph, recipe)


def _restore(loop: Loop, state: dict[str, Any], path: Path | None) -> None:
    """Restore a checkpoint. Raises OptionError if it belongs to another network or recipe."""
    try:
        loop.state.restore(state)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as e:
        reason = f"{type(e).__name__}: {str(e).strip().partition(chr(10))[0]}"
        raise OptionError(f"cannot continue from '{path or '.'}/state.pt': {reason}") from None

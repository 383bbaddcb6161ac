"""Fine-tune compressed networks as their run was trained; each step is a run of its own."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import structs

from archscope.cli.shared.process import Terminated, was_terminated
from archscope.cli.shared.teacher import ALPHA, TEMPERATURE, task_of
from archscope.cli.shared.terminal import say
from archscope.cli.shared.training_options import dataset_of
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.language.write import to_yaml
from archscope.records.run_folder import is_run, read_summary

if TYPE_CHECKING:
    from torch import Tensor

    from archscope.records.training import RunSummary
    from archscope.train import Recipe


class FineTuning:
    """Fine-tunes compressed networks on the images of a run, with its recipe, for some epochs.

    Finished steps are reused and interrupted ones continued, so the same command leads to the same
    result however often it is stopped. With a `teacher`, which is a run, networks also learn from
    its outputs. `knobs` override those of the recipe.
    """

    def __init__(
        self,
        run: Path,
        epochs: int,
        *,
        command: str,
        teacher: Path | None = None,
        data_dir: Path | None = None,
        **knobs: Any,
    ) -> None:
        from archscope.train.run_folder import read_recipe

        self.run, self.command = run, command
        self.teacher = None if teacher is None else _description(teacher)
        self.summary = read_summary(run, "source", "adapt")
        if self.summary.task["kind"] not in ("classification", "distillation"):
            kind = self.summary.task["kind"]
            raise OptionError(f"--epochs needs a classifier, and '{run}' trained {kind}")
        self.dataset = dataset_of(self.summary, data_dir)
        try:
            self.recipe = structs.replace(read_recipe(run), epochs=epochs, **knobs)
        except OptionError as error:
            raise OptionError(f"'{run}' cannot be trained on like this: {error}") from None
        self.results: list[RunSummary] = []

    def __call__(
        self, step: int, graph: Graph, weights: Mapping[str, Tensor]
    ) -> Mapping[str, Tensor]:
        """Fine-tune the pruned network of a step, and return its weights."""
        return self.tuned(f"pruned{step}", graph, weights)

    def tuned(self, what: str, graph: Graph, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Fine-tune a network and return its weights; `what` is the suffix of its run's name."""
        from archscope.train.run_folder import read_weights

        path = self.run.with_name(f"{self.run.name}-{what}")
        self.results.append(self._ended(path, graph, weights, self.recipe))
        return read_weights(path)

    def from_scratch(self, graph: Graph) -> None:
        """Train a network from initial weights, for as long as the run and its steps in total.

        It is trained as the steps were, so that only the initial weights differ.
        """
        steps = (summary.epochs for summary in self.results)
        recipe = structs.replace(self.recipe, epochs=self.summary.epochs + sum(steps), keep=None)
        path = self.run.with_name(f"{self.run.name}-scratch")
        self.results.append(self._ended(path, graph, None, recipe))

    def _ended(
        self, path: Path, graph: Graph, weights: Mapping[str, Tensor] | None, recipe: Recipe
    ) -> RunSummary:
        """Return the summary of a finished training, which is run or continued if need be.

        Raises KeyboardInterrupt if it is stopped, OptionError if it fails.
        """
        summary = self._finished(path, graph, weights, recipe)
        summary = summary or self._trained(path, graph, weights, recipe)
        if summary.state == "stopped":
            say("stopped; the same command continues")
            raise Terminated if was_terminated() else KeyboardInterrupt
        if summary.state != "finished":
            raise OptionError(f"the run '{path}' {summary.state}: {summary.reason}")
        return summary

    def _finished(
        self, path: Path, graph: Graph, weights: Mapping[str, Tensor] | None, recipe: Recipe
    ) -> RunSummary | None:
        """Return the summary of a finished step, None if it is not finished.

        Raises OptionError for a run with another network, recipe, teacher or initial weights.
        """
        from archscope.train.run_folder import read_recipe
        from archscope.weights import digest_of

        if not is_run(path):
            return None
        summary = read_summary(path)
        same = (path / "spec.yaml").read_text(encoding="utf-8") == to_yaml(graph)
        same = same and read_recipe(path) == recipe
        same = same and summary.task.get("teacher") == (self.teacher or {}).get("teacher")
        # Steps of the same spec differ in which channels, zeros or values were chosen.
        same = same and summary.initial_sha256 == (digest_of(weights) if weights else "")
        if not same:
            raise OptionError(f"'{path}' belongs to another compression; rename or remove it")
        return summary if summary.state == "finished" else None

    def _trained(
        self, path: Path, graph: Graph, weights: Mapping[str, Tensor] | None, recipe: Recipe
    ) -> RunSummary:
        from archscope.cli.shared.train_progress import attended
        from archscope.train import resume, train

        task = task_of(self.teacher, graph, self.dataset, recipe)
        if is_run(path) and not (path / "state.pt").exists():
            shutil.rmtree(path)  # it stopped before its first epoch
        with attended(None, path) as (progress, stop):
            if is_run(path):
                return resume(path, self.dataset, task=task, progress=progress, stop=stop).summary
            return train(
                graph, self.dataset, recipe, run_dir=path, seed=self.summary.seed,
                device=self.summary.device, deterministic=self.summary.deterministic,
                adapt=self.summary.data["adapt"], data=self.summary.data["source"],
                task=task, progress=progress, stop=stop, command=self.command, initial=weights,
                compressed_from=str(self.run.resolve()),
            ).summary  # fmt: skip


def _description(teacher: Path) -> dict[str, Any]:
    """Return the distillation from a run, in the form that `archscope train --teacher` records."""
    return {
        "kind": "distillation",
        "teacher": str(teacher.resolve()),
        "temperature": TEMPERATURE,
        "alpha": ALPHA,
        "pairs": [],
    }

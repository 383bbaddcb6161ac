"""`archscope train`: train a network on images."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archscope.cli import FINDINGS, FINE, INTERRUPTED, TERMINATED
from archscope.cli.shared import completion
from archscope.cli.shared.inapplicable import refused
from archscope.cli.shared.options import (
    Output,
    SpecReader,
    output_options,
    unfused_reader_options,
)
from archscope.cli.shared.process import was_terminated
from archscope.cli.shared.teacher import task_of, teacher_of, teacher_options
from archscope.cli.shared.terminal import say, show, warn
from archscope.cli.shared.training_options import (
    data_options,
    dataset_of,
    limit_threads,
    machine_options,
    recipe_options,
    runs_dir_option,
)
from archscope.errors import OptionError
from archscope.language import LIMITS
from archscope.language.yaml_items import parse
from archscope.records.run_folder import is_abandoned, weights_file
from archscope.records.seeds import goal_of
from archscope.report.tables.trainings import seeds_table, summary_table

if TYPE_CHECKING:
    from archscope.ir import Graph
    from archscope.pretrained import PretrainedWeights
    from archscope.records.training import RunSummary
    from archscope.train import Recipe, RunResult
    from archscope.train.tasks import Task

GROUP = "Train and search"
ENDINGS = {"finished": FINE, "diverged": FINDINGS, "stopped": INTERRUPTED}


@click.command("train")
@click.argument("spec", required=False, shell_complete=completion.specs)
@data_options
@recipe_options
@machine_options
@click.option("--seed", type=click.IntRange(0), default=0,
              help="Seed of the split, initial weights, order and augmentation.")  # fmt: skip
@click.option("--seeds", type=click.IntRange(1), metavar="N",
              help="Train with N seeds, starting at --seed; report mean and spread.")  # fmt: skip
@click.option("--deterministic", is_flag=True,
              help="Use only deterministic algorithms; slower on a GPU.")  # fmt: skip
@click.option("--pretrained", type=click.Path(path_type=Path), metavar="FILE",
              help="Start from these weights: .safetensors, a state dict (.pth) such as"
              " torchvision's, or a run. A head for other classes is initialised.")  # fmt: skip
@teacher_options
@click.option(
    "--embedding",
    metavar="NODE",
    help="Train a metric loss on this node's output, without the layers after it.",
)
@click.option("--resume", metavar="RUN", help="Continue this run; takes no SPEC and no knobs.")
@click.option("--name", metavar="NAME", help="Name of the run. Default: SPEC-DATA, numbered.")
@runs_dir_option
@click.option("--look/--no-look", default=True,
              help="Save filters, feature maps and misclassified images to the run folder,"
              " for `archscope report`.")  # fmt: skip
@click.option("--log", type=click.Choice(["tensorboard"]),
              help="Also write TensorBoard events to the run folder.")  # fmt: skip
@unfused_reader_options
@refused(
    dtype="networks are trained in float32",
    fused="a folded batch norm cannot be trained; archscope export --fused folds those of a run",
)
@output_options
def command(
    spec: str | None, resume: str | None, reader: SpecReader, output: Output, **options: Any
) -> int:
    """Train a network on images and write a run folder.

    The network is evaluated on the test images once, at the end, with the weights that did best
    on the validation images. After Ctrl-C, or even a kill, --resume continues the run. Exit code 1
    if the training diverges.

    \b
    Examples:
      archscope train lenet5 --data digits --epochs 5
      archscope train net.yaml --data fashion-mnist --max-time 2m --seed 3
      archscope train vgg13_cifar100 --data cifar100 --recipe course
      archscope train net.yaml --data folder:photos --recipe standard \\
        --recipe-set flip=false
      archscope train resnet18 --set classes=2 --data folder:photos \\
        --pretrained resnet18.pth
      archscope train siamese --data digits --loss contrastive
      archscope train small.yaml --data digits --teacher lenet5-digits --seeds 3
      archscope train --resume runs/lenet5-digits
      torchrun --nproc-per-node 2 -m archscope train net.yaml --data digits
    """
    if (spec is None) == (resume is None):
        raise OptionError("name either a SPEC to train or a run to --resume")
    # Waiting threads that spin take cores from working ones.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if resume is not None:
        _refuse_beside_resume()
        return _finish([_resume(resume, **options)], output, options)
    name = options["name"]
    if name is not None and (name in ("", ".", "..") or Path(name).name != name):
        raise OptionError(f"--name: expected the name of a folder in --runs-dir, got '{name}'")
    graph = reader.graph(spec or "")
    return _finish(_Trainings(graph, options, reader.max_nodes).run(), output, options)


class _Trainings:
    """The runs of one command: one for each seed, and perhaps one for the teacher."""

    def __init__(self, graph: Graph, options: dict[str, Any], max_nodes: int) -> None:
        from archscope import datasets
        from archscope.train import recipe_files
        from archscope.train.device import select_device
        from archscope.train.run_folder import check_free

        self.options, self.max_nodes = options, max_nodes
        self.recipe = recipe_files.read_for(options["recipe"], _changes(options))
        if self.recipe.metric and options["teacher"]:
            raise OptionError(
                f"--teacher needs a loss on classes, and {self.recipe.loss} is one on embeddings"
            )
        self.graph = _embedding(graph, options["embedding"], self.recipe)
        # Before the data are read, which may take long.
        select_device(options["device"] or "auto")
        if options["name"]:
            for end in _ends(options).values():
                check_free(_run_path(options, options["name"], end))
        self.data = options["data"] or "digits"
        shape = self.graph.inputs[0].out
        self.dataset = datasets.load(self.data, options["data_dir"], network=shape)
        self.adapt = {"how": options["adapt"], "channels": options["channels"]}
        adaptation = datasets.fit(shape, self.dataset, **self.adapt)
        limit_threads(options["threads"])
        self.initial = self._initial(options["pretrained"])
        notes = self.initial.notes if self.initial else ()
        for note in filter(None, (*self.dataset.notes, adaptation.about, *notes)):
            say(f"note: {note}")
        if self.recipe.metric:
            self._leave_out_classifier()
        self.path = _run_path(options, options["name"] or f"{graph.name}-{self.dataset.name}")

    def _leave_out_classifier(self) -> None:
        """Train a classifier's embedding, and say which that is."""
        from archscope.train.metric_learning.embedding import without_classifier

        self.graph, layer = without_classifier(self.graph, len(self.dataset.classes))
        if layer is not None:
            say(
                f"note: '{layer}' names the classes and is left out; the embedding is"
                f" '{self.graph.main.node}' (--embedding NODE takes another)"
            )

    def _initial(self, file: Path | None) -> PretrainedWeights | None:
        """Return the weights to start from, if any, and print which are used."""
        if file is None:
            return None
        from archscope.pretrained import pretrained

        return pretrained(self.graph, weights_file(file))

    def run(self) -> list[RunResult]:
        """Train with each seed in turn, until a run is stopped."""
        results: list[RunResult] = []
        teacher = teacher_of(self.options, self._teacher)
        ends = _ends(self.options)
        stem = self.path if self.options["name"] else _free(self.path, ends.values())
        for seed, end in ends.items():
            task = task_of(teacher, self.graph, self.dataset, self.recipe)
            path = stem.with_name(stem.name + end)
            results.append(self._train(self.graph, path, seed, task, self.initial))
            if results[-1].summary.state == "stopped":
                break
        return results

    def _teacher(self, spec: str) -> Path:
        """Train the teacher first, and return its run."""
        graph = SpecReader(max_nodes=self.max_nodes).graph(spec)
        path = _free(self.path.with_name(f"{self.path.name}-teacher"))
        result = self._train(graph, path, self.options["seed"], None)
        if result.summary.state != "finished" or result.folder is None:
            raise OptionError(
                f"the teacher '{spec}' {result.summary.state}; no student was trained"
            )
        return result.folder

    def _train(
        self,
        graph: Graph,
        path: Path,
        seed: int,
        task: Task | None,
        initial: PretrainedWeights | None = None,
    ) -> RunResult:
        from archscope.cli.shared.train_progress import attended
        from archscope.datasets.lookup import anywhere
        from archscope.train import train

        options = self.options
        name, folder = anywhere(self.data, options["data_dir"])
        with attended(options["log"], path) as (progress, stop):
            return train(
                graph, self.dataset, self.recipe,
                run_dir=path,
                seed=seed,
                device=options["device"] or "auto",
                deterministic=options["deterministic"],
                adapt=self.adapt,
                data={"name": name, "folder": folder},
                task=task,
                progress=progress,
                stop=stop,
                command=shlex.join(["archscope", *sys.argv[1:]]),
                initial=initial.weights if initial else None,
                pretrained=initial.record if initial else None,
            )  # fmt: skip


def _embedding(graph: Graph, node: str | None, recipe: Recipe) -> Graph:
    """Return the network up to the embedding node, if one is named."""
    if node is None:
        return graph
    if not recipe.metric:
        raise OptionError(f"--embedding needs a metric loss, and the loss is {recipe.loss}")
    from archscope.train.metric_learning.embedding import cut

    return cut(graph, node)


def _changes(options: dict[str, Any]) -> dict[str, Any]:
    """Return the knobs of the recipe that the command line changes."""
    knobs = ("epochs", "batch", "learning_rate", "optimizer", "loss", "max_time")
    changes = {name: options[name] for name in knobs if options[name] is not None}
    return changes | dict(map(_knob, options["knobs"]))


def _resume(run: str, **options: Any) -> RunResult:
    from archscope.cli.shared.train_progress import attended
    from archscope.records.run_folder import find_run, read_summary, read_threads
    from archscope.train import resume
    from archscope.train.run_folder import read_graph, read_recipe

    path = find_run(run, options["runs_dir"])
    summary = read_summary(path, "source")
    dataset = dataset_of(summary, options["data_dir"])
    task = task_of(summary.task, read_graph(path), dataset, read_recipe(path))
    limit_threads(options["threads"] or read_threads(path))
    with attended(options["log"], path) as (progress, stop):
        return resume(
            path, dataset, device=options["device"], task=task, progress=progress, stop=stop
        )


def _refuse_beside_resume() -> None:
    """Raise OptionError for options that were decided when the run began."""
    context = click.get_current_context()
    decided = (
        "data", "adapt", "channels", "recipe", "epochs", "batch", "learning_rate", "optimizer",
        "max_time", "knobs", "seed", "seeds", "deterministic", "name", "settings", "inputs",
        "teacher", "pretrained", "loss", "embedding", "temperature", "alpha", "features",
    )  # fmt: skip
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "")
        if parameter.name in decided and given is click.core.ParameterSource.COMMANDLINE:
            raise OptionError(
                f"--resume continues as the run began: it takes no {parameter.opts[0]}"
            )


def _knob(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not name or not equals or not value:
        raise OptionError(f"--recipe-set needs KNOB=VALUE, got '{text}'")
    if value == "null":
        return name, None
    return name, parse(value, f"--recipe-set {name}", LIMITS).plain()


def _ends(options: Mapping[str, Any]) -> dict[int, str]:
    """Return the seeds to train with, and how the names of their runs end."""
    first, seeds = options["seed"], options["seeds"]
    return {seed: f"-seed{seed}" for seed in range(first, first + seeds)} if seeds else {first: ""}


def _run_path(options: Mapping[str, Any], name: str, end: str = "") -> Path:
    folder: Path = options["runs_dir"]
    return folder / (re.sub(r"[^\w.-]+", "-", name) + end)


def _free(path: Path, ends: Iterable[str] = ("",)) -> Path:
    """Return the path, with a number appended if it or one of its `ends` exists."""

    def taken(end: str) -> bool:
        run = free.with_name(f"{free.name}{end}")
        return run.exists() and not is_abandoned(run)

    number, free = 1, path
    while any(map(taken, ends)):
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free


def _inspect(result: RunResult, data_dir: Path | None) -> None:
    """Inspect a classifier by images that it was not trained on, and save that to its run."""
    from archscope.records.inspection import write_inspection
    from archscope.train.inspection import inspect_run
    from archscope.train.trained_network import images_of

    summary, folder = result.summary, result.folder
    ended = summary.state == "finished"
    if folder is None or not ended or summary.task["kind"] in ("metric", "multitask"):
        return
    dataset = dataset_of(summary, data_dir)
    part, images = images_of(folder, dataset)
    if part != "train":
        write_inspection(folder, inspect_run(folder, dataset, images, summary.device))


def _next_steps(folders: Sequence[Path], summaries: Sequence[RunSummary]) -> str:
    """Return the commands to try next with the runs of a network."""
    best = max(
        range(len(folders)),
        key=lambda place: goal_of(summaries[place], "validation") or 0.0,
    )
    run = shlex.quote(folders[best].as_posix())
    group = folders[0]
    if len(folders) > 1:
        group = group.with_name(group.name.rpartition("-seed")[0])
    name = shlex.quote(group.as_posix())
    model = shlex.quote(f"{folders[best].as_posix()}/model.onnx")
    steps = (
        f"evaluate {name}",
        f"report {name} -o {shlex.quote(f'{group.as_posix()}.html')}",
        f"export {run} --pixels 255 -o {model}",
    )
    return "next: " + "\n      ".join(f"archscope {step}" for step in steps)


def _finish(results: list[RunResult], output: Output, options: dict[str, Any]) -> int:
    """Show the results, and return the exit code."""
    summaries = [result.summary for result in results]
    last = results[-1]
    if last.folder is None:
        return ENDINGS[last.summary.state]  # of several processes, only the first reports
    if options["look"]:
        for result in results:
            _inspect(result, options["data_dir"])
    if len(results) > 1:
        output.show([seeds_table(summaries)], lambda: {"format": 1, "runs": summaries})
    else:
        output.show([summary_table(last.summary)], lambda: last.summary)
    for summary in summaries:
        if summary.state == "diverged":
            warn(f"{summary.name} diverged: {summary.reason}; try a lower --lr")
    if output == Output() and last.summary.state == "finished":
        if len(results) == 1:
            show(last.summary.fit)
        show("".join(f"run: {result.folder}\n" for result in results))
        show(_next_steps([result.folder for result in results if result.folder], summaries))
    if last.summary.state == "stopped":
        say(f"stopped; to continue: archscope train --resume {last.folder}")
    if was_terminated() and last.summary.state == "stopped":
        return TERMINATED
    return max(ENDINGS[summary.state] for summary in summaries)

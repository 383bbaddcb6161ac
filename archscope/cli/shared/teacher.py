"""Options for distillation: train a student network with a teacher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archscope.cli.shared.options import together
from archscope.errors import OptionError

if TYPE_CHECKING:
    from archscope.datasets import Dataset
    from archscope.ir import Graph
    from archscope.train import Recipe
    from archscope.train.tasks import Task

TEMPERATURE, ALPHA = 4.0, 0.7

distill_option = click.option(
    "--distill", is_flag=True,
    help="Fine-tune with the run itself as the teacher, too.",
)  # fmt: skip

teacher_options = together(
    click.option(
        "--teacher", metavar="RUN|SPEC",
        help="Learn from the outputs of this run, too; a SPEC is first trained in the same way.",
    ),
    click.option(
        "--temperature", type=float, default=TEMPERATURE,
        help="Temperature that softens the teacher's probabilities; 1 leaves them as they are.",
    ),
    click.option(
        "--alpha", type=float, default=ALPHA,
        help="Share of the teacher in the loss; the rest is that of the labels.",
    ),
    click.option(
        "--features", multiple=True, metavar="NODE=NODE",
        help="Match the attention map of a student node with that of a teacher node; repeatable.",
    ),
)  # fmt: skip


def teacher_of(
    options: dict[str, Any], train_teacher: Callable[[str], Path]
) -> dict[str, Any] | None:
    """Return the distillation that the options describe, if any. Raises OptionError.

    `train_teacher` trains a SPEC and returns its run folder.
    """
    from archscope.records.run_folder import find_run

    name = options["teacher"]
    if name is None:
        if options["features"]:
            raise OptionError("--features needs a --teacher")
        return None
    pairs = [_pair(text) for text in options["features"]]
    try:
        path = find_run(name, options["runs_dir"])
    except OptionError:
        path = train_teacher(name)
    return {
        "kind": "distillation",
        "teacher": str(path.resolve()),
        "temperature": options["temperature"],
        "alpha": options["alpha"],
        "pairs": pairs,
    }


def task_of(
    about: dict[str, Any] | None, graph: Graph, dataset: Dataset, recipe: Recipe
) -> Task | None:
    """Return the task that `run.json` describes, or None for the default task of the recipe.

    Raises OptionError for a task that can only be resumed in Python.
    """
    if about is None or about["kind"] in ("classification", "metric"):
        return None
    if about["kind"] != "distillation":
        raise OptionError(
            f"a run for {about['kind']} can only be resumed in Python, by archscope.train.resume"
        )
    from archscope.train.tasks.distillation import Distillation
    from archscope.train.trained_network import load_classifier

    return Distillation(
        graph,
        len(dataset.classes),
        recipe,
        load_classifier(Path(about["teacher"]), device="cpu"),
        name=about["teacher"],
        temperature=about["temperature"],
        alpha=about["alpha"],
        pairs=[(student, teacher) for student, teacher in about["pairs"]],
    )


def _pair(text: str) -> Sequence[str]:
    student, equals, teacher = text.partition("=")
    if not student or not equals or not teacher:
        raise OptionError(f"--features needs NODE=NODE, got '{text}'")
    return student, teacher

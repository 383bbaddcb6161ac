"""`archscope search`: find the best network within a budget."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archscope.cli import FINDINGS, FINE
from archscope.cli.shared import completion
from archscope.cli.shared.inapplicable import refused
from archscope.cli.shared.options import (
    Output,
    SpecReader,
    change_options,
    gathered,
    output_options,
    setting,
)
from archscope.cli.shared.search_options import (
    budget_option,
    executor_options,
    folder_options,
    limit_options,
    strategy_options,
    training_options,
)
from archscope.cli.shared.terminal import say
from archscope.errors import OptionError

if TYPE_CHECKING:
    from archscope.search.config import SearchConfig
    from archscope.search.evaluation import Trainer
    from archscope.search.executor import ExecutorFactory

GROUP = "Train and search"

reader_options = gathered("reader", SpecReader, change_options)


@click.command("search")
@click.argument("spec", default="mnas", shell_complete=completion.specs)
@budget_option
@reader_options
@refused(
    batch="budgets are for one image; --recipe-set batch=64 is the batch of trainings",
    dtype="budgets in bytes are of float32",
    fused="budgets are for networks as they are trained; archscope analyze winner.yaml --fused"
    " shows what folding saves",
)
@strategy_options
@training_options
@executor_options
@limit_options
@folder_options
@output_options
def command(
    spec: str,
    texts: tuple[str, ...],
    reader: SpecReader,
    strategy: dict[str, Any],
    training: dict[str, Any],
    where: dict[str, Any],
    limits: dict[str, Any],
    name: str | None,
    studies_dir: Path,
    storage: str | None,
    output: Output,
) -> int:
    """Search a space of networks for the best one within a budget.

    SPEC is a spec with holes; the default is the space `mnas` that ships with archscope. Without
    --data, a prior scores the networks: a model fitted to networks that others trained predicts
    their accuracy on ImageNet, and the best are trained briefly, to check that they learn. With
    --data, or if no prior covers the space, networks are trained briefly on small images, and the
    best of them again for longer; the prior says where to begin. Costs are always those at the
    input of the space. The same command resumes an interrupted study; --trials may grow. Exit code
    1: no network holds a latency budget of this machine when measured.

    \b
    Examples:
      archscope search --budget 300MFLOPs
      archscope search --budget 300MFLOPs --data fashion-mnist --max-time 10m
      archscope search tiny --budget 5MMACs --data fashion-mnist --trials 50
      archscope search my_space.yaml -b 300MFLOPs -b '4M params' --workers 8
      archscope search --budget 300MFLOPs --executor ray \\
        --address 10.0.0.7:6379 --lag 32
    """
    began = time.perf_counter()  # imports count as well
    from archscope.search.reference_costs import costs_in
    from archscope.sources import document
    from archscope.space.budget import budgets
    from archscope.space.search_space import space

    networks = space(document(spec), **reader.changes)
    limited = budgets(texts, costs_in(lambda: networks))
    # Imported after the input is read, as torch and optuna take seconds.
    from archscope.cli.shared.search_progress import SearchProgressLines
    from archscope.datasets.lookup import default_images, find
    from archscope.report.tables.prior_searches import prior_search_parts
    from archscope.report.tables.studies import found_parts
    from archscope.search.config import SearchConfig
    from archscope.search.judged_search import judged_search
    from archscope.search.judging import choose_judge
    from archscope.search.prior_search import PriorSearchResult
    from archscope.workflows import report

    judge = choose_judge(
        networks, spec, prior=strategy["prior"], judge=strategy["judge"],
        has_data=training["data"] is not None,
    )  # fmt: skip
    strategy |= judge.settings(strategy["trials"])
    training["data"] = training["data"] or default_images(training["folder"])
    find(training["data"].partition(":")[0])  # a wrong name leaves no folder
    config = SearchConfig(
        spec=spec,
        budgets=limited,
        **reader.changes,
        resolution=training.pop("resolution"),
        trainer=_trainer(strategy["seed"], **training),
        **strategy,
    )
    executor = _executor(config, **where)
    by = config.prior if judge.by == "prior" else training["data"]
    if name is not None and (name in ("", ".", "..") or Path(name).name != name):
        raise OptionError(f"--name: expected one folder in --studies-dir, got '{name}'")
    path = studies_dir / (name or _name(spec, [*reader.settings, *reader.inputs, *texts, by]))
    progress = SearchProgressLines(path, judge.notes)
    try:
        found = judged_search(
            config, path, judge, executor=executor, storage=storage, progress=progress,
            began=began, **limits,
        )  # fmt: skip
        if isinstance(found, PriorSearchResult):
            known = [row.name for row in found.prior.references]
            report(path, *known, output=path / "report.html")
            parts = prior_search_parts(found)
        else:
            parts = found_parts(found)
        output.show(parts, lambda: {"format": 1, "study": found})
        return FINE if found.met else FINDINGS
    except KeyboardInterrupt:
        say(f"\nstopped; the same command continues {path}")
        raise


def _executor(
    config: SearchConfig, executor: str, workers: int | None, address: str | None
) -> ExecutorFactory:
    """Return the executor, connected to its cluster if it has one. Raises OptionError."""
    if executor == "local":
        from archscope.search.local_executor import LocalExecutor

        if address is not None:
            raise OptionError("--address needs --executor ray")
        return partial(LocalExecutor, workers=workers or min(os.cpu_count() or 1, 4))
    if config.inherit:
        raise OptionError("--inherit excludes --executor ray: it reads weights from this machine")
    if workers is not None:
        raise OptionError("--workers excludes --executor ray: a cluster knows its own processors")
    if config.trainer.device != "cpu":
        raise OptionError("--device excludes --executor ray, which trains on processors")
    from archscope.search.ray_executor import RayExecutor, capacity, connect

    connect(address)
    trainings = capacity(config.trainer.threads)
    if trainings > config.lag:
        say(
            f"note: the cluster has room for {trainings} trainings, but --lag {config.lag} allows"
            f" only {config.lag} at once"
        )
    return partial(RayExecutor, address=address)


def _trainer(
    seed: int,
    epochs: int | None,
    knobs: tuple[str, ...],
    no_cache: bool,
    device: str,
    **options: Any,
) -> Trainer:
    """Return how candidates are trained. Raises ArchscopeError for a knob or device that is not."""
    from archscope.search.evaluation import Trainer
    from archscope.train.recipe import Recipe
    from archscope.train.recipe_files import change

    recipe = dict(map(setting, knobs))
    if epochs is not None:
        recipe = {"epochs": epochs, **recipe}
    change(Recipe(), recipe)  # fail now rather than in every trial
    if device != "cpu":
        from archscope.train.device import select_device  # imports torch

        device = str(select_device(device))
    adapt = {"channels": "repeat"}
    return Trainer(
        seed=seed, recipe=recipe, adapt=adapt, cache=not no_cache, device=device, **options
    )


def _name(spec: str, texts: Sequence[str]) -> str:
    """Return the default name of a study."""
    words = [Path(spec).stem, *texts]
    return "-".join(
        "".join(c if c.isalnum() or c in "._" else "_" for c in word).strip("_") for word in words
    )

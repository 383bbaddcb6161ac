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
    THREADS,
    Output,
    Parsed,
    SpecReader,
    change_options,
    gathered,
    output_options,
    setting,
    together,
)
from archscope.cli.shared.terminal import say
from archscope.cli.shared.training_options import data_option
from archscope.errors import OptionError, did_you_mean
from archscope.metrics import objectives
from archscope.search import priors, samplers
from archscope.units import parse_bytes, parse_duration

if TYPE_CHECKING:
    from archscope.search.config import SearchConfig
    from archscope.search.evaluation import Trainer
    from archscope.search.executor import ExecutorFactory

GROUP = "Train and search"

budget_option = click.option(
    "--budget", "-b", "texts", multiple=True, metavar="BUDGET",
    help="What a network may cost: 300MFLOPs, '5M params', 'peak 4MiB', '60% of mobilenet_v2',"
    " 8ms@cpu or 8ms@PROFILE; if repeated, all must hold.",
)  # fmt: skip


def _some_time(text: str) -> float:
    """Return the seconds of a time that is not zero. Raises OptionError."""
    seconds = parse_duration(text)
    if not seconds:
        raise OptionError(f"expected a time above 0, such as 20m, got '{text}'")
    return seconds


def _objectives(text: str) -> tuple[str, ...]:
    """Return the metrics named by `--objectives`. Raises OptionError."""
    names = tuple(name.strip() for name in text.split(","))
    known = objectives()
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or f"; there are {', '.join(known)}"
            raise OptionError(f"no objective '{name}'{hint}")
    if len(set(names)) < len(names):
        raise OptionError(f"'{text}' names an objective twice")
    return names


def _sampler(text: str) -> str:
    """Check the name of a sampler, and return it. Raises OptionError."""
    samplers.check_sampler(text)
    return text


reader_options = gathered("reader", SpecReader, change_options)

strategy_options = gathered("strategy", dict, together(
    click.option(
        "--trials", type=click.IntRange(1), default=None,
        help="Number of networks to train, by default 16, or to predict, by default 32; those"
        " over the budget or equal to an earlier one do not count.",
    ),
    click.option(
        "--sampler", type=Parsed(_sampler), default=samplers.DEFAULT,
        shell_complete=completion.names(lambda: samplers.SAMPLERS),
        metavar=f"[{'|'.join(samplers.SAMPLERS)}]",
        help="How to propose networks. "
        + "; ".join(f"{name}: {samplers.about(name)}" for name in samplers.SAMPLERS) + ".",
    ),
    click.option(
        "--prior", default="auto", metavar=f"[auto|none|{'|'.join(priors.PRIORS)}]",
        help="Model that predicts scores before any training, fitted to networks that others"
        " trained. auto: imagenet, if it covers the space.",
    ),
    click.option(
        "--judge", type=click.Choice(["auto", "prior", "training"]), default="auto",
        help="Where scores come from. auto: the prior, if there is one and --data is not given.",
    ),
    click.option(
        "--seed", type=click.IntRange(0), default=0, help="Seed of everything random in the study."
    ),
    click.option(
        "--control", "baseline", type=click.FloatRange(0, 1), default=0.2,
        help="Share of trials drawn uniformly from all networks within the budget, as a baseline.",
    ),
    click.option(
        "--prescreen", type=click.IntRange(1), default=1,
        help="Propose this many networks per trial, and train the one ranked best by the prior, or"
        " else by zero-cost proxies.",
    ),
    click.option(
        "--inherit", is_flag=True,
        help="Initialise each network from the nearest trained one, where names and shapes of"
        " weights agree.",
    ),
    click.option(
        "--lag", type=click.IntRange(1), default=4,
        help="Number of trials that may run at once. The sampler does not wait for their results,"
        " so the study depends on it.",
    ),
    click.option(
        "--eta", type=click.IntRange(0), default=3,
        help="Successive halving: at each rung, one in this many continues, by validation loss,"
        " once scores are better than chance; 0 disables it.",
    ),
    click.option(
        "--objectives", type=Parsed(_objectives), default="accuracy", metavar="LIST",
        help="What to optimise: accuracy, or several metrics, such as accuracy,macs,latency.",
    ),
    click.option(
        "--measure/--no-measure", default=True,
        help="Measure networks that are predicted to meet a latency budget of this machine, and"
        " the best ones. Without it, only predictions decide, the same on every machine.",
    ),
    click.option(
        "--start", multiple=True, metavar="SPEC",
        help="Train this network of the space first; repeatable.",
    ),
))  # fmt: skip
"""The fields of a `SearchConfig` that decide which networks are proposed."""

training_options = gathered("training", dict, together(
    data_option(
        "Data set to train on. Default: fashion-mnist if its files are found, else digits,"
        " which can only demonstrate a search."
    ),
    click.option("--data-dir", "folder", metavar="DIR", help="Folder of the data set."),
    click.option(
        "--resolution", type=click.IntRange(0), default=None,
        help="Side of the training images; 0 takes the input of the space. By default a pilot"
        " chooses it. Costs are always those at the input of the space.",
    ),
    click.option(
        "--epochs", type=click.IntRange(1), default=None,
        help="Epochs of each training. By default a pilot finds how many it takes for scores to"
        " beat chance.",
    ),
    click.option(
        "--images", type=click.IntRange(0), default=None,
        help="Images per epoch; 0 for all. By default at most 4,000, or fewer with"
        " --max-time.",
    ),
    click.option(
        "--recipe-set", "knobs", multiple=True, metavar="KNOB=VALUE",
        help="Change a knob of the recipe, as in `archscope train`.",
    ),
    click.option(
        "--device", default="cpu", metavar="DEVICE",
        help="Device of the trainings: cpu, cuda, cuda:1, or auto, a GPU if there is one. Results"
        " of a GPU are not exactly repeatable.",
    ),
    click.option(
        "--threads", type=THREADS, default=1,
        help="Threads of each training; results depend on it.",
    ),
    click.option(
        "--no-cache", is_flag=True, help="Train again what an earlier study has trained."
    ),
))  # fmt: skip
"""How candidates are trained."""

executor_options = gathered("where", dict, together(
    click.option(
        "--workers", "-j", type=click.IntRange(1), default=None,
        help="Processes that train in parallel; by default one per processor, at most 4.",
    ),
    click.option(
        "--executor", type=click.Choice(["local", "ray"]), default="local",
        help="Train on this machine, or on a Ray cluster.",
    ),
    click.option(
        "--address", metavar="HOST:PORT",
        help="Address of the Ray cluster; by default the cluster of this machine.",
    ),
))  # fmt: skip
"""Where candidates are trained."""

limit_options = gathered("limits", dict, together(
    click.option(
        "--max-time", type=Parsed(_some_time), metavar="TIME",
        help="Time for the whole search, including the final trainings: 20m.",
    ),
    click.option(
        "--trial-time", type=Parsed(_some_time), metavar="TIME",
        help="Stop a trial after this time.",
    ),
    click.option(
        "--trial-memory", "trial_bytes", type=Parsed(parse_bytes), metavar="BYTES",
        help="Memory that a training may use.",
    ),
    click.option(
        "--top", type=click.IntRange(0), default=2,
        help="Number of networks to train again at the end.",
    ),
    click.option(
        "--seeds", type=click.IntRange(1), default=2,
        help="Number of seeds for each of these trainings.",
    ),
    click.option(
        "--stretch", type=click.IntRange(1), default=2,
        help="Factor by which these trainings are longer.",
    ),
))  # fmt: skip

folder_options = together(
    click.option("--name", metavar="NAME", help="Folder of the study in --studies-dir."),
    click.option(
        "--studies-dir", type=click.Path(path_type=Path), default=Path("studies"), metavar="DIR",
        help="Folder of all studies.",
    ),
    click.option(
        "--storage", metavar="URL", help="Optuna storage; by default a file in the study's folder."
    ),
)  # fmt: skip


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

"""The options of `archscope search`."""

from __future__ import annotations

from pathlib import Path

import click

from archscope.cli.shared import completion
from archscope.cli.shared.options import THREADS, Parsed, gathered, together
from archscope.cli.shared.training_options import data_option
from archscope.errors import OptionError, did_you_mean
from archscope.metrics import objectives
from archscope.search import priors, samplers
from archscope.units import parse_bytes, parse_duration

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

"""`archscope bench search`: compare samplers on a table of networks that were really trained."""

from __future__ import annotations

import os
from pathlib import Path

import click

from archscope.cli.shared.options import Output, output_options
from archscope.cli.shared.terminal import tell
from archscope.search.priors import PRIORS
from archscope.search.samplers import SAMPLERS, check_sampler


@click.command("bench search")
@click.option(
    "--table", type=click.Path(path_type=Path), required=True, metavar="CSV",
    help="Results of training; column `arch` has a digit for each decision of the space, in order.",
)  # fmt: skip
@click.option("--space", "spec", required=True, metavar="SPEC", help="Search space of the table.")
@click.option("--column", default="mean_acc", help="Column of the table with the scores.")
@click.option(
    "--budget", "-b", "texts", multiple=True, metavar="BUDGET",
    help="As in `archscope search`, but not for measured metrics.",
)  # fmt: skip
@click.option(
    "--edge", type=click.FloatRange(0, 1, max_open=True), default=0.85,
    help="Lower edge of a single budget, as in `archscope search`; 0 for none. Regret is relative"
    " to the best network within the budget as written, without this edge.",
)  # fmt: skip
@click.option("--trials", type=click.IntRange(1), default=100, help="Networks per search.")
@click.option("--seeds", type=click.IntRange(1), default=12, help="Searches per sampler.")
@click.option(
    "--samplers", "names", default=",".join(SAMPLERS), metavar="LIST",
    help="Samplers to compare; uniform is the baseline.",
)  # fmt: skip
@click.option(
    "--model", is_flag=False, flag_value="blocks", default="", metavar="[KIND]",
    type=click.Choice(("", "blocks", "pairs")),
    help="Play the whole space: a model that is fitted to the table is the truth, with the"
    " decisions of each block together (blocks, unless said), or with all pairs of decisions, too"
    " (pairs).",
)  # fmt: skip
@click.option(
    "--prior",
    default="",
    metavar=f"[{'|'.join(PRIORS)}|FILE.json]",
    help="Prior that the samplers start with; a FILE.json is one that `make prior` wrote.",
)
@click.option(
    "--noise", type=click.FloatRange(0), default=0.0,
    help="Standard deviation of noise added to each score, in the unit of the table.",
)  # fmt: skip
@click.option("--workers", "-j", type=click.IntRange(1), default=None, help="Parallel processes.")
@output_options
def command(
    table: Path,
    spec: str,
    column: str,
    texts: tuple[str, ...],
    trials: int,
    edge: float,
    seeds: int,
    names: str,
    model: str,
    prior: str,
    noise: float,
    workers: int | None,
    output: Output,
) -> None:
    """Replay a table of trained networks and show how close each sampler comes to the best.

    Searches have the settings of `archscope search`. Regret is the score of the best network
    within the budget minus that of the best one found, in the unit of the table: mean and standard
    deviation over seeds, with a 95 % bootstrap interval of the final value. Hypervolume is the
    area that the found networks dominate, score against macs, as a share of what all networks
    dominate. If a table has only some networks of the space, each proposal becomes the nearest row.

    \b
    Examples:
      archscope bench search --table macro.csv --space cifar_macro -b 40MMACs
      archscope bench search --table imagenet.csv --column top1 --space mnas \\
        -b 300MFLOPs --model
    """
    from archscope.report.tables.studies import quality_table
    from archscope.search.benchmark import Source, compare_samplers
    from archscope.search.reference_costs import costs_in
    from archscope.sources import document
    from archscope.space.budget import budgets
    from archscope.space.search_space import space

    samplers = list(dict.fromkeys(word.strip() for word in names.split(",")))
    for name in samplers:
        check_sampler(name)
    try:
        found = compare_samplers(
            Source(table, spec, column, model, prior),
            budgets(texts, costs_in(lambda: space(document(spec))), edge=0),
            edge=edge,
            samplers=samplers,
            trials=trials,
            seeds=seeds,
            workers=workers or os.cpu_count() or 1,
            noise=noise,
            progress=tell,
        )
    finally:
        tell("")
    output.show(
        [*found.about, quality_table(found.samplers)],
        lambda: {"format": 1, "about": found.about, "samplers": found.samplers},
    )

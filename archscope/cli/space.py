"""`archscope space`: count the networks of a search space, and how many fit a budget."""

from __future__ import annotations

import click

from archscope.cli import FINDINGS, FINE
from archscope.cli.shared.inapplicable import refused
from archscope.cli.shared.latency import Latencies, latency_options
from archscope.cli.shared.options import (
    Output,
    SpecReader,
    dtype_option,
    one_spec,
    output_options,
    together,
    unfused_reader_options,
    write,
)
from archscope.cli.shared.prediction import Predictor, predict_options
from archscope.cli.shared.terminal import tell
from archscope.errors import WordError
from archscope.report.tables.space import decision_table, space_data, space_parts
from archscope.search.reference_costs import costs_in
from archscope.space.budget import budgets
from archscope.space.explore import explore
from archscope.space.search_space import space

GROUP = "Train and search"

_space_options = together(
    click.option(
        "--budget", "-b", "texts", multiple=True, metavar="BUDGET",
        help="Show how many networks fit: --budget 300MFLOPs, 'peak 4MiB', '60% of mobilenet_v2';"
        " repeatable.",
    ),
    click.option(
        "--edge", type=float, default=None, metavar="SHARE",
        help="Lower edge of a single budget, as a share of it; 0 for none. Default: 0.85.",
    ),
    click.option(
        "--vary", metavar="NAMES",
        help="Write the spec with holes for these properties: --vary width,kernel,depth.",
    ),
    click.option("--all", "every", is_flag=True, help="Show the decisions of every instance."),
    click.option(
        "--samples", type=click.IntRange(1), default=None,
        help="Draw this many networks, even if all could be evaluated.",
    ),
    click.option("--seed", type=int, default=0, help="Seed of the drawn networks."),
    dtype_option,
)  # fmt: skip


@click.command("space")
@one_spec
@_space_options
@unfused_reader_options
@refused(
    batch="budgets are for one image",
    fused="budgets are for networks as they are trained; archscope analyze winner.yaml --fused"
    " shows what folding saves",
)
@predict_options
@latency_options
@output_options
def command(
    spec: str,
    texts: tuple[str, ...],
    edge: float | None,
    vary: str | None,
    every: bool,
    samples: int | None,
    seed: int,
    dtype: str,
    reader: SpecReader,
    predictor: Predictor,
    latencies: Latencies,
    output: Output,
) -> int:
    """Show how many networks a spec with holes describes, and what they cost.

    The number is exact. Up to 20,000 networks are all evaluated; of larger spaces, networks are
    drawn uniformly, and the share that fits the budgets has a 95 % interval. Exit code 1 if no
    network was found within the budgets.

    \b
    Examples:
      archscope space mobile --budget 300MFLOPs
      archscope space mobile --budget 300MFLOPs -b "peak 4MiB" --set stem=16
      archscope space mnas --budget 300MFLOPs --predict --latency i7-12700h
      archscope space mnas --budget 300MFLOPs --budget 9ms@i7-12700h
      archscope space my_space.yaml --all --format csv
      archscope space resnet18 --vary width,depth -o my_space.yaml
    """
    document = reader.source(spec)
    if vary is not None:
        from archscope.space.vary import vary_text

        changed = space(document, limits=reader.limits, **reader.changes).document
        write(vary_text(changed, vary.split(",")), output.output)
        return FINE
    if not document.open:
        name = f"{document.name}_space.yaml"
        more = ("--vary", "width,kernel,depth", "-o", name)
        raise WordError(f"'{document.name}' has no holes", spec, more=more)
    networks = space(document, limits=reader.limits, **reader.changes)

    limits = budgets(texts, costs_in(lambda: networks, dtype), edge)
    found = explore(
        networks, limits, seed=seed, samples=samples, dtype=dtype, profile=latencies.latency,
        progress=lambda done, of: tell(f"{done:,} of {of:,} networks"),
    )  # fmt: skip
    tell("")
    if output.form == "csv":
        output.show([decision_table(networks, grouped=False)])
    else:
        lines, keys = ([], {}) if found.blocking else predictor.of_space(networks, limits, seed)
        parts = space_parts(networks, limits, found, grouped=output.form == "table" and not every)
        output.show([*parts, *lines], lambda: {**space_data(networks, limits, found), **keys})
    return FINDINGS if found.blocking else FINE

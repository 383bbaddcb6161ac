"""`archscope bench`: real latency."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archscope.analysis.memory import OPTIMIZERS
from archscope.cli import FINE
from archscope.cli.shared.options import load_spec, many_specs, output_options, show, spec_options
from archscope.cli.shared.progress import tell
from archscope.errors import OptionError
from archscope.report.tables.guideline_experiments import guideline_parts, guideline_records
from archscope.report.tables.measurements import (
    SLOWEST,
    headline,
    layer_parts,
    layer_records,
    load_notes,
    network_table,
    spread_notes,
)
from archscope.units import parse_duration

if TYPE_CHECKING:
    from archscope.bench.measure_networks import Bench

GROUP = "Measure"
DEVICES = ("auto", "cpu", "cuda")
DTYPES = ("float32", "bfloat16", "float16", "float64")
GUIDELINES = "guidelines"
"""Stands in place of a SPEC for the experiments of ShuffleNetV2."""


class Page(click.Command):
    """Hands over to another page where its first word says so."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:  # fmt: skip
        """Return the context of `bench`, or of what stands behind it."""
        if args[:1] == ["search"]:
            from archscope.cli.bench_search import command as search

            return search.make_context("bench search", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command("bench", cls=Page)
@many_specs
@spec_options
@click.option(
    "--batch",
    "batches",
    type=click.IntRange(1),
    multiple=True,
    default=(1,),
    show_default=True,
    help="Images at once; repeatable.",
)
@click.option(
    "--device",
    type=click.Choice(DEVICES),
    default="auto",
    show_default=True,
    help="Where to run; auto is a GPU where there is one.",
)
@click.option(
    "--dtype",
    type=click.Choice(DTYPES),
    default="float32",
    show_default=True,
    help="Element type of weights and inputs.",
)
@click.option(
    "--threads", type=click.IntRange(1), help="Threads of torch; its own number unless given."
)
@click.option("--training", is_flag=True, help="Measure a training step in place of inference.")
@click.option(
    "--optimizer",
    type=click.Choice(list(OPTIMIZERS)),
    default="momentum",
    show_default=True,
    help="Optimizer of the training step.",
)
@click.option(
    "--channels-last", is_flag=True, help="Keep the channels of a pixel together in memory."
)
@click.option("--compile", "compiled", is_flag=True, help="Compile with torch.compile first.")
@click.option("--fused", is_flag=True, help="Fold batch norms into the layers before them.")
@click.option(
    "--per-layer", is_flag=True, help="Time every layer and hold it against the roofline."
)
@click.option(
    "--slowest",
    type=click.IntRange(0),
    default=SLOWEST,
    show_default=True,
    help="Layers to show of each network; 0 shows all, in their order.",
)
@click.option(
    "--time",
    "time",
    default="2s",
    show_default=True,
    metavar="TIME",
    help="How long to measure each network: 500ms, 2s, 1min.",
)
@click.option(
    "--processor-time",
    is_flag=True,
    help="Measure the work of one thread, not the time on the wall: for a busy machine.",
)
@click.option(
    "--scale",
    type=click.Choice(("1", "2", "4")),
    help="Channels of the guidelines, multiples of the paper's smallest: 2 unless given.",
)
@click.option(
    "--aligned",
    is_flag=True,
    help="Channels of guideline G1 that are multiples of 8, in place of the paper's.",
)
@output_options
def command(
    specs: tuple[str, ...],
    settings: tuple[str, ...],
    inputs: tuple[str, ...],
    max_nodes: int,
    form: str,
    output: Path | None,
    **options: Any,
) -> int:
    """Measure how long networks really take: the median of many runs, with its quartiles.

    Weights and inputs are random. Several networks take turns, so that a machine that drifts is
    unfair to none. The word `guidelines` in place of a SPEC repeats experiments 1 to 4 of
    ShuffleNetV2 (arXiv:1807.11164) on this machine, in a minute and with one thread unless said;
    `./guidelines` is a file. `archscope bench search` measures samplers; see its --help.

    \b
    Examples:
      archscope bench resnet18 mobilenet_v2 shufflenet_v2_x1_0
      archscope bench resnet50 --batch 1 --batch 8 --fused --threads 2 --time 5s
      archscope bench resnet50 --per-layer --fused
      archscope bench mobilenet_v2 --training --batch 16 --format json -o bench.json
      archscope bench guidelines
    """
    options["seconds"] = parse_duration(options.pop("time"))
    slowest, scale, aligned = map(options.pop, ("slowest", "scale", "aligned"))
    if GUIDELINES in specs:
        if len(specs) > 1 or settings or inputs:
            raise OptionError(
                "'guidelines' stands alone, with no --set and no --input;"
                " a file of that name is './guidelines'"
            )
        choice = {"scale": int(scale or 2), "aligned": aligned, "threads": options["threads"] or 1}
        return _guidelines({**options, **choice}, form, output)
    if scale or aligned:
        raise OptionError("--scale and --aligned belong to 'archscope bench guidelines'")
    graphs = [load_spec(spec, settings, inputs, max_nodes) for spec in specs]
    from archscope.bench import bench  # torch takes seconds to load; a wrong spec should not

    try:
        result = bench(graphs, progress=tell, **options)
    finally:
        tell("")
    show(_parts(result, form, slowest), form, output, lambda: result)
    return FINE


def _parts(result: Bench, form: str, slowest: int) -> list[Any]:
    if form == "csv":
        return [layer_records(result) if result.roofline else network_table(result)]
    parts = [headline(result.machine, result.conditions), network_table(result)]
    notes = load_notes(result) + spread_notes(result)
    return [*parts, *notes, *layer_parts(result, slowest)]


def _guidelines(options: dict[str, Any], form: str, output: Path | None) -> int:
    for name in ("training", "fused", "per_layer"):
        if options.pop(name):
            raise OptionError(f"--{name.replace('_', '-')} does not apply to 'guidelines'")
    options.pop("optimizer")
    batches = options.pop("batches")
    if len(batches) > 1:
        raise OptionError("'guidelines' takes one --batch")
    from archscope.bench.guideline_experiments import guidelines

    try:
        result = guidelines(batch=batches[0], progress=tell, **options)
    finally:
        tell("")
    parts = [guideline_records(result.experiments)] if form == "csv" else guideline_parts(result)
    show(parts, form, output, lambda: result)
    return FINE

"""`archscope bench`: measure the latency of networks."""

from __future__ import annotations

from typing import Any

import click

from archscope.analysis.memory import OPTIMIZERS
from archscope.bench.conditions import DEVICES, DTYPES, RUNTIMES
from archscope.cli.shared.options import (
    THREADS,
    Output,
    Parsed,
    SpecReader,
    many_specs,
    output_options,
    reader_options,
)
from archscope.cli.shared.terminal import tell
from archscope.errors import OptionError
from archscope.report.tables.measurements import (
    SLOWEST,
    guideline_parts,
    guideline_records,
    network_parts,
    network_records,
)
from archscope.units import parse_duration

GROUP = "Judge"
GUIDELINES = "guidelines"
"""The word that stands in place of a SPEC and runs the experiments of ShuffleNetV2."""


class Bench(click.Command):
    """The command `bench`, which passes `bench search` on to its own command."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Return the context of `bench` or of `bench search`."""
        if args[:1] == ["search"]:
            from archscope.cli.bench_search import command as search

            return search.make_context("bench search", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command("bench", cls=Bench)
@many_specs
@reader_options
@click.option(
    "--batch",
    "batches",
    type=click.IntRange(1),
    multiple=True,
    default=(1,),
    help="Images per batch; repeatable.",
)
@click.option(
    "--device",
    type=click.Choice(DEVICES),
    default="auto",
    help="Device to run on; auto uses a GPU if there is one.",
)
@click.option(
    "--dtype",
    type=click.Choice((*DTYPES, "int8")),
    default="float32",
    help="Element type of weights and inputs; int8 needs --runtime onnxruntime.",
)
@click.option(
    "--runtime",
    type=click.Choice(list(RUNTIMES)),
    default="torch",
    help="What runs the networks; all but torch run the ONNX file that `archscope export` writes.",
)
@click.option("--threads", type=THREADS, help="Number of threads; by default that of torch.")
@click.option("--training", is_flag=True, help="Measure a training step instead of inference.")
@click.option(
    "--optimizer",
    type=click.Choice(list(OPTIMIZERS)),
    default="momentum",
    help="Optimizer of the training step.",
)
@click.option("--channels-last", is_flag=True, help="Use the channels-last memory format.")
@click.option("--compile", "compiled", is_flag=True, help="Compile with torch.compile first.")
@click.option(
    "--per-layer", is_flag=True, help="Time every layer and compare it with the roofline."
)
@click.option(
    "--slowest",
    type=click.IntRange(0),
    default=SLOWEST,
    help="Show this many of the slowest layers of each network; 0 shows all, in order.",
)
@click.option(
    "--time",
    "seconds",
    type=Parsed(parse_duration),
    default="2s",
    metavar="TIME",
    help="How long to measure each network: 500ms, 2s, 1min.",
)
@click.option(
    "--processor-time",
    is_flag=True,
    help="Measure the CPU time of one thread instead of wall-clock time, for a busy machine.",
)
@click.option(
    "--scale",
    type=click.Choice(("1", "2", "4")),
    help="For `guidelines`: channels as a multiple of the paper's smallest.  [default: 2]",
)
@click.option(
    "--aligned",
    is_flag=True,
    help="For `guidelines`: use multiples of 8 as the channels of G1, instead of the paper's.",
)
@output_options
def command(specs: tuple[str, ...], reader: SpecReader, output: Output, **options: Any) -> None:
    """Measure the latency of networks: median and quartiles of many runs.

    Weights and inputs are random. Runs of several networks are interleaved, so that a machine
    that slows down affects all of them. `archscope bench guidelines` repeats experiments 1 to 4
    of ShuffleNetV2 (arXiv:1807.11164) on this machine, which takes a minute, by default with one
    thread; write `./guidelines` for a file of that name. `archscope bench search` compares
    samplers; see its --help.

    \b
    Examples:
      archscope bench resnet18 mobilenet_v2 shufflenet_v2_x1_0
      archscope bench resnet50 --batch 1 --batch 8 --fused --threads 2 --time 5s
      archscope bench resnet50 --per-layer --fused
      archscope bench resnet50 --runtime onnxruntime --per-layer --threads 1
      archscope bench mobilenet_v2 --training --batch 16 -o bench.json
      archscope bench guidelines
    """
    options["fused"] = reader.fused
    slowest, scale, aligned = map(options.pop, ("slowest", "scale", "aligned"))
    if GUIDELINES in specs:
        if len(specs) > 1 or reader.settings or reader.inputs:
            raise OptionError(
                "'guidelines' takes no other SPEC, no --set and no --input;"
                " for a file of that name, write './guidelines'"
            )
        options |= {"scale": int(scale or 2), "aligned": aligned}
        _guidelines(options, output)
        return
    if scale or aligned:
        raise OptionError("--scale and --aligned are for 'archscope bench guidelines' only")
    graphs = reader.unfused.graphs(specs)
    from archscope.bench import bench  # imports torch, which is slow: read the specs first

    try:
        result = bench(graphs, progress=tell, **options)
    finally:
        tell("")
    parts = network_parts(result, slowest)
    output.show(parts, lambda: result, lambda: network_records(result))


def _guidelines(options: dict[str, Any], output: Output) -> None:
    """Run the experiments of ShuffleNetV2."""
    if options.pop("runtime") != "torch":
        raise OptionError("'guidelines' runs in torch only: leave out --runtime")
    for name in ("training", "fused", "per_layer"):
        if options.pop(name):
            raise OptionError(f"--{name.replace('_', '-')} does not apply to 'guidelines'")
    options.pop("optimizer")
    batches = options.pop("batches")
    if len(batches) > 1:
        raise OptionError("'guidelines' takes a single --batch")
    options |= {"batch": batches[0], "threads": options["threads"] or 1}
    from archscope.bench.measure_guidelines import guidelines

    try:
        result = guidelines(progress=tell, **options)
    finally:
        tell("")
    output.show(guideline_parts(result), lambda: result, lambda: guideline_records(result))

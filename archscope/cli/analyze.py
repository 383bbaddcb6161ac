"""`archscope analyze`: everything about one network, at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from archscope.analysis import Analysis, analyze
from archscope.analysis.cost import DTYPES
from archscope.analysis.memory import memory
from archscope.cli import FINDINGS, FINE
from archscope.cli.options import (
    cost_options,
    load_spec,
    one_spec,
    output_options,
    show,
    spec_options,
)
from archscope.ir import Graph
from archscope.report.analysis import headline, layer_records, layer_table, summary_table
from archscope.units import format_bytes, format_count, parse_bytes, parse_count


@click.command("analyze")
@one_spec
@spec_options
@cost_options
@click.option(
    "--fold", "depth", type=click.IntRange(0), default=None,
    help="Fold blocks below this many names into one row; 0 shows every layer."
    " Without it a long table is folded to fit.",
)  # fmt: skip
@click.option("--memory", "room", metavar="BYTES", help="Say which batch fits: --memory 8GiB.")
@click.option("--max-params", metavar="COUNT", help="Exit with 1 above this: --max-params 5M.")
@click.option("--max-macs", metavar="COUNT", help="Exit with 1 above this: --max-macs 300M.")
@click.option(
    "--max-memory", metavar="BYTES",
    help="Exit with 1 if weights and the peak of feature maps need more: --max-memory 64MiB.",
)  # fmt: skip
@output_options
def command(
    spec: str,
    settings: tuple[str, ...],
    inputs: tuple[str, ...],
    max_nodes: int,
    batch: int,
    dtype: str,
    optimizer: str,
    training: bool,
    depth: int | None,
    room: str | None,
    max_params: str | None,
    max_macs: str | None,
    max_memory: str | None,
    form: str,
    output: Path | None,
) -> int:
    """Count params, MACs, memory and receptive field of a network.

    No torch is loaded. Bytes are for one batch of --dtype; macs are multiply-accumulates of
    convolutions and matrix products, what papers often print as FLOPs.

    \b
    Examples:
      archscope analyze vgg16
      archscope analyze mobilenet_v2 --set width=0.5 --input 3x160x160
      archscope analyze net.yaml --format json -o net.json
      archscope analyze net.yaml --max-macs 300MFLOPs --max-params 5M   (exit 1 if over)
    """
    limits = _limits(max_params, max_macs, max_memory)
    if max_macs and "flop" in max_macs.lower():
        click.echo(f"{max_macs}: one FLOP for each multiply-accumulate, as papers count", err=True)
    space = parse_bytes(room) if room else None
    graph = load_spec(spec, settings, inputs, max_nodes)
    result = analyze(graph, batch=batch, dtype=dtype, optimizer=optimizer, training=training)
    parts: list[Any] = [headline(result), layer_table(result, depth), summary_table(result)]
    if form == "csv":
        parts = [layer_records(result, depth)]
    if space is not None:
        parts.append(_batches(graph, result, space))
    show(parts, form, output, lambda: result)
    over = [line for what, limit in limits for line in _over(result, what, limit)]
    for line in over:
        click.echo(line, err=True)
    return FINDINGS if over else FINE


def _limits(*texts: str | None) -> list[tuple[str, int]]:
    names = ("params", "macs", "memory")
    parsers = (parse_count, parse_count, parse_bytes)
    return [
        (name, parse(text))
        for name, parse, text in zip(names, parsers, texts, strict=True)
        if text is not None
    ]


def _over(result: Analysis, what: str, limit: int) -> list[str]:
    """Return a line if the network needs more than it may."""
    whole = result.totals
    used = {
        "params": whole.params,
        "macs": whole.macs,
        "memory": whole.weight_bytes + whole.peak_activation_bytes,
    }[what]
    if used <= limit:
        return []
    show_ = format_bytes if what == "memory" else format_count
    return [f"over budget: {what} {show_(used)} > {show_(limit)}"]


def _batches(graph: Graph, result: Analysis, room: int) -> str:
    maps = memory(graph if result.mode == "training" else graph.inference())
    whole, size = result.totals, DTYPES[result.dtype]
    infer = maps.largest_batch(room, whole.params, whole.buffers, size)
    train = maps.largest_batch(room, whole.params, whole.buffers, size, result.optimizer)
    return (
        f"{format_bytes(room)} hold a batch of {infer:,} at inference and of at most {train:,} in"
        f" training with {result.optimizer} ({result.dtype}; without the workspace of kernels)"
    )

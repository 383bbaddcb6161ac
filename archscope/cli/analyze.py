"""`archscope analyze`: everything about one network, at once."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click
from msgspec import structs

from archscope.analysis import analyze
from archscope.analysis.bundle import with_saving
from archscope.analysis.count import COUNTS
from archscope.cli.shared.limits import Limit, exit_code, limit_options
from archscope.cli.shared.options import (
    cost_options,
    load_document,
    one_spec,
    output_options,
    show,
    spec_options,
)
from archscope.errors import GraphError, OptionError
from archscope.report.tables.analysis import (
    headline,
    layer_records,
    layer_table,
    saving_table,
    summary_table,
    unknown_lines,
)
from archscope.transforms.fuse import fuse
from archscope.units import parse_bytes

GROUP = "Analyze"


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
@click.option(
    "--count",
    type=click.Choice(list(COUNTS)),
    default="macs",
    show_default=True,
    help="Show another convention beside macs: seed counts a bias as one more, strict counts"
    " every operation, the others are what that tool prints.",
)
@click.option("--fused", is_flag=True, help="Fold batch norms into the layers before them first,"
              " as for deployment, and show what that saves.")  # fmt: skip
@click.option("--lint", "linted", is_flag=True, help="Add what `archscope lint` finds.")
@click.option(
    "--strict", is_flag=True, help="Fail if an operator is not recognised, rather than print >=."
)
@limit_options
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
    count: str,
    fused: bool,
    linted: bool,
    strict: bool,
    limits: list[Limit],
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
      archscope analyze resnet50 --fused
      archscope analyze net.onnx --input 3x224x224   (an ONNX file)
      archscope analyze resnet50 --count ptflops     (archscope reconcile says why)
      archscope analyze net.yaml --max-macs 300MFLOPs --max-params 5M   (exit 1 if over)
    """
    if fused and training:
        raise OptionError("--fused is for inference: a folded batch norm cannot be --training")
    graph, document = load_document(spec, settings, inputs, max_nodes)
    ask = partial(
        analyze,
        batch=batch,
        dtype=dtype,
        optimizer=optimizer,
        training=training,
        memory_bytes=parse_bytes(room) if room else None,
        count=count,
    )
    result = with_saving(ask(graph), ask(fuse(graph))) if fused else ask(graph)
    if strict and result.unknown:
        kinds = ", ".join(f"{one.count} x {one.kind}" for one in result.unknown)
        raise GraphError(f"'{result.name}' has operators that are not recognised: {kinds}")
    if form == "csv":
        parts: list[Any] = [layer_records(result, depth)]
    else:
        parts = [headline(result), layer_table(result, depth), summary_table(result)]
        parts += unknown_lines(result)
        parts += saving_table(result)
    if linted:
        from archscope.linter import lint  # rules take time to load that few commands have
        from archscope.report.formats.findings import line, record

        findings = lint(graph, document)
        result = structs.replace(result, findings=tuple(map(record, findings)))
        parts += map(line, findings) if form != "csv" else ()
    show(parts, form, output, lambda: result)
    return exit_code([result], limits)

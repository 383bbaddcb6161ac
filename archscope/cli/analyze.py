"""`archscope analyze`: params, MACs, memory and receptive field of one network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from msgspec import structs

from archscope.analysis import analyze
from archscope.analysis.analyzer import with_totals_before
from archscope.analysis.count import COUNTS
from archscope.cli.shared.latency import Latencies, latency_limit_options
from archscope.cli.shared.limits import Limit, exit_code, limit_options, with_target
from archscope.cli.shared.options import (
    Output,
    Parsed,
    SpecReader,
    cost_options,
    one_spec,
    output_options,
    reader_options,
)
from archscope.cli.shared.prediction import Predictor, predict_options
from archscope.cli.shared.runs_as_networks import read_network
from archscope.cli.shared.variants import variants
from archscope.errors import GraphError, OptionError
from archscope.report.table import Part
from archscope.report.tables.analysis import (
    bits_table,
    headline,
    layer_records,
    layer_table,
    saving_table,
    summary_table,
    unknown_lines,
)
from archscope.report.tables.microcontroller import microcontroller_table
from archscope.report.tables.symbolic import symbolic_parts
from archscope.transforms.fuse import fuse
from archscope.units import parse_bytes

GROUP = "Understand"


@click.command("analyze")
@one_spec
@reader_options
@cost_options
@click.option(
    "--weights", type=click.Path(path_type=Path), metavar="FILE",
    help="Count the bytes of these weights: a .safetensors file, a state dict (.pth, .pt),"
    " or the folder of a run, as they are stored. PyTorch is loaded.",
)  # fmt: skip
@click.option(
    "--fold", "depth", type=click.IntRange(0), default=None,
    help="Show blocks at this depth as one row; 0 shows every layer. By default a long table is"
    " folded to fit the screen.",
)  # fmt: skip
@click.option(
    "--memory",
    "memory_bytes",
    type=Parsed(parse_bytes),
    metavar="BYTES",
    help="Show the largest batch that fits into this much memory: --memory 8GiB.",
)
@click.option(
    "--count",
    type=click.Choice(list(COUNTS)),
    default="macs",
    help="Also count by another convention: seed adds one for each bias, strict counts every"
    " operation, the others reproduce the tool of that name.",
)
@click.option(
    "--symbolic", "polynomials", is_flag=True,
    help="Also show the costs as polynomials in the batch size and the input size.",
)  # fmt: skip
@click.option("--lint", "linted", is_flag=True, help="Also show the findings of `archscope lint`.")
@click.option(
    "--strict", is_flag=True, help="Fail if an operator is not recognised, instead of printing >=."
)
@predict_options
@latency_limit_options
@limit_options
@output_options
def command(
    spec: str,
    reader: SpecReader,
    costs: dict[str, Any],
    weights: Path | None,
    depth: int | None,
    memory_bytes: int | None,
    count: str,
    polynomials: bool,
    linted: bool,
    strict: bool,
    predictor: Predictor,
    latencies: Latencies,
    limits: list[Limit],
    output: Output,
) -> int:
    """Show the params, MACs, memory and receptive field of a network.

    Bytes are for one batch of --dtype elements. Macs are the multiply-accumulates of convolutions
    and matrix products, which papers often call FLOPs. PyTorch is not loaded. SPEC may be the
    folder of a run. With its weights, or those of --weights, bytes of weights are those of the
    types in the file; of weights that rounding left on even levels, those of few bits and scales.

    \b
    Examples:
      archscope analyze vgg16
      archscope analyze mobilenet_v2 --set width=0.5 --input 3x160x160
      archscope analyze net.yaml --format json -o net.json
      archscope analyze resnet50 --fused
      archscope analyze resnet50 --symbolic          (macs = a*H*W*N + b*N)
      archscope analyze resnet50 --predict           (ImageNet accuracy)
      archscope analyze resnet50 --latency rtx4090   (milliseconds)
      archscope analyze runs/lenet5-digits           (weights as stored)
      archscope analyze lenet5 --weights few.safetensors
      archscope analyze net.onnx --input 3x224x224   (an ONNX file)
      archscope analyze resnet50 --count ptflops     (reconcile says why)
      archscope analyze mobilenet_v1 --target mcu --max-ram 512KiB
      archscope analyze net.yaml --max-macs 300MFLOPs   (exit 1 if over)
    """
    reader.refuse_training(costs["training"])
    costs = with_target(costs, limits)
    if weights is not None and costs["dtype"] is not None:
        raise OptionError("--weights excludes --dtype: bytes are those of the weights as stored")
    graph, document = read_network(reader, spec, costs["batch"], weights)
    result = analyze(graph, memory_bytes=memory_bytes, count=count, **costs)
    deployed = graph
    if reader.fused:
        deployed = fuse(graph)
        folded = analyze(deployed, memory_bytes=memory_bytes, count=count, **costs)
        result = with_totals_before(result, folded)
    result = predictor.complete(result, graph)
    result = latencies.complete(result, deployed)
    if strict and result.unknown:
        kinds = ", ".join(f"{unknown.count} x {unknown.kind}" for unknown in result.unknown)
        raise GraphError(f"'{result.name}' has operators that are not recognised: {kinds}")
    if polynomials:
        from archscope.analysis.symbolic import symbolic  # slow to import: it needs fractions

        make = variants(reader, document, training=costs["training"])
        result = structs.replace(result, symbolic=symbolic(make({}), make))
    parts: list[Part] = [headline(result), layer_table(result, depth), summary_table(result)]
    parts += [*microcontroller_table(result), *symbolic_parts(result)]
    parts += [*bits_table(result), *unknown_lines(result), *saving_table(result)]
    if linted:
        from archscope.linter import lint  # loading the rules takes time
        from archscope.linter.records import record
        from archscope.report.findings.text import line

        findings = lint(graph, document, batch=costs["batch"])
        result = structs.replace(result, findings=tuple(map(record, findings)))
        parts += map(line, findings)
    output.show(parts, lambda: result, lambda: layer_records(result, depth))
    slow = latencies.exit_code([(result.name, result.latency)])
    return max(exit_code([result], limits), slow)

"""`archscope guidelines`: score networks by ShuffleNetV2's four guidelines."""

from __future__ import annotations

import click

from archscope.cli import FINDINGS, FINE
from archscope.cli.shared.inapplicable import indifferent
from archscope.cli.shared.options import (
    Output,
    SpecReader,
    batch_option,
    many_specs,
    output_options,
    reader_options,
)
from archscope.report.tables.rules import score_card
from archscope.rules.network import Network
from archscope.rules.rule import RULES, Guideline

GROUP = "Judge"


@click.command("guidelines")
@many_specs
@reader_options
@batch_option
@indifferent(dtype="the scores are ratios of elements, whatever their type")
@click.option("--strict", is_flag=True, help="Exit with 1 if a guideline is violated.")
@output_options
def command(
    specs: tuple[str, ...], reader: SpecReader, batch: int, strict: bool, output: Output
) -> int:
    """Score networks by the four guidelines of ShuffleNetV2, one row each.

    G1: memory access of 1x1 convolutions relative to its lower bound. G2: memory access of grouped
    convolutions relative to dense ones. G3: fragments of the largest block. G4: share of memory
    access in element-wise operators. `archscope rule G1` explains the first, and so on.

    \b
    Examples:
      archscope guidelines shufflenet_v1_g3 mobilenet_v2 shufflenet_v2_x1_0
      archscope guidelines specs/*.yaml --format csv -o guidelines.csv
    """
    rules = [cls() for _, cls in sorted(RULES.items()) if issubclass(cls, Guideline)]
    cards = []
    for graph in reader.graphs(specs, batch):
        network = Network(graph, batch=batch)
        cards.append((network.graph.name, [rule.score(network) for rule in rules]))
    data = {
        "format": 1,
        "networks": [{"name": name, "scores": scores} for name, scores in cards],
    }
    output.show([score_card(cards)], lambda: data)
    broken = any(score.broken for _, scores in cards for score in scores)
    return FINDINGS if strict and broken else FINE

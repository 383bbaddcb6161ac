"""The contract of counting conventions: a total for networks, explained term by term."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from archscope.analysis import analyze
from archscope.analysis.conventions.convention import layers
from archscope.analysis.count import convention, counted
from archscope.analysis.reconcile import reconcile
from archscope.contracts.check import Check, expect
from archscope.language import load

NETWORKS = ("lenet5", "mobilenet_v3_small", "googlenet")
"""Networks that every convention must count."""


def checks(name: str, file: Path | None = None) -> Iterator[Check]:
    """Yield the checks of a convention."""
    for network in NETWORKS:
        yield Check(f"on {network}", partial(terms_lead_to_the_count, name, network))


def terms_lead_to_the_count(name: str, network: str) -> None:
    """Check a convention on a network, by its terms and as a whole."""
    graph = load(network).inference()
    rule = convention(name)
    expect(rule.name == name, f"its file is called '{name}', its convention '{rule.name}'")
    expect(
        rule.about and not rule.about.endswith("."), "`about` must be a phrase without a full stop"
    )
    numbers = counted(graph, name)
    for node, number in numbers.items():
        expect(isinstance(number, int) and number >= 0, f"it counts {number} for {node}")
    for layer in layers(graph):
        differences = rule.differences(layer)
        assert differences is not None
        said = all(reason and amount for reason, amount in differences)
        expect(said, f"a term of {layer.node.name} has no reason")
        whole = layer.macs + sum(amount for _, amount in differences)
        expect(numbers[layer.node.name] == whole, f"terms of {layer.node.name} give {whole}")
    totals = analyze(graph, count=name).totals
    expect(totals.counted == sum(numbers.values()) > 0, f"the total is {totals.counted}")
    if name == "macs":
        expect(totals.counted == totals.macs, "its count of macs differs from macs")
        return
    (reckoning,) = reconcile(graph, [name]).tools
    expect(reckoning.counted == totals.counted, f"reconcile counts {reckoning.counted}")
    explained = sum(reason.amount for reason in reckoning.reasons)
    expect(reckoning.difference == explained, "reasons do not add up to the difference from macs")

"""Findings with what the layers that they are about take, as a profile predicts it."""

from __future__ import annotations

from msgspec import structs

from archscope.records.latency import Latency
from archscope.rules.rule import Finding
from archscope.units import format_measure


def with_latency(finding: Finding, latency: Latency) -> Finding:
    """Return a finding with the milliseconds of the kernels that compute its nodes.

    They are in its evidence and its message. A finding about a network as a whole, or about layers
    for which nothing runs, stays as it is.
    """
    nodes = {finding.node, *finding.others}
    kernels = {layer.kernel for layer in latency.layers if layer.name in nodes and layer.kernel}
    spent = sum(layer.milliseconds for layer in latency.layers if layer.name in kernels)
    if finding.node is None or not spent:
        return finding
    evidence = {
        **finding.evidence,
        "milliseconds": spent,
        "milliseconds_of": latency.milliseconds,
        "profile": latency.profile,
    }
    message = (
        f"{finding.message}; {format_measure(spent)} of {format_measure(latency.milliseconds)} ms"
        f" by '{latency.profile}'"
    )
    return structs.replace(finding, message=message, evidence=evidence)

"""Add the predicted latency of the affected layers to findings."""

from __future__ import annotations

from msgspec import structs

from archscope.records.latency import Latency
from archscope.rules.rule import Finding
from archscope.units import format_measure


def with_latency(finding: Finding, latency: Latency) -> Finding:
    """Add the milliseconds of the kernels that compute its nodes to a finding.

    They go into its evidence and its message. A finding about a network as a whole, or about
    layers that need no kernel, is returned unchanged.
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

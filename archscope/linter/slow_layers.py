"""Add the predicted latency of the affected layers to findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import structs

from archscope.records.latency import Latency, LayerLatency
from archscope.rules.rule import Finding
from archscope.units import format_measure


def with_latency(findings: Sequence[Finding], latency: Latency) -> list[Finding]:
    """Add the milliseconds of the kernels that compute its nodes to each finding of a network.

    They go into its evidence and its message. A finding about a network as a whole, or about
    layers that need no kernel, is returned unchanged.
    """
    layers = {layer.name: layer for layer in latency.layers}
    return [_with_latency(finding, latency, layers) for finding in findings]


def _with_latency(
    finding: Finding, latency: Latency, layers: Mapping[str, LayerLatency]
) -> Finding:
    nodes = (name for name in (finding.node, *finding.others) if name in layers)
    kernels = dict.fromkeys(layers[name].kernel for name in nodes if name)
    spent = sum(layers[kernel].milliseconds for kernel in kernels if kernel)
    if not spent:
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

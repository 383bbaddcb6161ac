"""Conventions of counting: what the number that a tool prints includes.

The core is macs. A convention is a table of what a tool adds to them or misses, kept in
`conventions/`, one file for each tool, and loaded on demand.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from archscope.errors import GraphError
from archscope.ir import Graph

if TYPE_CHECKING:
    from archscope.analysis.conventions.convention import Convention

TOOLS = ("fvcore", "ptflops", "ptflops-aten", "torchinfo", "thop", "torchprofile", "torch")
"""Tools whose numbers are reproduced."""

COUNTS = ("macs", "seed", "strict", *TOOLS)
"""Every convention by name."""


def convention(name: str) -> Convention:
    """Return a convention. Raises KeyError for a name that is not in `COUNTS`."""
    if name not in COUNTS:
        raise KeyError(name)
    place, word = name.replace("-", "_"), "CONVENTION"
    if name not in TOOLS:
        place, word = "ours", name.upper()
    module = import_module(f"archscope.analysis.conventions.{place}")
    found: Convention = getattr(module, word)
    return found


def counted(graph: Graph, name: str, batch: int = 1) -> dict[str, int]:
    """Return what a convention counts of each node, for a batch.

    Raises GraphError where the network has an operator of which that is not known.
    """
    if name == "macs":
        return {node.name: node.facts.macs * batch for node in graph.nodes}
    from archscope.analysis.conventions.convention import layers

    rule = convention(name)
    times = 1 if rule.per_image else batch
    result = {}
    for layer in layers(graph):
        node = layer.node
        differences = rule.differences(layer)
        if layer.unknown:
            raise GraphError(
                f"'{graph.name}' has operators that are not recognised, such as"
                f" {node.op.label} at {node.name}: what {name} counts"
                " of them is not known, so there is no total"
            )
        if differences is None:
            raise GraphError(
                f"what {name} counts of '{node.op.name}' ({layer.module}) is not known,"
                f" so there is no total for '{graph.name}' (at {node.name})"
            )
        result[node.name] = (layer.macs + sum(amount for _, amount in differences)) * times
    return result

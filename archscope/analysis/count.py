"""Counting conventions: what the number that a tool prints includes.

The basis is macs. A convention is a table of what a tool adds to them or misses; `conventions/` has
one file per tool, loaded on demand.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from archscope.errors import GraphError
from archscope.ir import Graph
from archscope.plugins.discovery import PluginFile
from archscope.plugins.registry import Registry

if TYPE_CHECKING:
    from archscope.analysis.conventions.convention import Convention

TOOLS = ("fvcore", "ptflops", "ptflops-aten", "torchinfo", "thop", "torchprofile", "torch")
"""Tools whose counts are reproduced."""


def _place(name: str) -> str:
    """Return the module and the attribute of one of our own conventions."""
    if name in TOOLS:
        return f"archscope.analysis.conventions.{name.replace('-', '_')}:CONVENTION"
    return f"archscope.analysis.conventions.ours:{name.upper()}"


def _taken(file: PluginFile, module: ModuleType) -> tuple[str, str]:
    return file.stem.replace("_", "-"), f"{file.module}:CONVENTION"


COUNTS: Registry[str] = Registry(
    "conventions", {name: _place(name) for name in ("macs", "seed", "strict", *TOOLS)}, _taken
)
"""Every convention by name: its module, and the attribute there."""


def convention(name: str) -> Convention:
    """Return the convention of this name. Raises KeyError for a name that is not in `COUNTS`."""
    module, _, word = COUNTS[name].partition(":")
    found: Convention = getattr(import_module(module), word)
    return found


def counted(graph: Graph, name: str, batch: int = 1) -> dict[str, int]:
    """Return a convention's count of each node, for a batch.

    Raises GraphError if the count of an operator is unknown.
    """
    if name == "macs":
        return {node.name: node.own_macs * batch for node in graph.nodes}
    from archscope.analysis.conventions.convention import layers

    rule = convention(name)
    times = 1 if rule.per_image else batch
    result = {}
    for layer in layers(graph):
        node = layer.node
        differences = rule.differences(layer)
        if layer.unknown:
            why = "computed weights" if node.weight_macs else "operators that are not recognised"
            raise GraphError(
                f"'{graph.name}' has {why}, such as {node.op.label} at {node.name}: their count in"
                f" {name} is unknown, so there is no total"
            )
        if differences is None:
            raise GraphError(
                f"the count of '{node.op.name}' ({layer.module}) in {name} is unknown,"
                f" so there is no total for '{graph.name}' (at {node.name})"
            )
        result[node.name] = (layer.macs + sum(amount for _, amount in differences)) * times
    return result

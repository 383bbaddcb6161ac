"""What an importer returns: a graph, and its weights where they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from archscope.ir import Graph


def no_weights() -> dict[str, Any]:
    """Return no weights at all."""
    return {}


class Imported(Struct, frozen=True):
    """A graph, and the weights of its source by the nodes that have them.

    `weights()` returns torch tensors or numpy arrays, each named after its node and its name in
    the torch module of that node's operator: `layer1.0.conv1.weight`.
    """

    graph: Graph
    weights: Callable[[], Mapping[str, Any]] = no_weights

"""What an importer returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from archscope.ir import Graph


def no_weights() -> dict[str, Any]:
    """Return no weights at all."""
    return {}


class Imported(Struct, frozen=True):
    """A graph, and the weights of its source under the names that the built network has.

    `weights` makes a dict of torch tensors or numpy arrays when it is called; `names` maps the
    nodes to where they come from, for those who renamed the nodes.
    """

    graph: Graph
    weights: Callable[[], Mapping[str, Any]] = no_weights

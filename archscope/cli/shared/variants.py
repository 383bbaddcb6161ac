"""Rebuild the network of a command line for other input shapes."""

from __future__ import annotations

from collections.abc import Callable

from archscope import space
from archscope.cli.shared.options import SpecReader
from archscope.ir import Graph, Shape
from archscope.language.document import Document
from archscope.transforms.fuse import fuse


def variants(
    reader: SpecReader, document: Document, *, training: bool
) -> Callable[[dict[str, Shape]], Graph]:
    """Return a function that builds the network for the given input shapes, by input name."""
    changes = reader.changes

    def make(shapes: dict[str, Shape]) -> Graph:
        given = next(iter(shapes.values())) if len(shapes) == 1 else shapes
        changed = {**changes, "input": given} if shapes else changes
        graph = space.graph(document, **changed, limits=reader.limits)
        if not training:
            graph = graph.inference()
        return fuse(graph) if reader.fused else graph

    return make

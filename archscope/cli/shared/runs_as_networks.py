"""Networks of runs: a run's spec, with the bytes and bits of the weights that it stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import structs

from archscope.cli.shared.options import SpecReader
from archscope.ir import Graph
from archscope.language.document import Document
from archscope.report.naming import told_apart
from archscope.sources import run_of
from archscope.transforms.fuse import fuse


def read_network(
    reader: SpecReader, spec: str, batch: int = 1, weights: Path | None = None
) -> tuple[Graph, Document]:
    """Return the network that a word names, which may be the folder of a run, and its document.

    The graph has the bytes and bits of the weights in a file, or of a run's best ones, if there are
    some already. It is not fused. Raises ArchscopeError.
    """
    own, best = run_of(spec) or (spec, None)
    graph, document = reader.unfused.document(own, batch)
    return stored(graph, weights, best), document


def stored(graph: Graph, weights: Path | None, best: Path | None = None) -> Graph:
    """Return a graph with the bytes and bits of given weights, or else of a run's best ones."""
    if weights is not None:
        from archscope.compress.stored_weights import with_given_weights  # slow to import

        return with_given_weights(graph, weights)
    if best is not None:
        from archscope.compress.stored_weights import with_stored_weights

        return with_stored_weights(graph, best)
    return graph


def read_networks(reader: SpecReader, specs: Sequence[str], batch: int = 1) -> list[Graph]:
    """Return the networks of several words, under distinct names, fused if the reader says so."""
    found = [read_network(reader, spec, batch)[0] for spec in specs]
    names = told_apart([graph.name for graph in found], specs)
    return [
        structs.replace(fuse(graph) if reader.fused else graph, name=name)
        for graph, name in zip(found, names, strict=True)
    ]

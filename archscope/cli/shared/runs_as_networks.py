"""Networks of runs: a run's spec, with the bytes and bits of the weights that it stored."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct, structs

from archscope.analysis.result import Analysis
from archscope.cli.shared.options import SpecReader
from archscope.ir import Graph
from archscope.language.document import Document
from archscope.report.naming import told_apart
from archscope.transforms.fuse import fuse

WEIGHTS = "best.safetensors"


class NetworkOfSpec(Struct, frozen=True):
    """A network, and the file of the run that it comes from whose weights it would have."""

    graph: Graph
    document: Document
    weights: Path | None = None


def read_network(reader: SpecReader, spec: str, batch: int = 1) -> NetworkOfSpec:
    """Return the network that a word names, which may be the folder of a run.

    The graph of a run has the bytes and bits of its best weights, if there are some already. It is
    not fused. Raises ArchscopeError.
    """
    run = _run(spec)
    word = spec if run is None else (run / "spec.yaml").as_posix()
    found = NetworkOfSpec(*reader.unfused.document(word, batch))
    if run is None or not (run / WEIGHTS).is_file():
        return found
    from archscope.compress.stored_weights import with_stored_weights

    stored = with_stored_weights(found.graph, run / WEIGHTS)
    return NetworkOfSpec(stored, found.document, run / WEIGHTS)


def read_networks(reader: SpecReader, specs: Sequence[str], batch: int = 1) -> list[NetworkOfSpec]:
    """Return the networks of several words, under distinct names, fused if the reader says so."""
    found = [read_network(reader, spec, batch) for spec in specs]
    names = told_apart([network.graph.name for network in found], specs)
    return [
        structs.replace(
            network,
            graph=structs.replace(
                fuse(network.graph) if reader.fused else network.graph, name=name
            ),
        )
        for network, name in zip(found, names, strict=True)
    ]


def with_weights(result: Analysis, weights: Path | None, dtype: str | None) -> Analysis:
    """Return an analysis that names the file of its weights, unless bytes are those of a dtype."""
    if weights is None or dtype is not None:
        return result
    return structs.replace(result, weights=weights.as_posix())


def _run(spec: str) -> Path | None:
    """Return the folder of a run that a word names, None for other words."""
    if not os.path.isdir(spec):  # noqa: PTH112 - Path.is_dir raises for long one-line patterns
        return None
    from archscope.records.run_folder import is_run  # slow to import

    return Path(spec) if is_run(Path(spec)) else None

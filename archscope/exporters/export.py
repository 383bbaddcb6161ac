"""One network to one file: built, given its weights, fused where asked for, written and checked."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from msgspec import Struct
from torch import Tensor

from archscope.build import Network, build
from archscope.exporters.agreement import check
from archscope.exporters.formats import FORMATS, OPSET
from archscope.exporters.weight_files import fused_weights, load_weights
from archscope.ir import Graph
from archscope.transforms.fuse import foldable, fuse


class Exported(Struct, frozen=True):
    """What was made of a network."""

    content: bytes
    network: Network  # with the weights that are in the file
    difference: float  # the largest of an output from the network's, as a share of the largest
    norms: int  # batch norms that were folded


def export(
    graph: Graph,
    to: str,
    *,
    weights: Mapping[str, Tensor] | None = None,
    source: str = "the weights",
    seed: int = 0,
    fused: bool = False,
    opset: int = OPSET,
) -> Exported:
    """Return a network in a format of `FORMATS`, which was run against the network itself.

    Without `weights` they are random, drawn with `seed`; `source` is what errors call them.
    `fused` folds batch norms into the layers before them. Raises ArchscopeError.
    """
    make = FORMATS[to].exporter()
    with torch.random.fork_rng(devices=()):  # the caller's random numbers stay what they were
        torch.manual_seed(seed)
        network = build(graph).eval()
        if weights is not None:
            load_weights(network, weights, source)
        norms, folded = 0, 0.0
        if fused:
            norms = len(foldable(graph.inference()))
            plain, network = network, build(fuse(graph)).eval()
            load_weights(network, fused_weights(graph, plain.state_dict()), "the fused network")
            folded = check(plain, network, "fused")
        made = make(network, opset)
    return Exported(made.content, network, max(made.difference, folded), norms)

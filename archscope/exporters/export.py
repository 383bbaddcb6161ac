"""Export a network: build it, set its weights, fuse it if requested, write and check the file."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from msgspec import Struct
from torch import Tensor

from archscope.analysis.batch_norms import foldable
from archscope.build import Network, build
from archscope.exporters.comparison import largest_difference
from archscope.exporters.formats import FORMATS, Format
from archscope.exporters.preprocessed_network import PreprocessedNetwork
from archscope.exporters.preprocessing import Preprocessing
from archscope.exporters.torch_errors import explained
from archscope.fused import fused_network
from archscope.ir import Graph
from archscope.weights import load_weights


class ExportedNetwork(Struct, frozen=True):
    """The content of an exported file, and the network in it."""

    content: bytes
    kind: Format
    network: Network  # with the weights that are in the file
    difference: float | None  # of outputs, as a fraction of the largest; None if not checked
    norms_folded: int  # batch norms
    preprocessing: Preprocessing | None = None  # what the file expects of its images, if known

    @property
    def graph(self) -> Graph:
        """The graph of the network in the file."""
        return self.network.graph

    def weights(self) -> bytes:
        """Return the content of the separate file with the weights of the network."""
        from safetensors.torch import save

        writer = self.kind.weights_writer()
        if writer is not None:
            return writer(self.network)
        state = self.network.state_dict()
        return save({name: tensor.contiguous() for name, tensor in state.items()})


def export_network(
    graph: Graph,
    to: str,
    *,
    weights: Mapping[str, Tensor] | None = None,
    source: str = "the weights",
    seed: int = 0,
    fused: bool = False,
    opset: int | None = None,
    preprocessing: Preprocessing | None = None,
) -> ExportedNetwork:
    """Export a network to a format of `FORMATS`, and compare the outputs of the loaded file.

    Without `weights` they are random, drawn with `seed`; `source` names them in errors. `fused`
    folds batch norms into the layers before them; `opset` is a version of ONNX's operators, by
    default that of `write_onnx`. `preprocessing` is written into files
    that hold weights. Raises ArchscopeError.
    """
    kind = FORMATS[to]
    export = kind.exporter()
    with torch.random.fork_rng(devices=()):  # does not change the caller's random state
        torch.manual_seed(seed)
        network = build(graph).eval()
        if weights is not None:
            load_weights(network, weights, source)
        norms, difference = 0, 0.0
        if fused:
            norms = len(foldable(graph.inference()))
            plain, network = network, fused_network(network)
            difference = largest_difference(plain, network, "fused network")
        written = network
        if preprocessing is not None:
            preprocessing = preprocessing.written(graph, kind.holds_weights)
            written = PreprocessedNetwork(network, preprocessing)
        content = export(written, opset)
        if kind.unchecked:
            return ExportedNetwork(content, kind, network, None, norms, preprocessing)
        with explained(f"the {to} file cannot be loaded", last=True):
            run = kind.loader()(content, network.state_dict())
        difference = max(difference, largest_difference(written, run, f"{to} file"))
    return ExportedNetwork(content, kind, network, difference, norms, preprocessing)

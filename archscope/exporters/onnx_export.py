"""Export to ONNX without torch: optionally folded, with preprocessing, checked by onnx."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from msgspec import Struct, structs
from numpy.typing import NDArray

from archscope import __version__
from archscope.analysis.batch_norms import foldable
from archscope.errors import GraphError
from archscope.exporters.onnx_writer import OnnxModel, write_onnx
from archscope.exporters.preprocessing import Preprocessing
from archscope.exporters.streamed_arrays import scaled
from archscope.exporters.weight_arrays import Arrays, Streamed, fitted, random_arrays, untrained
from archscope.graph_builder import GraphBuilder
from archscope.ir import Graph
from archscope.language.write import to_yaml
from archscope.module_names import free_name, module_path
from archscope.ops.norm import BatchNorm
from archscope.transforms.fuse import fuse
from archscope.transforms.fused_arrays import fused_arrays

NORMALISE = "normalize"
"""Suffix that the operator which normalises an image adds to the name of the input."""


class ExportedOnnx(Struct, frozen=True):
    """An ONNX model, and the graph and weights it was written from."""

    model: OnnxModel
    graph: Graph  # the graph in the file, with batch norms folded if requested
    plain: Graph  # before folding
    given: Streamed | None  # the weights of the plain network, None if random
    seed: int  # for random weights
    norms_folded: int
    preprocessing: Preprocessing | None

    @property
    def arrays(self) -> Arrays:
        """The weights of the plain network."""
        if self.given is None:
            return random_arrays(self.plain, self.seed)
        return {name: np.asarray(array) for name, array in self.given.items()}


def export_onnx(
    graph: Graph,
    weights: Mapping[str, NDArray[Any]] | None = None,
    *,
    source: str = "the weights",
    seed: int = 0,
    fused: bool = True,
    opset: int | None = None,
    preprocessing: Preprocessing | None = None,
) -> ExportedOnnx:
    """Export a network as an ONNX model for inference with any batch size, checked by onnx.

    `weights` are arrays by their names in the state dict of `archscope.build`, called `source` in
    errors; without them, weights are random, drawn with `seed`. `fused` folds batch norms into
    the layers before them. With `preprocessing` the model normalises its images itself. Its
    metadata have the spec, the version of archscope, and what is known about its input. Raises
    ArchscopeError.
    """
    graph = graph.inference()
    given = None if weights is None else fitted(graph, weights, source)
    held: Streamed = untrained(graph, seed) if given is None else given
    plain, written, norms = graph, graph, 0
    metadata = {"archscope_version": __version__}
    with suppress(GraphError):  # cannot be written as a spec
        metadata["archscope_spec"] = to_yaml(plain)
    if fused:
        norms, held = len(foldable(plain)), fused_arrays(plain, held, scaled)
        written = graph = structs.replace(fuse(plain), name=plain.name)
    if preprocessing is not None:
        preprocessing = preprocessing.written(graph, holds_weights=True)
        metadata |= preprocessing.metadata()
        if preprocessing.in_file:
            written, held = _normalising(graph, held, preprocessing)
    model = write_onnx(written, held, opset=opset, metadata=metadata)
    model.check()
    return ExportedOnnx(model, graph, plain, given, seed, norms, preprocessing)


def _normalising(
    graph: Graph, arrays: Streamed, preprocessing: Preprocessing
) -> tuple[Graph, Streamed]:
    """Return the network with a batch norm after each input that normalises images."""
    builder, held = GraphBuilder(), dict(arrays)
    norm = BatchNorm(eps=0.0, affine=False)
    taken = set(graph.by_name)
    names: dict[str, str] = {}
    for node in graph.nodes:
        builder.again(node, node.op, [names.get(name, name) for name in node.inputs])
        if node.inputs:
            continue
        name = free_name(f"{node.name}_{NORMALISE}", taken)
        names[node.name] = builder.add(name, norm, (node.name,))
        at = module_path(name)
        held[f"{at}.running_mean"] = np.array(preprocessing.mean, np.float32)
        held[f"{at}.running_var"] = np.array(preprocessing.variance, np.float32)
    return structs.replace(graph, nodes=tuple(builder.nodes.values())), held

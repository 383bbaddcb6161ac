"""A graph and its weights as an ONNX model, without torch: what every operator states as `onnx`.

Values, operators and weights have the names of the graph's nodes; the parts of an operator that
takes several of ONNX's are called `node/Kind`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from archscope import __version__
from archscope.errors import OptionError, UnavailableError
from archscope.exporters.formats import OPSET
from archscope.exporters.onnx_steps import OnnxSteps
from archscope.exporters.weight_arrays import fitted, random_arrays
from archscope.ir import Graph

FIRST_OPSET = 18
"""The first whose operators take the inputs that are stated; reductions get their axes so."""

MAX_BYTES = 2**31 - 2**24
"""Protobuf's limit, with room for the graph."""


def library() -> Any:
    """Return the package `onnx`. Raises UnavailableError if it is missing."""
    try:
        import onnx
    except ImportError as error:
        raise UnavailableError(
            f"ONNX needs the package {error.name}: pip install 'archscope[onnx]'"
        ) from None
    return onnx


def write_onnx(
    graph: Graph,
    weights: Mapping[str, NDArray[Any]] | None = None,
    *,
    seed: int = 0,
    opset: int = OPSET,
    metadata: Mapping[str, str] | None = None,
    source: str = "the weights",
) -> Any:
    """Return the `onnx.ModelProto` of a graph for inference, for any batch.

    `weights` are arrays by their names in the state dict of `archscope.build`, which errors call
    `source`; without, they are random, drawn with `seed`. Batch norms stay as they are in the
    graph. `metadata` are texts by name.

    Raises UnavailableError without the package onnx; OptionError for weights of other names or
    shapes, for more than 2 GiB, and for an opset that lacks an operator; GraphError for an
    operator that states no form in ONNX.
    """
    onnx, graph = library(), graph.inference()
    newest = onnx.defs.onnx_opset_version()
    if not FIRST_OPSET <= opset <= newest:
        raise OptionError(f"ONNX is written in opset {FIRST_OPSET} to {newest}, got {opset}")
    arrays = random_arrays(graph, seed) if weights is None else fitted(graph, weights, source)
    size = sum(array.nbytes for array in arrays.values())
    if size > MAX_BYTES:
        raise OptionError(
            f"an ONNX file holds 2 GiB, and the weights of '{graph.name}' are {size:,} bytes"
        )
    found = OnnxSteps(graph, arrays, opset)
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    inputs, outputs, between = (
        [helper.make_tensor_value_info(name, number, shape) for name, shape in shapes.items()]
        for shapes in (found.inputs, found.outputs, found.between)
    )
    nodes = [
        helper.make_node(step.kind, step.inputs, step.outputs, step.name, **dict(step.attributes))
        for step in found.steps
    ]
    held = [onnx.numpy_helper.from_array(value, name) for name, value in found.held.items()]
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(
        helper.make_graph(nodes, graph.name, inputs, outputs, held, value_info=between),
        opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets),
        producer_name="archscope",
        producer_version=__version__,
    )
    helper.set_model_props(model, dict(metadata or {}))
    return model

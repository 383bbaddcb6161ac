"""The results of ONNX operators on constants, computed by ONNX's reference implementation."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from archscope.errors import DataError
from archscope.importers.onnx.model_file import library, named

MAX_ELEMENTS = 1 << 28
"""Size of the largest constant that is computed, so that a small file cannot ask for all memory."""

RANDOM = frozenset({
    "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial",
    "Bernoulli",
})  # fmt: skip


def compute(
    node: Any,
    types: Mapping[str, Any],
    constants: Mapping[str, Any],
    opsets: Mapping[str, int],
    file: str,
) -> dict[str, Any]:
    """Return the outputs of an operator on constants, by name. Raises DataError."""
    import numpy

    onnx = library()
    for output in types.values():
        if prod(axis.dim_value for axis in output.tensor_type.shape.dim) > MAX_ELEMENTS:
            raise DataError(f"{file}: {named(node)} asks for a constant too large to keep")
    if node.op_type == "Identity":
        return {node.output[0]: constants[node.input[0]]}
    feeds = {name: constants[name] for name in node.input if name}
    outputs = [name for name in node.output if name]
    info, untyped = onnx.helper.make_value_info, onnx.TypeProto()
    graph = onnx.helper.make_graph(
        [node], "alone", [info(name, untyped) for name in feeds],
        [info(name, untyped) for name in outputs],
    )  # fmt: skip
    evaluator = onnx.reference.ReferenceEvaluator
    try:
        try:
            alone = evaluator(graph, opsets=dict(opsets))
        except RuntimeError:  # it does not implement so old an opset; the newest is tried
            alone = evaluator(node)
        results = alone.run(None, feeds)
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise DataError(f"{file}: {named(node)} cannot be computed: {reason}") from None
    return dict(zip(outputs, map(numpy.asarray, results), strict=True))

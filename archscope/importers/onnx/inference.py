"""Infer the output types of an ONNX operator, or compute its values with the reference evaluator.

Both are ONNX's own implementations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archscope.errors import DataError
from archscope.importers.onnx.model_file import first_line, library, named, opsets

MAX_VALUES = 4096
"""Shape inference gets the values of constants up to this size."""

RANDOM = frozenset({
    "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial",
    "Bernoulli",
})  # fmt: skip

SHAPED_LIKE = {
    "DynamicQuantizeMatMul": ("MatMul", 2), "MatMulIntegerToFloat": ("MatMul", 2),
    "FusedConv": ("Conv", 3), "FusedGemm": ("Gemm", 3), "Gelu": ("Identity", 1),
    "FastGelu": ("Identity", 1), "BiasGelu": ("Identity", 1), "QuickGelu": ("Identity", 1),
    "SkipLayerNormalization": ("Identity", 1),
}  # fmt: skip
"""Operators of onnxruntime with the output shape of ONNX's own, for this many inputs."""

SAME_TYPE = frozenset({"GroupNormalization", "MeanVarianceNormalization"})
"""Operators whose result has the type of their input, but that ONNX cannot infer."""

INPUT_AXES = {"Conv": 1, "ConvTranspose": 0}
"""The axis of input channels in the weights of a convolution."""


def infer_types(
    model: Any, node: Any, known: Mapping[str, Any], constants: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the inferred types of an operator's outputs. Raises DataError."""
    onnx, domain = library(), node.domain
    version = opsets(model).get(domain)
    if version is None:
        raise DataError(
            f"{named(node)} has the domain '{domain}', for which the model states no version"
        )
    try:
        schema = onnx.defs.get_schema(node.op_type, version, domain)
    except onnx.defs.SchemaError:
        if domain == "":
            raise DataError(f"opset {version} has no operator {node.op_type}") from None
        return _shaped_like(model, node, known) if domain == "com.microsoft" else {}
    types = {name: known[name] for name in node.input if name}
    data = {
        name: onnx.numpy_helper.from_array(constants[name], name)
        for name in types
        if name in constants and constants[name].size <= MAX_VALUES
    }
    try:
        inferred: dict[str, Any] = onnx.shape_inference.infer_node_outputs(
            schema, node, types, data, opset_imports=list(model.opset_import)
        )
    except Exception as error:  # InferenceError and plain RuntimeError
        raise DataError(f"{named(node)} does not fit its inputs: {first_line(error)}") from None
    if domain == "" and node.op_type in SAME_TYPE:
        return {node.output[0]: types[node.input[0]]}
    if domain == "" and node.op_type in INPUT_AXES:
        _check_channels(node, types)
    return inferred


def _shaped_like(model: Any, node: Any, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the output type of an onnxruntime operator, if ONNX has a similar operator."""
    onnx = library()
    kind, count = SHAPED_LIKE.get(node.op_type, ("", 0))
    version = opsets(model).get("")
    if not kind or version is None:
        return {}
    schema = onnx.defs.get_schema(kind, version)
    names = [name for name in node.input[:count] if name]
    like = onnx.helper.make_node(kind, names, node.output[:1], node.name)
    like.attribute.extend(given for given in node.attribute if given.name in schema.attributes)
    types = {}
    for name in names:
        types[name] = onnx.TypeProto()
        types[name].CopyFrom(known[name])
        types[name].tensor_type.elem_type = onnx.TensorProto.FLOAT
    try:
        found: dict[str, Any] = onnx.shape_inference.infer_node_outputs(schema, like, types)
    except Exception as error:
        raise DataError(f"{named(node)} does not fit its inputs: {first_line(error)}") from None
    return found


def _check_channels(node: Any, types: Mapping[str, Any]) -> None:
    """Check that a convolution's weights fit the channels of its input, which ONNX does not."""
    image, weight = (
        [axis.dim_value for axis in types[name].tensor_type.shape.dim] for name in node.input[:2]
    )
    attributes = {attribute.name: attribute.i for attribute in node.attribute}
    groups = attributes.get("group", 1) if node.op_type == "Conv" else 1
    wanted = weight[INPUT_AXES[node.op_type]] * groups
    if image[1] != wanted:
        raise DataError(
            f"{named(node)} does not fit its inputs: its weights are for {wanted} channels,"
            f" its input has {image[1]}"
        )


def compute(model: Any, node: Any, constants: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outputs of an operator on constants, by name. Raises DataError."""
    import numpy

    onnx = library()
    if node.op_type == "Identity":
        return {node.output[0]: constants[node.input[0]]}
    feeds = {name: numpy.asarray(constants[name]) for name in node.input if name}
    outputs = [name for name in node.output if name]
    info, untyped = onnx.helper.make_value_info, onnx.TypeProto()
    graph = onnx.helper.make_graph(
        [node], "alone", [info(name, untyped) for name in feeds],
        [info(name, untyped) for name in outputs],
    )  # fmt: skip
    evaluator = onnx.reference.ReferenceEvaluator
    try:
        try:
            alone = evaluator(graph, opsets=opsets(model))
        except RuntimeError:  # it does not implement old opsets; the newest is tried
            alone = evaluator(node)
        results = alone.run(None, feeds)
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise DataError(f"{named(node)} cannot be computed: {reason}") from None
    return dict(zip(outputs, map(numpy.asarray, results), strict=True))

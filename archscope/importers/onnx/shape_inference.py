"""Types and shapes of what an ONNX operator gives, by ONNX's own shape inference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archscope.errors import DataError
from archscope.importers.onnx.model_file import domain_of, named, opsets

MAX_VALUES = 4096
"""Size of the largest constant whose values shape inference gets."""

SAME_TYPE = frozenset({"GroupNormalization", "MeanVarianceNormalization"})
"""Operators whose result has the type of their input, which ONNX does not infer."""

INPUT_AXES = {"Conv": 1, "ConvTranspose": 0}
"""The axis of a convolution's weights along which its input channels lie."""


class Inference:
    """Shape inference for the operators of one model."""

    def __init__(self, onnx: Any, model: Any, file: str) -> None:
        self.onnx, self.file = onnx, file
        self.opsets = opsets(model)
        self.imports = list(model.opset_import)

    def types(
        self, node: Any, known: Mapping[str, Any], constants: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the types of an operator's outputs, as far as they follow. Raises DataError."""
        onnx, domain = self.onnx, domain_of(node)
        version = self.opsets.get(domain)
        if version is None:
            raise DataError(
                f"{self.file}: {named(node)} is of domain '{domain}', whose version is not given"
            )
        try:
            schema = onnx.defs.get_schema(node.op_type, version, domain)
        except onnx.defs.SchemaError:
            if domain == "":
                raise DataError(
                    f"{self.file}: opset {version} has no operator {node.op_type}"
                ) from None
            return {}
        types = {name: known[name] for name in node.input if name}
        data = {
            name: onnx.numpy_helper.from_array(constants[name], name)
            for name in types
            if name in constants and constants[name].size <= MAX_VALUES
        }
        try:
            inferred: dict[str, Any] = onnx.shape_inference.infer_node_outputs(
                schema, node, types, data, opset_imports=self.imports
            )
        except Exception as error:  # InferenceError and plain RuntimeError
            raise self._misfit(node, str(error)) from None
        if domain == "" and node.op_type in SAME_TYPE:
            return {node.output[0]: types[node.input[0]]}
        if domain == "" and node.op_type in INPUT_AXES:
            self._check_channels(node, types)
        return inferred

    def _check_channels(self, node: Any, types: Mapping[str, Any]) -> None:
        """Compare a convolution's weights with the channels of its input, which ONNX does not."""
        shapes = [
            [axis.dim_value for axis in types[name].tensor_type.shape.dim]
            for name in node.input[:2]
        ]
        attributes = {attribute.name: attribute.i for attribute in node.attribute}
        groups = attributes.get("group", 1) if node.op_type == "Conv" else 1
        wanted = shapes[1][INPUT_AXES[node.op_type]] * groups
        if shapes[0][1] != wanted:
            raise self._misfit(
                node, f"its weights are for {wanted} channels, its input has {shapes[0][1]}"
            )

    def _misfit(self, node: Any, reason: str) -> DataError:
        line = (reason.strip().splitlines() or ["no reason given"])[0]
        return DataError(f"{self.file}: {named(node)} does not fit its inputs: {line}")

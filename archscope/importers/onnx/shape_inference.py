"""The types and shapes that an ONNX operator gives, by ONNX's own shape inference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archscope.errors import DataError
from archscope.importers.onnx.model_file import domain_of, named, opsets

SMALL = 4096
"""Elements up to which shape inference is shown the values of a constant."""

ALIKE = frozenset({"GroupNormalization", "MeanVarianceNormalization"})
"""Operators that give the type they get, of which ONNX does not say it."""

WEIGHTED = {"Conv": (1, 0), "ConvTranspose": (0, 1)}
"""The axis of a convolution's weights that holds its inputs, and whether groups part it."""


class Inference:
    """Answers for the operators of one model."""

    def __init__(self, onnx: Any, model: Any, file: str) -> None:
        self.onnx, self.file = onnx, file
        self.opsets = opsets(model)
        self.imports = list(model.opset_import)

    def types(
        self, node: Any, given: Mapping[str, Any], constants: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the types of an operator's outputs, those that are known. Raises DataError."""
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
        types = {name: given[name] for name in node.input if name}
        data = {
            name: onnx.numpy_helper.from_array(constants[name], name)
            for name in types
            if name in constants and constants[name].size <= SMALL
        }
        try:
            found: dict[str, Any] = onnx.shape_inference.infer_node_outputs(
                schema, node, types, data, opset_imports=self.imports
            )
        except Exception as error:  # InferenceError and plain RuntimeError
            raise self._misfit(node, str(error)) from None
        if domain == "" and node.op_type in ALIKE:
            return {node.output[0]: types[node.input[0]]}
        if domain == "" and node.op_type in WEIGHTED:
            self._check_channels(node, types)
        return found

    def _check_channels(self, node: Any, types: Mapping[str, Any]) -> None:
        """Hold a convolution's weights against what it reads, which ONNX does not."""
        shapes = [
            [one.dim_value for one in types[name].tensor_type.shape.dim] for name in node.input[:2]
        ]
        place, whole = WEIGHTED[node.op_type]
        groups = next((one.i for one in node.attribute if one.name == "group"), 1)
        wanted = shapes[1][place] * (1 if whole else groups)
        if shapes[0][1] != wanted:
            raise self._misfit(
                node, f"its weights are for {wanted} channels, its input has {shapes[0][1]}"
            )

    def _misfit(self, node: Any, reason: str) -> DataError:
        line = (reason.strip().splitlines() or ["no reason given"])[0]
        return DataError(f"{self.file}: {named(node)} does not fit its inputs: {line}")

"""Expand operators on quantized tensors into dequantization, the operator, and quantization.

So QLinearConv and similar operators are read as in the QDQ format. A float network computes the
same up to a step of the last scale, because integer kernels round once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from archscope.importers.onnx.model_file import library, opsets

MICROSOFT = "com.microsoft"

UNARY = {
    "QLinearGlobalAveragePool": "GlobalAveragePool", "QLinearAveragePool": "AveragePool",
    "QLinearSigmoid": "Sigmoid", "QLinearLeakyRelu": "LeakyRelu", "QLinearSoftmax": "Softmax",
    "QLinearReduceMean": "ReduceMean",
}  # fmt: skip
"""Operators of X, its scale and zero, and those of Y; onnxruntime's."""

BINARY = {"QLinearAdd": "Add", "QLinearMul": "Mul"}
"""Operators of A, its scale and zero, those of B, and the scale and zero of C; onnxruntime's."""

PLAIN = frozenset({"QLinearConv", "QLinearMatMul"})
"""Those of ONNX itself."""

OTHERS = frozenset({
    "QLinearConcat", "QLinearWhere", "QGemm", "QuantizeLinear", "DequantizeLinear",
})  # fmt: skip
"""Those of onnxruntime with another form."""

NOT_ONNX = frozenset({"channels_last", "opset"})
"""Attributes that the operators of ONNX lack; images must have their channels first."""


class Visitor(Protocol):
    """Computes or keeps operators one by one."""

    model: Any
    constants: dict[str, Any]
    sources: dict[str, frozenset[str]]

    def visit(self, node: Any) -> None:
        """Compute an operator, or keep it with its output shapes."""

    def keep(self, name: str, value: Any) -> None:
        """Keep a constant."""


def is_quantized(node: Any) -> bool:
    """Return whether this module expands an operator."""
    if node.op_type in PLAIN:
        return node.domain in ("", MICROSOFT)
    known = node.op_type in UNARY or node.op_type in BINARY or node.op_type in OTHERS
    attributes = {given.name: given.i for given in node.attribute}
    return known and node.domain == MICROSOFT and not attributes.get("channels_last")


def write_out(visitor: Visitor, node: Any) -> None:
    """Visit the operators that a quantized one expands to."""
    writer, kind = _Writer(visitor, node), node.op_type
    given = [*node.input, *[""] * 9]
    if kind in UNARY:
        x, scale, zero, *out = given[:5]
        writer.write(UNARY[kind], [writer.real(x, scale, zero)], out)
    elif kind in BINARY:
        reals = [writer.real(*given[:3]), writer.real(*given[3:6])]
        writer.write(BINARY[kind], reals, given[6:8])
    elif kind == "QLinearConcat":
        rows = [node.input[place : place + 3] for place in range(2, len(node.input), 3)]
        writer.write("Concat", [writer.real(*row) for row in rows], node.input[:2])
    elif kind == "QLinearWhere":
        reals = [given[0], writer.real(*given[1:4]), writer.real(*given[4:7])]
        writer.write("Where", reals, given[7:9])
    elif kind == "QLinearConv":
        reals = [writer.real(*given[:3]), writer.real(*given[3:6], axis=0)]
        reals += [writer.sums(given[8], given[1], given[4])] if given[8] else []
        writer.write("Conv", reals, given[6:8])
    elif kind == "QLinearMatMul":
        writer.write("MatMul", [writer.real(*given[:3]), writer.real(*given[3:6])], given[6:8])
    elif kind == "QGemm":
        turned = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
        reals = [writer.real(*given[:3]), writer.real(*given[3:6], axis=0 if turned else 1)]
        reals += [writer.sums(given[6], given[1], given[4])] if given[6] else []
        writer.write("Gemm", reals, given[7:9])
    else:  # ONNX's own, in a version before 16 bits were supported
        writer.make(kind, list(node.input), node.output[0])


class _Writer:
    """Creates the operators for a quantized operator, and visits them."""

    def __init__(self, visitor: Visitor, node: Any) -> None:
        self.visitor, self.node, self.made = visitor, node, 0

    def write(self, kind: str, reals: list[str], quantized: Sequence[str]) -> None:
        """Visit an operator on dequantized inputs, and the quantization of its result."""
        output = self.node.output[0]
        scale, zero = (*quantized, "", "")[:2]
        result = self._name("real") if scale else output
        made = library().helper.make_node(kind, reals, [result], self.node.name)
        made.attribute.extend(a for a in self.node.attribute if a.name not in NOT_ONNX)
        axes = next((a for a in made.attribute if a.name == "axes"), None)
        if axes is not None and opsets(self.visitor.model).get("", 1) >= 18:
            self.visitor.keep(f"{result}/axes", _integers(axes.ints))
            made.input.append(f"{result}/axes")
            made.attribute.remove(axes)
        self.visitor.visit(made)
        if scale:
            self.make("QuantizeLinear", [result, scale, zero], output)

    def real(self, name: str, scale: str, zero: str, *, axis: int = 0) -> str:
        """Return the name of a dequantized tensor."""
        constants = self.visitor.constants
        if name in constants and scale in constants and (not zero or zero in constants):
            result = f"{name}|{scale}|{zero}"
            if result in constants:
                return result
            value, step = constants[name], constants[scale]
            shift = constants[zero] if zero else step * 0
            if step.size > 1 or shift.size > 1:
                shape = [-1 if place == axis else 1 for place in range(value.ndim)]
                step, shift = (part.reshape(shape) for part in (step, shift))
            numbers = value.astype("int32") - shift.astype("int32")
            return self._kept(result, name, (numbers * step).astype(step.dtype))
        self.make("DequantizeLinear", [name, scale, zero], result := self._name("input"))
        return result

    def sums(self, name: str, *scales: str) -> str:
        """Return the name of a bias, whose scale is the product of those of the factors."""
        constants, steps = self.visitor.constants, 1.0
        result = "|".join((name, *scales))
        for scale in scales:
            steps = constants[scale].reshape(-1) * steps
        return self._kept(
            result, name, (constants[name] * steps).astype(constants[scales[0]].dtype)
        )

    def make(self, kind: str, inputs: list[str], output: str) -> None:
        """Visit one operator of ONNX."""
        while inputs and not inputs[-1]:
            inputs.pop()
        self.visitor.visit(library().helper.make_node(kind, inputs, [output]))

    def _kept(self, result: str, name: str, value: Any) -> str:
        self.visitor.keep(result, value)
        self.visitor.sources[result] = self.visitor.sources.get(name, frozenset())
        return result

    def _name(self, word: str) -> str:
        self.made += 1
        return f"{self.node.output[0]}/{word}{self.made}"


def _integers(values: Sequence[int]) -> Any:
    import numpy

    return numpy.array(list(values), dtype=numpy.int64)

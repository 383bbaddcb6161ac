"""Resolve a model: infer the shape of every value, and compute all constants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any

from archscope.errors import ArchscopeError, DataError
from archscope.importers.formats import Inputs
from archscope.importers.onnx.control_flow import ControlFlow
from archscope.importers.onnx.deferred import Deferred
from archscope.importers.onnx.inference import RANDOM, compute, infer_types
from archscope.importers.onnx.input_shapes import batch_of, fixed_axes, input_shapes
from archscope.importers.onnx.limits import Allowance
from archscope.importers.onnx.model_file import learned_of, library, named, opsets
from archscope.importers.onnx.qoperators import is_quantized, write_out
from archscope.importers.onnx.resolved_model import (
    PREPARED,
    OnnxOperator,
    ResolvedModel,
    needed,
    scopes_of,
)
from archscope.importers.onnx.split_lists import SplitLists
from archscope.importers.onnx.tensor_data import TensorData
from archscope.importers.onnx.weight_inputs import weight_inputs
from archscope.ir import text_of

INTEGERS = ("INT", "UINT", "BOOL")
"""The beginnings of the names of ONNX types of integers and truth values."""

STORED_AS = {
    "FLOAT": "float32", "DOUBLE": "float64", "FLOAT16": "float16", "BFLOAT16": "bfloat16",
    "INT8": "int8", "UINT8": "int8",
}  # fmt: skip
"""The ONNX types whose bytes are counted."""

OF_SHAPE = frozenset({"Shape", "Size", "EyeLike"})
"""Operators whose results depend on the shape of their input alone."""

FILLING = frozenset({"ConstantOfShape", "Expand"})
"""Operators that repeat values."""

DEFERRED = frozenset({"DequantizeLinear", "Cast"})
"""Operators that convert weights to another type, which analyses ignore."""

DEFERRED_BYTES = 1 << 16
"""Results of at least this many bytes are computed on demand."""

SOURCE_BYTES = 64
"""The bytes needed to remember a constant that another one is computed from."""


def resolve(model: Any, data: TensorData, sizes: Inputs = None) -> ResolvedModel:
    """Return a model resolved for inputs of the given sizes. Raises ArchscopeError.

    `data` reads the data of its tensors.
    """
    resolver = _Resolver(model, data, sizes)
    flow, scope = ControlFlow(resolver), dict[str, str]()
    for node in model.graph.node:
        try:
            flow.walk(node, scope)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            raise DataError(f"{named(node)} does not follow ONNX's definition") from None
    return resolver.result(scope)


def _numbers(data: Any, tensor: Any) -> Any:
    """Return the numbers of a tensor in the file. Raises DataError."""
    try:
        numbers = data.array(tensor)
    except ArchscopeError:
        raise
    except Exception as error:  # too few bytes, an unknown type
        reason = f"the type {error} is not known" if isinstance(error, KeyError) else error
        raise DataError(f"the weights '{tensor.name}' are broken: {reason}") from None
    if any(size < 0 for size in tensor.dims):
        sizes = text_of(tuple(tensor.dims))
        raise DataError(f"the weights '{tensor.name}' are broken: their shape is {sizes}")
    return numbers


class _Resolver:
    """Visits the nodes of a model in order and keeps the type of each value."""

    def __init__(self, model: Any, data: TensorData, sizes: Inputs) -> None:
        self.onnx, self.model, self.data = library(), model, data
        self.types: dict[str, Any] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.constants: dict[str, Any] = {}
        self.initializers: set[str] = set()
        self.sources: dict[str, frozenset[str]] = {}
        self.operators: list[OnnxOperator] = []
        self.lists = SplitLists(self)
        self.declared = {info.name: info.type for info in model.graph.value_info}
        self.declared |= {info.name: info.type for info in model.graph.output}
        self.initialize(model.graph.initializer)
        self.allowance = Allowance(data.bytes)
        inputs = [info for info in model.graph.input if info.name not in self.constants]
        self.inputs = input_shapes(inputs, sizes)
        for info in inputs:
            self.note(info.name, info.type.tensor_type.elem_type, self.inputs[info.name])

    def initialize(self, tensors: Iterable[Any], prefix: str = "") -> None:
        """Keep the weights of a graph, with a prefix to their names. Raises DataError."""
        for tensor in tensors:
            name = f"{prefix}{tensor.name}"
            self.keep(name, _numbers(self.data, tensor))
            self.initializers.add(name)
            if tensor.data_type != tensor.INT64:  # the message has sizes and offsets
                self.sources[name] = frozenset([name])

    def note(self, name: str, elements: int, shape: Sequence[int]) -> None:
        """Keep the type and shape of a value."""
        self.types[name] = self.onnx.helper.make_tensor_type_proto(elements, shape)
        self.shapes[name] = tuple(shape)

    def keep(self, name: str, value: Any) -> None:
        """Keep a constant."""
        self.constants[name] = value
        self.note(name, self.onnx.helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)

    def visit(self, node: Any) -> None:
        """Compute an operator whose inputs are constant, or keep it with its output shapes."""
        for name in node.input:
            if name and name not in self.types:
                raise DataError(f"{named(node)} reads '{name}', which no operator produces")
        for name in node.output:
            if name and name in self.types and name not in self.initializers:
                raise DataError(f"{named(node)} produces '{name}', which is there already")
        own = node.domain in ("", PREPARED)
        kind = str(node.op_type) if own else f"{node.domain}.{node.op_type}"
        if is_quantized(node):
            return write_out(self, node)
        if self.lists.visit(node):
            return None
        if kind == "CastLike":
            node = self._cast(node)
            kind = str(node.op_type)
        shapes = [self.shapes.get(name) for name in node.input if name]
        if kind in OF_SHAPE and shapes[0] is not None:
            return self._of_shape(node, shapes[0])
        types = infer_types(self.model, node, self.types, self.constants)
        constant = all(name in self.constants for name in node.input if name)
        if constant and kind not in RANDOM and not node.domain:
            return self._fold(node, types)
        for name in filter(None, node.output):
            self._note(node, name, types.get(name) or self.declared.get(name))
        self.operators.append(
            OnnxOperator(
                kind,
                node.name,
                tuple(node.input),
                tuple(node.output),
                {attribute.name: self._plain(attribute) for attribute in node.attribute},
                opsets(self.model).get(node.domain, 1),
                scopes_of(node),
                any(name and self._type_name(name).startswith(INTEGERS) for name in node.input[:1]),
            )
        )
        return None

    def _plain(self, attribute: Any) -> Any:
        value = self.onnx.helper.get_attribute_value(attribute)
        if isinstance(value, bytes):
            return value.decode(errors="replace")
        return list(value) if attribute.type in (6, 7, 8) else value

    def _of_shape(self, node: Any, shape: tuple[int, ...]) -> None:
        """Keep what depends on the shape of a value alone."""
        import numpy

        given = {attribute.name: attribute.i for attribute in node.attribute}
        part = shape[given.get("start", 0) : given.get("end", len(shape))]
        found = numpy.array(prod(shape) if node.op_type == "Size" else part, dtype=numpy.int64)
        if node.op_type == "EyeLike":
            kind = given.get("dtype") or self.types[node.input[0]].tensor_type.elem_type
            self.allowance.take_bytes(named(node), 8 * prod(shape))
            dtype = self.onnx.helper.tensor_dtype_to_np_dtype(kind)
            rows, columns = shape
            found = numpy.eye(rows, columns, given.get("k", 0), dtype)
        self.keep(node.output[0], found)

    def _cast(self, node: Any) -> Any:
        """Replace a cast to the type of another value by a cast to that type, or an identity."""
        kept, to = (self.types[name].tensor_type.elem_type for name in node.input[:2])
        make_node = self.onnx.helper.make_node
        if kept == to:
            return make_node("Identity", node.input[:1], node.output, node.name)
        return make_node("Cast", node.input[:1], node.output, node.name, to=to)

    def _fold(self, node: Any, types: Mapping[str, Any]) -> None:
        """Keep the results of an operator on constants as constants."""
        self.types.update(types)
        inputs = [node.input[place] for place in weight_inputs(node.op_type, len(node.input))
                  if place < len(node.input)]  # fmt: skip
        sources = frozenset().union(*(self.sources.get(name, ()) for name in inputs))
        self.allowance.take_bytes(named(node), SOURCE_BYTES * len(sources))
        if node.op_type in FILLING and not sources:
            self._fill(node)
            return
        if node.input:
            given = [self.constants[name] for name in node.input if name]
            self.allowance.spend(named(node), node.op_type, types.values(), given, self.onnx)
        for name, value in self._computed(node, types).items():
            self.keep(name, value)
            self.sources[name] = sources
            if node.op_type == "Identity" and node.input[0] in self.initializers:
                self.initializers.add(name)  # torch's exporter uses it to write equal weights once
            if not node.input and value.dtype != "int64":
                self.sources[name] = frozenset([name])

    def _computed(self, node: Any, types: Mapping[str, Any]) -> dict[str, Any]:
        """Return the results of an operator on constants, by name."""
        kind = types.get(node.output[0])
        if node.op_type in DEFERRED and kind is not None:
            dtype = self.onnx.helper.tensor_dtype_to_np_dtype(kind.tensor_type.elem_type)
            shape = self.constants[node.input[0]].shape
            made = Deferred(shape, dtype, lambda: self._now(node)[node.output[0]])
            if made.nbytes >= DEFERRED_BYTES:
                return {node.output[0]: made}
        for given in node.attribute:
            if node.op_type == "Constant" and self.data.is_external(given.t):
                return {node.output[0]: self.data.array(given.t)}
        return self._now(node)

    def _now(self, node: Any) -> dict[str, Any]:
        return compute(self.model, node, self.constants)

    def _fill(self, node: Any) -> None:
        """Keep a constant filled with one value as that value, whatever its size."""
        import numpy

        name, (first, *rest) = node.output[0], [self.constants[given] for given in node.input]
        if node.op_type == "ConstantOfShape":
            values = [self.onnx.numpy_helper.to_array(given.t) for given in node.attribute]
            number, shape = (values or [numpy.zeros(1, numpy.float32)])[0].reshape(()), first
        else:
            number, shape = first, rest[0]
        size = tuple(map(int, shape))
        if node.op_type == "Expand":
            size = numpy.broadcast_shapes(number.shape, size)
        self.allowance.fill(named(node), prod(size) * number.itemsize)
        self.keep(name, numpy.broadcast_to(number, size))
        # Some files replace their weights by such constants of the same shapes, to be small.
        if node.input[0] in self.initializers and number.dtype.kind in "fV" and number.any():
            self.initializers.add(name)
            self.sources[name] = frozenset([name])

    def _note(self, node: Any, name: str, kind: Any) -> None:
        """Keep the type and shape of a value. Raises DataError if they are unknown."""
        if node.domain and (kind is None or not kind.tensor_type.HasField("shape")):
            raise DataError(
                f"the output shape of {named(node)} of domain '{node.domain}' is unknown;"
                " add it to the file's value_info"
            )
        if kind is None:
            raise DataError(f"the output of {named(node)} is unknown")
        self.types[name] = kind
        if not kind.HasField("tensor_type"):
            raise DataError(
                f"{named(node)} has an output other than a tensor, which is not supported"
            )
        dims = fixed_axes(kind.tensor_type)
        if not kind.tensor_type.HasField("shape") or None in dims:
            declared = self.declared.get(name)
            if declared is not None and declared is not kind:
                return self._note(node, name, declared)
            raise DataError(
                f"the output size of {named(node)} depends on the data;"
                " archscope analyses networks whose shapes are fixed"
            )
        self.shapes[name] = tuple(dim for dim in dims if dim is not None)
        if min(self.shapes[name], default=1) < 1:
            raise DataError(
                f"{named(node)} leaves nothing of its input:"
                f" it would give {text_of(self.shapes[name])}"
            )
        return None

    def result(self, scope: Mapping[str, str]) -> ResolvedModel:
        """Return the model without the operators that no output needs.

        `scope` maps the file's names of values to the names used here.
        """
        titles = [info.name for info in self.model.graph.output]
        outputs = [scope.get(name, name) for name in titles]
        for name, title in zip(outputs, titles, strict=True):
            if name not in self.types:
                raise DataError(f"no operator produces the output '{title}'")
        kept = needed(self.operators, outputs)
        if not kept:
            raise DataError("no output depends on an input")
        batch = batch_of(self.inputs)
        return ResolvedModel(
            kept, self.constants, self.initializers, self.sources, self.shapes,
            list(self.inputs), outputs, batch, self._dtype(kept), learned_of(self.model),
            dict(zip(outputs, titles, strict=True)) if outputs != titles else {},
        )  # fmt: skip

    def _type_name(self, name: str) -> str:
        """Return the ONNX type of the elements of a value."""
        elements = self.types[name].tensor_type.elem_type
        return str(self.onnx.TensorProto.DataType.Name(elements))

    def _dtype(self, operators: Sequence[OnnxOperator]) -> str:
        """Return the most frequent type of results, if its bytes are known."""
        numbers: Counter[str] = Counter()
        names = [*self.inputs, *(name for operator in operators for name in operator.outputs)]
        for name in filter(None, names):
            kind = self._type_name(name)
            if kind in STORED_AS:
                numbers[STORED_AS[kind]] += prod(self.shapes[name])
        return max(numbers, key=numbers.__getitem__, default="float32")

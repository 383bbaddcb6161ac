"""Write operators whose types are known as they are written: what both kinds of models share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod
from typing import Any

from archscope.errors import DataError, LimitError
from archscope.importers.coreml.messages import Message
from archscope.importers.coreml.stored import INDEX, Stored, WeightStore
from archscope.importers.onnx.inference import infer_types
from archscope.importers.onnx.operator_writer import OPSET, OperatorWriter
from archscope.importers.onnx.resolved_model import PREPARED

UNKNOWN = "coreml"
"""The domain of layers and operations that no operator of ONNX equals."""

END = 2**31 - 1
"""Where slices end that have no end."""

MOST_FILLED = 1 << 24
"""The numbers of constants that stand for what a norm or a recurrent layer lacks."""

SMALL = 4096
"""Constants of at most this size are known to the inference of shapes."""


class Writing(OperatorWriter):
    """Writes operators, and knows the shape of each value, -1 for axes of any size."""

    domain = UNKNOWN

    def __init__(self, weights: WeightStore) -> None:
        super().__init__()
        self.weights = weights
        self.kinds: dict[str, Any] = {}  # the types of values
        self.small: dict[str, Any] = {}  # constants that shapes may depend on
        self.notes: dict[str, None] = {}  # differences from the file, in order
        self.versions = self.onnx.ModelProto()
        for domain, version in {"": OPSET, PREPARED: 1, UNKNOWN: 1}.items():
            self.versions.opset_import.add(domain=domain, version=version)

    # Values.

    def dims(self, value: str) -> list[int]:
        """Return the shape of a value, -1 for axes of any size."""
        tensor = self.kinds[value].tensor_type
        return [axis.dim_value if axis.HasField("dim_value") else -1 for axis in tensor.shape.dim]

    def rank(self, value: str) -> int:
        """Return the number of axes of a value."""
        return len(self.dims(value))

    def known_dims(self, value: str) -> list[int]:
        """Return the shape of a value. Raises DataError if it has axes of any size."""
        dims = self.dims(value)
        if -1 in dims:
            raise DataError(f"the size of '{value[-60:]}' depends on the data")
        return dims

    def element(self, value: str) -> int:
        """Return ONNX's type of a value."""
        return int(self.kinds[value].tensor_type.elem_type)

    def input(self, name: str, element: int, dims: Sequence[int]) -> Any:
        """Add an input, and return its declaration."""
        self.taken[name] = 0
        self.kinds[name] = self.onnx.helper.make_tensor_type_proto(element, list(dims))
        return self.onnx.helper.make_tensor_value_info(name, element, list(dims))

    # Writing.

    def op(self, kind: str, *inputs: str, outputs: int = 1, domain: str = "", **given: Any) -> Any:
        """Write an operator, and return the value of its result, or of each of several."""
        made = super().op(kind, *inputs, outputs=outputs, domain=domain, **given)
        if not domain:
            node = self.nodes[-1]
            self.kinds.update(infer_types(self.versions, node, self.kinds, self.small))
        return made

    def declare(self, value: str, element: int, dims: Sequence[int]) -> None:
        """State the type of a value that ONNX does not infer."""
        sizes = [None if size < 0 else size for size in dims]
        info = self.onnx.helper.make_tensor_value_info(value, element, sizes)
        self.types.append(info)
        self.kinds[value] = info.type

    def constant(self, values: Any, kind: Any = None) -> str:
        """Write a constant that is not in the file, which counts as a setting."""
        name = super().constant(values, kind)
        array = self.arrays[name]()
        self.kinds[name] = self.onnx.helper.make_tensor_type_proto(
            self.onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
        )
        if array.size <= SMALL:
            self.small[name] = array
        return name

    def number(self, values: Any, like: str) -> str:
        """Write a constant of numbers of the type of another value."""
        return self.constant(values, self.onnx.helper.tensor_dtype_to_np_dtype(self.element(like)))

    def filled(self, number: float, sizes: Sequence[int], like: str) -> str:
        """Write a constant of one number. Raises LimitError for more numbers than weights have."""
        import numpy

        if prod(sizes) > MOST_FILLED:
            raise LimitError(f"a constant of {prod(sizes)} numbers is beyond the limit")
        return self.number(numpy.full(list(sizes), number), like)

    def stored(self, stored: Stored, name: str) -> str:
        """Write numbers of the file."""
        name = self.fresh(name)
        if stored.is_index:  # one type for all of them
            array = stored.read().astype("int64")
            tensor = self.onnx.numpy_helper.from_array(array, name)
            if array.size <= SMALL:
                self.small[name] = array
        else:
            tensor = self.weights.tensor(stored, name)
        self.arrays[name] = stored.read
        self.tensors.append(tensor)
        self.kinds[name] = self.onnx.helper.make_tensor_type_proto(
            INDEX if stored.is_index else tensor.data_type, stored.shape
        )
        return name

    def opaque(
        self, kind: str, inputs: Sequence[str], outs: Sequence[tuple[int, Sequence[int]]]
    ) -> list[str]:
        """Write an operation without an equivalent, whose outputs have these types and shapes."""
        kind = re.sub(r"\W", "_", kind)
        made = self.op(kind, *inputs, outputs=len(outs), domain=UNKNOWN)
        names = [made] if isinstance(made, str) else made
        for name, (element, dims) in zip(names, outs, strict=True):
            self.declare(name, element, dims)
        return list(names)

    def note(self, text: str) -> None:
        """Name a difference from the file in the summary of the network."""
        self.notes[text] = None

    # Compressed weights.

    def dequantized(self, codes: Stored, scale: Any, zero: Any, name: str, element: int) -> str:
        """Write numbers as `(codes - zero) * scale`; both broadcast to the numbers.

        They count as stored. `zero` is None without one.
        """
        import numpy

        scale = numpy.asarray(scale)
        zeros = numpy.zeros((), scale.dtype) if zero is None else numpy.asarray(zero)
        value = self.stored(codes, name)
        whole = numpy.rint(zeros.astype(numpy.float64))
        parts = [part for part in (scale, zeros) if part.size > 1]
        axes = {axis for part in parts for axis, size in enumerate(part.shape) if size > 1}
        least, most = RANGES.get(codes.kind.onnx, (1, 0))
        if (
            len(axes) <= 1
            and (whole == zeros).all()
            and least <= whole.min() <= whole.max() <= most
        ):
            shape = () if not axes else (-1,)
            size = max(scale.size, zeros.size)
            each = [numpy.broadcast_to(part.reshape(-1), size) for part in (scale, whole)]
            point = self.fresh("const")
            self.tensors.append(
                self.onnx.helper.make_tensor(
                    point, codes.kind.onnx, [size] * len(shape), each[1].astype(int).tolist()
                )
            )
            self.kinds[point] = self.onnx.helper.make_tensor_type_proto(
                codes.kind.onnx, [size] * len(shape)
            )
            factor = self.constant(
                each[0].reshape(shape), self.onnx.helper.tensor_dtype_to_np_dtype(element)
            )
            return str(self.op("DequantizeLinear", value, factor, point, axis=max(axes, default=0)))
        real = str(self.op("Cast", value, to=element))
        if zero is not None:
            real = str(self.op("Sub", real, self.number(zeros, real)))
        return str(self.op("Mul", real, self.number(scale, real)))

    # Shared forms.

    def flat(self, value: str, axis: int = 1) -> str:
        """Write a value with the axes from one on joined."""
        return str(self.op("Flatten", value, axis=axis))

    def mean_variance(self, x: str, axes: Sequence[int], epsilon: float) -> str:
        """Write a norm with the mean and variance of some axes."""
        places = self.constant(list(axes))
        centred = self.op("Sub", x, self.op("ReduceMean", x, places, keepdims=1))
        squares = self.op("Mul", centred, centred)
        variance = self.op("ReduceMean", squares, places, keepdims=1)
        deviation = self.op("Sqrt", self.op("Add", variance, self.number(epsilon, x)))
        return str(self.op("Div", centred, deviation))

    def linear(self, x: str, weight: str, bias: Sequence[str]) -> str:
        """Write a product of the last axis with weights, whose rows are the outputs."""
        if self.rank(x) == 2:
            return str(self.op("Gemm", x, weight, *bias, transB=1))
        made = str(self.op("MatMul", x, self.turned(weight, (1, 0))))
        return str(self.op("Add", made, *bias)) if bias else made


RANGES = {2: (0, 255), 3: (-128, 127), 21: (0, 15), 22: (-8, 7)}
"""The numbers that ONNX's types of quantized weights hold."""


def same_padding(
    sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int],
    dilations: Sequence[int], lower: bool,
) -> list[int] | None:  # fmt: skip
    """Return the padding for outputs as large as inputs by strides, None if it is unknown."""
    if min(sizes) < 0:
        return None
    begin, end = [], []
    for size, width, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        total = max((-(-size // stride) - 1) * stride + (width - 1) * dilation + 1 - size, 0)
        less, more = total // 2, total - total // 2
        begin.append(more if lower else less)
        end.append(less if lower else more)
    return begin + end


def scattered(t: Writing, parts: tuple[str, str, str], axis: int, mode: str, along: bool) -> str:
    """Write values at places of an axis, each place for all elements unless `along` it.

    Return "" if the places are no row.
    """
    x, places, values = parts
    axis %= t.rank(x)
    if not along:
        if t.rank(places) != 1:
            return ""
        dims = t.known_dims(values)
        row = t.reshaped(places, [-1 if at == axis else 1 for at in range(len(dims))])
        places = str(t.op("Expand", row, t.constant(dims)))
    return str(t.op("ScatterElements", x, places, values, axis=axis, reduction=mode))


def kind_of(message: Message, *words: str) -> str:
    """Return which of some fields a message has, "" if none."""
    return next((word for word in words if word in message), "")

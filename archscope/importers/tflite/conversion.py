"""Collects the nodes and constants of tensors while the operators of a model are added.

The file has the channels last, nodes have them first: `(N, H, W, C)` is `(C, H, W)`, and `(N, C)`
is `(C,)`. Other axes keep their order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from msgspec import Struct

from archscope.analysis.cost import DTYPES
from archscope.importers.file_graph import FileGraph
from archscope.importers.tflite.model_file import STORED, TfliteModel, TfliteOperator
from archscope.ir import Shape
from archscope.ops.geometry import short_padding

Pads = tuple[tuple[int, int], ...]
Layout = Callable[[Any], Any]
"""Converts an array of the file into the layout of a node's weights."""


class Unsupported(Exception):  # noqa: N818 - no error: the operator is counted, not built
    """Raised for an operator without an equivalent; `given` has the known parts of its cost."""

    def __init__(self, **given: Any) -> None:
        super().__init__()
        self.given = given


class Value(Struct, frozen=True):
    """The value of a tensor: a node, and pending changes to it.

    `pads` are zeros around it that a convolution may absorb. `flat` means that the tensor is the
    node as a vector, in the order of the file; a fully connected layer may absorb that.
    """

    node: str
    pads: Pads = ()
    flat: bool = False
    batched: bool = True  # the first axis of the tensor is the batch


class Constant(Struct, frozen=True):
    """Constants of the file, or computed from sizes alone: then `tensor` is None."""

    tensor: int | None
    shape: Shape


class Conversion:
    """The graph under construction."""

    def __init__(self, made: FileGraph, model: TfliteModel, batch: int) -> None:
        self.made, self.model, self.batch = made, model, batch
        self.values: dict[int, Value] = {}
        given = {number for op in model.operators for number in op.outputs} | {*model.inputs}
        self.constants: dict[int, Constant] = {
            number: Constant(None if tensor.data is None else number, tensor.shape)
            for number, tensor in enumerate(model.tensors)
            if tensor.data is not None or number not in given  # weights, and states of layers
        }
        self.readers: dict[int, list[TfliteOperator]] = {}
        for op in model.operators:
            for number in dict.fromkeys(op.inputs):
                self.readers.setdefault(number, []).append(op)
        self.resized = False  # inputs have other sizes than stated in the file
        self.plains: dict[Value, str] = {}
        self.weights: dict[str, tuple[int, Layout]] = {}  # by the key in the state dict
        self.owners: dict[object, str] = {}
        self.counted: set[int] = set()
        self.dilated: dict[int, tuple[Shape, Pads]] = {}  # by output: of convolutions on blocks
        self.passed: set[int] = set()  # outputs of operators that were merged into an earlier one

    def title(self, op: TfliteOperator) -> str:
        """Return a name for an operator."""
        return title_of(self.model, op)

    def shape(self, value: Value | str) -> Shape:
        """Return the output shape of a node."""
        return self.made.shape(value.node if isinstance(value, Value) else value)

    def add(self, title: str, word: str, *inputs: str, **given: Any) -> str:
        """Add an operator and return its node."""
        return self.made.add(title, 0, word, inputs, **given)

    def error(self, op: TfliteOperator, message: str) -> Exception:
        """Return the error to raise for an operator."""
        name = self.model.tensors[op.outputs[0]].name
        return self.made.error(f"{op.kind} '{name[-100:]}' {message}", 0)

    def value(self, op: TfliteOperator, place: int = 0) -> Value:
        """Return the input of an operator. Raises Unsupported for a constant."""
        number = op.inputs[place] if place < len(op.inputs) else -1
        if number not in self.values:
            if number in self.constants:
                raise Unsupported
            raise self.error(op, f"needs more than {place} inputs")
        return self.values[number]

    def plain(self, value: Value, title: str) -> str:
        """Return the node of a value, after its pending changes."""
        if not value.pads and not value.flat:
            return value.node
        if value not in self.plains:
            node = value.node
            if value.pads:
                node = self.add(f"{title}_pad", "pad", node, padding=short_padding(value.pads))
            if value.flat:
                node = self.last(node, title)
                node = self.add(f"{title}_flatten", "flatten", node)
            self.plains[value] = node
        return self.plains[value]

    def undo(self, count: int) -> None:
        """Remove the nodes that were added after this many."""
        nodes = self.made.builder.nodes
        for name in [*nodes][count:]:
            del nodes[name]
        self.plains = {value: node for value, node in self.plains.items() if node in nodes}

    def last(self, node: str, title: str) -> str:
        """Return a node with its channels after the positions, if the order differs."""
        if in_order(self.shape(node)):
            return node
        order = (*range(1, len(self.shape(node))), 0)
        return self.add(f"{title}_last", "permute", node, order=order)

    def is_read(self, number: int) -> bool:
        """Return whether anything reads a tensor."""
        return number in self.readers or number in self.model.outputs

    def only_reader(self, number: int, *kinds: str) -> TfliteOperator | None:
        """Return the only reader of a tensor, if it is one of these kinds."""
        readers = self.readers.get(number, [])
        if len(readers) != 1 or number in self.model.outputs or readers[0].kind not in kinds:
            return None
        return readers[0] if readers[0].inputs[0] == number else None

    def node(self, op: TfliteOperator, place: int = 0) -> str:
        """Return the node of an operator's input."""
        return self.plain(self.value(op, place), self.title(op))

    def file_shape(self, value: Value) -> Shape:
        """Return the shape of a value in the file."""
        channels, *sizes = self.shape(value)
        for at, pad in enumerate(value.pads):
            sizes[at] += sum(pad)
        shape = (prod([channels, *sizes]),) if value.flat else (*sizes, channels)
        return (self.batch, *shape) if value.batched else shape

    def axis(self, op: TfliteOperator, value: Value, axis: int) -> int:
        """Convert an axis of the file to an axis of the node. Raises Unsupported for the batch."""
        rank = len(self.file_shape(value))
        if not -rank <= axis < rank:
            raise self.error(op, f"has the axis {axis} of {rank} axes")
        axis %= rank
        if value.batched and axis == 0:
            raise Unsupported
        return 0 if axis == rank - 1 else axis + (not value.batched)

    def constant(self, op: TfliteOperator, place: int) -> Constant | None:
        """Return the constant that an operator reads, None if it reads none."""
        return self.constants.get(op.inputs[place]) if place < len(op.inputs) else None

    def array(self, constant: Constant) -> Any:
        """Return the real values of a constant. Raises Unsupported if they are unknown."""
        if constant.tensor is None:
            raise Unsupported
        return real_numbers(self.model, constant.tensor).reshape(constant.shape)

    def integers(self, op: TfliteOperator, place: int) -> list[int]:
        """Return a vector of sizes or axes. Raises Unsupported if it is unknown."""
        constant = self.constant(op, place)
        if constant is None or prod(constant.shape) > MOST_SIZES:
            raise Unsupported
        return [int(number) for number in self.array(constant).reshape(-1)]

    def hold(self, node: str, **held: tuple[Constant | None, Layout]) -> None:
        """Give a node weights of the file, shared with an earlier node that has the same ones.

        Each comes with the function that converts it to torch's layout.
        """
        there = {word: (c.tensor, layout) for word, (c, layout) in held.items() if c is not None}
        known = [tensor is not None and self.model.tensors[tensor].kind in STORED
                 for tensor, _ in there.values()]  # fmt: skip
        if not all(known):
            raise Unsupported
        made = self.made.builder.nodes[node]
        key = made.op.weights_key(*made.ins), *(tensor for tensor, _ in there.values())
        owner = self.owners.setdefault(key, node)
        if owner != node:
            self.made.builder.share(node, owner)
            return
        tensors = [tensor for tensor, _ in there.values() if tensor is not None]
        self.count(node, tensors, made.facts.params)
        for word, (tensor, layout) in there.items():
            assert tensor is not None
            self.weights[f"{node}.{word}"] = tensor, layout

    def count(self, node: str, tensors: Sequence[int], params: int) -> None:
        """Record how many params of a node no earlier one has, and their bytes in the file."""
        new = [number for number in dict.fromkeys(tensors) if number not in self.counted]
        self.counted.update(new)
        sizes = {number: prod(self.model.tensors[number].shape) for number in new}
        size = sum(sizes.values())
        stored = sum(self.model.tensors[number].data.size for number in new)
        plain = all(self.model.tensors[number].kind == "FLOAT32" for number in new)
        largest = max(new, key=sizes.__getitem__, default=None)
        bits = None
        if not plain and largest is not None:
            bits = 8 * int(self.model.tensors[largest].data.size) // sizes[largest]
        self.made.builder.count(
            node,
            None if size == params else size,
            None if plain else int(stored),
            weight_bits=bits,
        )

    def arrays(self) -> dict[str, Any]:
        """Return the weights by node, as real values in single precision."""
        import numpy

        return {
            key: numpy.array(layout(real_numbers(self.model, tensor)), numpy.float32, order="C")
            for key, (tensor, layout) in self.weights.items()
        }

    def dtype(self) -> str:
        """Return the most frequent type of results, if its bytes are known."""
        names = {"INT8": "int8", "UINT8": "int8", "FLOAT16": "float16", "BFLOAT16": "bfloat16",
                 "INT16": "float16", "FLOAT32": "float32"}  # fmt: skip
        sizes = dict.fromkeys(DTYPES, 0)
        for number in {number for op in self.model.operators for number in op.outputs}:
            tensor = self.model.tensors[number]
            if number in self.values and tensor.kind in names:
                sizes[names[tensor.kind]] += prod(tensor.shape)
        return max(sizes, key=lambda name: (sizes[name], name == "float32"))


MOST_SIZES = 1 << 12

_OWN = "Conv2D|depthwise|MatMul|conv2d_transpose"
_FUSED = "Relu|BiasAdd|FusedBatchNorm|batchnorm"


def title_of(model: TfliteModel, op: TfliteOperator) -> str:
    """Return the name of a layer; tensors have the names of all that was fused into an operator."""
    names = model.tensors[op.outputs[0]].name.split(":")[0].split(";")
    own = next((name for name in names if re.search(f"/({_OWN})[^/]*$", name)), names[0])
    return re.sub(f"(/({_OWN}|{_FUSED})[^/]*)+$", "", own) or op.kind.lower()


def in_order(shape: Shape) -> bool:
    """Return whether values have the same order with the channels first and last."""
    return shape[0] == 1 or prod(shape[1:]) == 1


def real_numbers(model: TfliteModel, number: int) -> Any:
    """Return the values of a tensor as floats, those of shapes and axes as integers.

    Raises Unsupported for unknown types, and for sparse tensors.
    """
    import numpy

    tensor = model.tensors[number]
    if tensor.kind not in STORED:
        raise Unsupported
    array = numpy.frombuffer(tensor.data, STORED[tensor.kind])
    if tensor.kind == "BFLOAT16":
        array = (array.astype(numpy.uint32) << 16).view(numpy.float32)
    if tensor.kind == "INT4":
        halves = numpy.stack([array << 4, array], axis=-1).reshape(-1)[: prod(tensor.shape)]
        array = halves.view(numpy.int8) >> 4
    array = array.reshape(tensor.shape)
    if tensor.scales is None or tensor.kind.startswith("FLOAT"):
        return array
    sides = [1] * array.ndim
    if tensor.scales.size > 1:
        sides[tensor.axis] = -1
    zeros = tensor.zeros if tensor.zeros.size else numpy.zeros(1)
    zeros = zeros.reshape(sides if zeros.size > 1 else ())
    scales = tensor.scales.reshape(sides if tensor.scales.size > 1 else ())
    return ((array - zeros.astype(numpy.float64)) * scales).astype(numpy.float32)

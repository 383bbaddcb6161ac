"""Convert an ONNX file to a graph, with its initializers as weights."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

from archscope.errors import ArchscopeError, ShapeError
from archscope.graph_builder import GraphBuilder
from archscope.importers.aten.batch import Batch
from archscope.importers.aten.canonical import layout_of
from archscope.importers.formats import Imported, Inputs
from archscope.importers.names import name_part, take_name, valid_start
from archscope.importers.onnx.batch_axes import marked_shapes
from archscope.importers.onnx.descriptions import foreign_of, tensor_of
from archscope.importers.onnx.forms import Applied, steps_of
from archscope.importers.onnx.model_file import library, read_model
from archscope.importers.onnx.node_names import names_of
from archscope.importers.onnx.node_weights import NodeWeights
from archscope.importers.onnx.operator_costs import POINTWISE, operator_cost
from archscope.importers.onnx.resolve import resolve
from archscope.importers.onnx.resolved_model import OnnxOperator, ResolvedModel
from archscope.importers.onnx.simplify import simplify
from archscope.importers.onnx.tensor_data import TensorData
from archscope.importers.onnx.translation import AtenTranslator
from archscope.ir import Graph, Node, Output, Shape
from archscope.ops import OPS
from archscope.ops.foreign import Recognised, Tensor, recogniser
from archscope.transforms.join_attention import join_attention, renamed
from archscope.transforms.shorten_moves import shorten_moves


def from_file(path: str | Path, input: Inputs = None) -> Imported:
    """Import an ONNX file: its network and its weights.

    `input` is the input shape without the batch, or the shapes of several inputs by name, if the
    file leaves them open. Raises ArchscopeError.
    """
    path = Path(path)
    library()
    try:
        model, data = read_model(path)
        return graph_of(model, data, input, name_part(path.stem, "network"))
    except ArchscopeError as error:
        raise type(error)(f"{path.as_posix()}: {error}") from None


def graph_of(model: Any, data: TensorData, input: Inputs, name: str) -> Imported:
    """Return the network and weights of a model of ONNX, with a name. Raises ArchscopeError."""
    return _Conversion(simplify(resolve(model, data, input))).graph(name)


class _Conversion:
    """Builds a graph node by node; unrecognised operators become opaque."""

    def __init__(self, model: ResolvedModel) -> None:
        self.model = model
        self.read = {*model.readers(), *model.outputs} - {""}  # the name of absent inputs
        self.builder = GraphBuilder()
        self.taken: dict[str, int] = {}  # names of nodes, including those to come
        self.images, self.shapes = marked_shapes(model)
        self.values: dict[str, Tensor] = {}  # the tensor of each value, named after its node
        self.translator = AtenTranslator(self.images, self.add_nodes)
        self.title = ""  # the name of the operator that is being translated
        self.added: list[tuple[str, Recognised]] = []  # its nodes so far
        self.weights = NodeWeights(model, self.builder)

    def graph(self, name: str) -> Imported:
        """Return the graph of all operators."""
        model = self.model
        used: dict[str, int] = {}
        for value in model.inputs:
            title = self.title_of(value, "input") if len(model.inputs) > 1 else "input"
            title = take_name("input" if title == "in" else title, used)
            self.keep(value, self.builder.add(title, OPS["input"](size=self.size(value))))
        names = names_of(model, used)
        self.taken = dict.fromkeys((*used, *names), 1)
        for operator, node in zip(model.operators, names, strict=True):
            recognised = self.recognise(operator)
            known = recognised is not None and self.add(operator, node, recognised)
            if not known and not self.translate(operator, node):
                self.add_opaque(operator, node)
        outputs, dtype = self.outputs(), model.dtype
        nodes = self.needed(outputs)
        graph = Graph(name, nodes, outputs, dtype="" if dtype == "float32" else dtype)
        graph, masks = join_attention(graph)
        return Imported(shorten_moves(graph), renamed(self.weights.arrays, masks))

    def needed(self, outputs: Sequence[Output]) -> tuple[Node, ...]:
        """Return the inputs, and the nodes that outputs read."""
        nodes = tuple(self.builder.nodes.values())
        wanted = {output.node for output in outputs}
        for node in reversed(nodes):
            if node.name in wanted:
                wanted.update(node.inputs)
                if node.shares is not None:
                    wanted.add(node.shares)
        return tuple(node for node in nodes if node.name in wanted or not node.inputs)

    def keep(self, value: str, node: str) -> None:
        """Record the node of a value."""
        self.values[value] = Tensor(node, self.shapes[value])

    def node_of(self, value: str) -> str:
        """Return the node of a value."""
        return str(self.translator.materialise(self.values[value]).name)

    def title_of(self, value: str, default: str) -> str:
        """Turn the file's name of an input or output into a name."""
        return valid_start(name_part(self.model.titles.get(value, value), default))

    def outputs(self) -> tuple[Output, ...]:
        """Return the outputs; one that is an input, or another output too, is a node of its own."""
        outputs: list[Output] = []
        titles: dict[str, int] = {}
        ends: set[str] = {node.name for node in self.builder.nodes.values() if not node.inputs}
        values = [value for value in self.model.outputs if value in self.values]
        for value in values:  # the others are constants, which cost nothing
            title = self.title_of(value, "output") if len(values) > 1 else "output"
            title = take_name(title, titles)
            node = self.node_of(value)
            if node in ends:
                copy = take_name(f"{title}_copy", self.taken)
                node = self.builder.add(copy, OPS["identity"](), (node,))
            ends.add(node)
            outputs.append(Output(title, node))
        return tuple(outputs)

    def size(self, value: str) -> Shape:
        """Return the shape of a value for one image, whatever axis has the batch."""
        layout = layout_of(self.shapes[value], Batch(self.images)) if self.images else None
        if layout is not None:
            return layout.shape(self.model.shapes[value], 1)[1:] or (1,)
        shape = self.model.shapes[value]
        if len(shape) > 1 and shape[0] == self.model.batch:
            shape = shape[1:]
        elif shape and self.model.batch > 1 and shape[0] % self.model.batch == 0:
            shape = (shape[0] // self.model.batch, *shape[1:])
        return shape or (1,)

    def recognise(self, operator: OnnxOperator) -> Recognised | None:
        """Return our equivalent of an ONNX operator, if there is one."""
        recognise = recogniser(f"onnx.{operator.kind}")
        extra = [name for name in operator.outputs[1:] if name in self.read]
        merges = operator.kind == "Softmax" and operator.version < 13  # all axes from one on
        rounds = operator.kind == "Div" and operator.of_integers
        if recognise is None or extra or merges or rounds:
            return None
        foreign = foreign_of(operator, self.model)
        values = (*(tensor.name for tensor in foreign.ins), operator.outputs[0])
        if not all(map(self.leads, values)):
            return None  # it works across images, or on values without a batch
        try:
            return recognise(foreign)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            return None  # its attributes are not as ONNX specifies them

    def leads(self, value: str) -> bool:
        """Return whether the batch is the first axis of a value and not merged with another."""
        shape = self.model.shapes[value]
        if not self.images:
            return len(shape) > 1 and shape[0] == self.model.batch
        return len(shape) > 1 and self.shapes[value][0] == self.images

    def add(self, operator: OnnxOperator, node: str, found: Recognised) -> bool:
        """Add a recognised operator; return False if its shape is not the file's."""
        names = [self.node_of(tensor.name) for tensor in found.inputs]
        ins = tuple(self.builder.nodes[name].out for name in names)
        try:
            out = found.op.shape(*ins)
            for op in found.then:
                out = op.shape(out)
            if out != self.model.shapes[operator.outputs[0]][1:]:
                return False
            last = self.builder.add(node, found.op, names)
        except (ShapeError, ArithmeticError):
            return False
        for op in found.then:
            last = self.builder.add(take_name(f"{node}_{op.name}", self.taken), op, [last])
        self.keep(operator.outputs[0], last)
        self.weights.hold(operator, node, found)
        return True

    def translate(self, operator: OnnxOperator, node: str) -> bool:
        """Add an operator in the form of torch's; return False if it has none."""
        read = {place: name for place, name in enumerate(operator.outputs) if name in self.read}
        self.title, self.added = node, []
        results: dict[int, Tensor] = {}
        made: tuple[dict[str, Any], ...] = (
            self.builder.nodes, self.taken, *self.translator.made
        )  # fmt: skip
        sizes = [len(part) for part in made]
        try:
            for place, name in read.items():
                steps = steps_of(self.applied(operator, place, name, results))
                results[place] = self.translator.translate(steps)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            # It is unknown, or its attributes are not as ONNX specifies them.
            for part, size in zip(made, sizes, strict=True):
                while len(part) > size:
                    part.popitem()
            return False
        for place, name in read.items():
            self.values[name] = results[place]
        holding = [(name, found) for name, found in self.added if found.weights]
        self.weights.hold_each(operator, holding or self.added[-1:])
        return True

    def applied(
        self, operator: OnnxOperator, place: int, name: str, results: dict[int, Tensor]
    ) -> Applied:
        """Return an operator for its form in torch."""
        tensors = tuple(self.value(operator, name) if name else None for name in operator.inputs)
        return Applied(
            operator,
            tensors,
            self.shapes[name],
            place,
            self.model.constants,
            self.model.derive,
            results,
            self.images,
        )

    def value(self, operator: OnnxOperator, name: str) -> Tensor:
        """Return an input of an operator: a node's result, or a constant."""
        if name in self.values:
            return self.values[name]
        return tensor_of(name, self.model, self.weights.learned.learns(operator, name))

    def add_nodes(self, found: Recognised, before: str | None = None) -> str:
        """Add the nodes of an operator that was recognised in a form of torch's.

        They are named after the operator that is translated, or after the node `before`.
        """
        inputs = [tensor.name for tensor in found.inputs]
        for op in (found.op, *found.then):
            free = before is None and self.title not in self.builder.nodes
            longer = f"{before or self.title}_{op.name}"
            title = self.title if free else take_name(longer, self.taken)
            inputs = [self.builder.add(title, op, inputs)]
            if before is None and op is found.op:
                self.added.append((title, found))
        return inputs[0]

    def add_opaque(self, operator: OnnxOperator, node: str) -> None:
        """Add an operator without an equivalent, with its known costs."""
        reads = (self.node_of(name) for name in operator.inputs if name in self.values)
        sources = tuple(dict.fromkeys(reads))
        sources = sources or tuple(self.builder.nodes)[:1]
        params, kept, stored, bits = self.weights.count(operator)
        outputs = {name: place for place, name in enumerate(operator.outputs) if name in self.read}
        first = next(iter(outputs))
        elements = prod(self.size(first))
        images = prod(self.model.shapes[first]) // elements
        products, work = operator_cost(operator, self.model, elements, images)
        pointwise = self.pointwise(operator, self.model.shapes[first])
        for name, place in outputs.items():
            op = OPS["opaque"](
                kind=_title(operator.kind)[:200],
                size=self.size(name),
                learned=params,
                kept=kept,
                products=products,
                work=work,
                pointwise=pointwise,
            )
            title = node if name == first else take_name(f"{node}_{place}", self.taken)
            self.keep(name, self.builder.add(title, op, sources))
            self.builder.count(title, None, stored, weight_bits=bits)
            stored = bits = None
            params = kept = products = work = 0  # those of the first node

    def pointwise(self, operator: OnnxOperator, out: Shape) -> bool:
        """Return whether each position of the result depends on that of the inputs alone."""
        shapes = [self.model.shapes[name] for name in operator.inputs if name in self.values]
        return (
            operator.kind in POINTWISE
            and len(out) > 2
            and all(len(shape) == len(out) for shape in shapes)
            and all(shape[2:] in (out[2:], (1,) * len(out[2:])) for shape in shapes)
        )


def _title(kind: str) -> str:
    """Return the name of an operator without an equivalent, which starts with its format."""
    return kind if kind.startswith(("openvino.", "coreml.")) else f"onnx.{kind}"

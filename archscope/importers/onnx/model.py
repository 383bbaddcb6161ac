"""An ONNX file -> Graph, with its initialisers as weights."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from archscope.errors import ShapeError
from archscope.importers.imported import Imported
from archscope.importers.onnx.model_file import read_model
from archscope.importers.onnx.node_names import first, names_of, plain, unused
from archscope.importers.onnx.operator_costs import POINTWISE, costs, learned
from archscope.importers.onnx.patterns import simplify
from archscope.importers.onnx.resolve import Sizes, Trace, trace
from archscope.importers.onnx.step import Step
from archscope.ir import Builder, Graph, Op, Output
from archscope.ops import OPS
from archscope.ops.foreign import RECOGNISERS, Foreign, Recognised, Tensor

SHOWN = 64
"""Elements up to which recognisers see the values of a constant."""

ARGUMENTS = {
    **dict.fromkeys(
        ("ChannelShuffle", "Range", "Swish", "Gelu", "HardSwish", "Mish", "FakeQuantize"), ("X",)
    ),
    "Linear": ("X", "W", "B"),
    "BatchNormalization": ("X", "scale", "B", "input_mean", "input_var"),
    "LayerNormalization": ("X", "Scale", "B"),
    "ChannelNorm": ("X", "scale", "bias"),
    "ReduceMean": ("data",),
    "GroupNormalization": ("X", "scale", "bias"),
    "Scale": ("X", "scale", "bias"),
}
"""The inputs of operators that patterns make, or that old opsets call otherwise.

Those of all others are ONNX's own.
"""


def from_file(path: str | Path, input: Sizes = None) -> Imported:
    """Return the network that an ONNX file holds, and its weights.

    `input` says the size of the input without the batch, or of each input by name, where the
    file leaves it open. Raises ArchscopeError.
    """
    path = Path(path)
    model = read_model(path)
    steps = simplify(trace(model, path.as_posix(), input))
    return _Importer(steps).graph(plain(path.stem, "network"))


class _Importer:
    """Puts a trace into words: what no operator recognises becomes opaque."""

    def __init__(self, found: Trace) -> None:
        self.trace = found
        self.read = {*found.readers(), *found.outputs}
        self.builder = Builder()
        self.nodes: dict[str, str] = {}  # the node that gives each value
        self.weights: dict[str, str] = {}  # the constant behind each name in the state_dict
        self.owners: dict[tuple[Op, tuple[str, ...]], str] = {}
        self.counted: set[str] = set()  # constants that an opaque node holds already

    def graph(self, name: str) -> Imported:
        """Return the graph of all steps."""
        found = self.trace
        used: set[str] = set()
        single = len(found.inputs) == 1
        for value in found.inputs:
            word = "input" if single else first([plain(found.titles.get(value, value), "input")])[0]
            word = unused("input" if word == "in" else word, used)
            used.add(word)
            size = self.size(value)
            self.nodes[value] = self.builder.add(word, OPS["input"](size=size))
        for step, node in zip(found.steps, names_of(found, used), strict=True):
            self.step(step, node)
        outputs = self.outputs()
        graph = Graph(name, tuple(self.builder.nodes.values()), outputs)
        return Imported(graph, self.arrays)

    def arrays(self) -> dict[str, Any]:
        """Return the weights as arrays that torch takes, with the step counters that it keeps."""
        import numpy

        arrays: dict[str, Any] = {}
        for key, value in self.weights.items():
            array = self.trace.constants[value]
            short = array.dtype.kind == "V"  # bfloat16, which numpy itself does not know
            # A copy, for torch warns of arrays that stand in the file's own memory.
            arrays[key] = array.astype(numpy.float32) if short else numpy.array(array)
            node, _, word = key.rpartition(".")
            if word == "running_mean":
                arrays[f"{node}.num_batches_tracked"] = numpy.array(0)
        return arrays

    def outputs(self) -> tuple[Output, ...]:
        """Return the outputs; one that is an input, or another output too, is a node of its own."""
        outputs: list[Output] = []
        titles: set[str] = set()
        ends: set[str] = {node.name for node in self.builder.nodes.values() if not node.inputs}
        values = [value for value in self.trace.outputs if value in self.nodes]
        for value in values:  # the others are constants: no work of the network
            own = plain(self.trace.titles.get(value, value), "output")
            title = "output" if len(values) == 1 else first([own])[0]
            title = unused(title, titles)
            titles.add(title)
            node = self.nodes[value]
            if node in ends:
                own = unused(f"{title}_copy", set(self.builder.nodes))
                node = self.builder.add(own, OPS["identity"](), (node,))
            ends.add(node)
            outputs.append(Output(title, node))
        return tuple(outputs)

    def size(self, value: str) -> tuple[int, ...]:
        """Return the shape of a value without the batch, which may be mixed into the first axis."""
        shape = self.trace.shapes[value]
        if len(shape) > 1 and shape[0] == self.trace.batch:
            shape = shape[1:]
        elif shape and self.trace.batch > 1 and shape[0] % self.trace.batch == 0:
            shape = (shape[0] // self.trace.batch, *shape[1:])
        return shape or (1,)

    def step(self, step: Step, node: str) -> None:
        """Add the node of one operator."""
        found = self.recognised(step)
        if found is not None and self.add(step, node, found):
            return
        self.opaque(step, node)

    def recognised(self, step: Step) -> Recognised | None:
        """Return what an operator is in our words, if it has any."""
        recognise = RECOGNISERS.get(f"onnx.{step.kind}")
        extra = [name for name in step.outputs[1:] if name in self.read]
        if recognise is None or extra:
            return None
        foreign = self.foreign(step)
        ins = [tensor.shape for tensor in foreign.ins]
        if any(len(shape) < 2 or shape[0] != self.trace.batch for shape in (*ins, foreign.out)):
            return None  # it works across images, or on something that is no image
        try:
            return recognise(foreign)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            return None  # its attributes are not what ONNX promises

    def foreign(self, step: Step) -> Foreign:
        """Describe an operator for the recognisers."""
        tensors = [self.tensor(name) if name else None for name in step.inputs]
        args: dict[str, Any] = {}
        names = _argument_names(step)
        for place, tensor in enumerate(tensors):
            if names and place >= len(names) - 1 and names[-1].endswith("*"):
                args[names[-1][:-1]] = tuple(tensors[len(names) - 1 :])
                break
            if tensor is not None and place < len(names):
                args[names[place]] = tensor
        args.update(step.attributes)
        return Foreign(f"onnx.{step.kind}", args, self.trace.shapes[step.outputs[0]])

    def tensor(self, name: str) -> Tensor:
        """Describe a value."""
        value = self.trace.constants.get(name)
        if value is None:
            return Tensor(name, self.trace.shapes[name])
        small = value.size <= SHOWN and value.dtype.kind in "fiub"
        return Tensor(name, tuple(value.shape), True, _tuples(value.tolist()) if small else None)

    def add(self, step: Step, node: str, found: Recognised) -> bool:
        """Add a recognised operator; return whether it gives the shape that the file says."""
        names = [self.nodes[entry.name] for entry in found.inputs]
        out = self.trace.shapes[step.outputs[0]][1:]
        try:
            if found.op.shape(*(self.builder.nodes[name].out for name in names)) != out:
                return False
            held = tuple(weight.name for weight in found.weights.values())
            key = found.op, tuple(self.builder.nodes[name].out for name in names), held
            owner = self.owners.setdefault(key, node) if held else node  # type: ignore[arg-type]
            shares = None if owner == node else owner
            self.nodes[step.outputs[0]] = self.builder.add(node, found.op, names, shares)
        except (ShapeError, ArithmeticError):
            return False
        if shares is None:
            for word, tensor in found.weights.items():
                self.weights[f"{node}.{word}"] = tensor.name
        return True

    def opaque(self, step: Step, node: str) -> None:
        """Add an operator that has no word here, with what is known of it."""
        found = self.trace
        reads = [name for name in step.inputs if name and name in self.nodes]
        sources = tuple(dict.fromkeys(self.nodes[name] for name in reads))
        numbers = learned(step, found, self.counted)
        for place, name in enumerate(step.outputs):
            if not name:
                continue
            products, work = costs(step, found, prod(self.size(name))) if place == 0 else (0, 0)
            op = OPS["opaque"](
                kind=f"onnx.{step.kind}"[:200],
                size=self.size(name),
                learned=numbers if place == 0 else 0,
                products=products,
                work=work,
                pointwise=self.pointwise(step),
            )
            own = node if place == 0 else unused(f"{node}_{place}", set(self.builder.nodes))
            self.nodes[name] = self.builder.add(
                own, op, sources or (next(iter(self.nodes.values())),)
            )

    def pointwise(self, step: Step) -> bool:
        """Return whether each position of the result depends on that of the inputs alone."""
        shapes = [self.trace.shapes[name] for name in step.inputs if name in self.nodes]
        out = self.trace.shapes[step.outputs[0]]
        return (
            step.kind in POINTWISE
            and len(out) > 2
            and all(len(shape) == len(out) for shape in shapes)
            and all(shape[2:] in (out[2:], (1,) * len(out[2:])) for shape in shapes)
        )


def _argument_names(step: Step) -> tuple[str, ...]:
    """Return the names of an operator's inputs; `*` marks one that takes all the rest."""
    if step.kind in ARGUMENTS:
        return ARGUMENTS[step.kind]
    import onnx

    domain, _, kind = step.kind.rpartition(".")
    try:
        inputs = onnx.defs.get_schema(kind, step.version, domain).inputs
    except onnx.defs.SchemaError:
        return ()
    variadic = onnx.defs.OpSchema.FormalParameterOption.Variadic
    return tuple(f"{given.name}*" if given.option == variadic else given.name for given in inputs)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value

"""A model -> its operators with all shapes known and everything constant computed away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from archscope.errors import DataError, OptionError
from archscope.importers.onnx.constants import RANDOM, computed
from archscope.importers.onnx.model_file import domain_of, library, named, opsets
from archscope.importers.onnx.shape_inference import Inference
from archscope.importers.onnx.step import Parts, Step, parts_of, range_of, scopes_of
from archscope.ir import Shape, text_of

Sizes = Shape | Mapping[str, Shape] | None
"""What a user may say of the inputs: the size of the one input, or of each by name; no batch."""


class Trace(Struct):
    """What is left of a model: operators on data, constants, and the shape of every value."""

    steps: list[Step]
    constants: dict[str, Any]  # numpy arrays by name
    named: set[str]  # constants that stand in the file under this name
    roots: dict[str, frozenset[str]]  # weights of the file that a constant is computed from
    shapes: dict[str, tuple[int, ...]]  # with the batch in front
    inputs: list[str]
    outputs: list[str]
    batch: int
    titles: dict[str, str]  # what the file calls inputs and outputs that stand for others

    def readers(self) -> dict[str, list[Step]]:
        """Return the operators that read each value."""
        readers: dict[str, list[Step]] = {}
        for step in self.steps:
            for name in step.inputs:
                readers.setdefault(name, []).append(step)
        return readers


def trace(model: Any, file: str, sizes: Sizes = None) -> Trace:
    """Return the operators of a model in order. Raises ArchscopeError."""
    onnx = library()
    tracer = _Tracer(onnx, model, file)
    tracer.bind_inputs(sizes)
    for node in model.graph.node:
        try:
            tracer.visit(node)
        except (AttributeError, LookupError, TypeError, ValueError):
            raise DataError(f"{file}: {named(node)} is not as ONNX defines it") from None
    return tracer.result()


class _Tracer:
    """Walks the operators in order and keeps the type of each value."""

    def __init__(self, onnx: Any, model: Any, file: str) -> None:
        self.onnx, self.model, self.file = onnx, model, file
        self.opsets = opsets(model)
        self.inference = Inference(onnx, model, file)
        self.types: dict[str, Any] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.constants: dict[str, Any] = {}
        self.named: set[str] = set()
        self.roots: dict[str, frozenset[str]] = {}
        self.steps: list[Step] = []
        self.stated = {info.name: info.type for info in model.graph.value_info}
        self.stated |= {info.name: info.type for info in model.graph.output}
        for tensor in model.graph.initializer:
            self._keep(tensor.name, self._array(tensor))
            self.named.add(tensor.name)
            if tensor.data_type != onnx.TensorProto.INT64:  # which says sizes and places
                self.roots[tensor.name] = frozenset([tensor.name])
        self.inputs = [i for i in model.graph.input if i.name not in self.constants]
        self.parts: dict[str, Parts] = {}
        self.batch = 1

    def _array(self, tensor: Any) -> Any:
        try:
            return self.onnx.numpy_helper.to_array(tensor)
        except Exception as error:  # too few bytes, an unknown type
            raise DataError(
                f"{self.file}: the weights '{tensor.name}' are broken: {error}"
            ) from None

    def _keep(self, name: str, value: Any) -> None:
        self.constants[name] = value
        self.shapes[name] = tuple(value.shape)
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
        self.types[name] = self.onnx.helper.make_tensor_type_proto(kind, value.shape)

    def bind_inputs(self, sizes: Sizes) -> None:
        """Give every input a shape: what the file says, filled in by what the user says."""
        if not self.inputs:
            raise DataError(f"{self.file}: the model has no input")
        wanted = self._sizes(sizes)
        for info in self.inputs:
            if not info.type.HasField("tensor_type"):
                raise DataError(f"{self.file}: input '{info.name}' is no tensor")
            tensor = info.type.tensor_type
            dims = [d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim]
            labels = [d.dim_param or "?" for d in tensor.shape.dim]
            said = wanted.get(info.name)
            if not tensor.HasField("shape"):
                dims, labels = [None] * (1 + len(said or ())), ["?"]
            shape = self._bound(info.name, dims, labels, said)
            self.shapes[info.name] = shape
            self.types[info.name] = self.onnx.helper.make_tensor_type_proto(tensor.elem_type, shape)
        self.batch = self.shapes[self.inputs[0].name][0]
        for info in self.inputs:
            if self.shapes[info.name][0] != self.batch:
                raise DataError(f"{self.file}: its inputs have different batch sizes")

    def _sizes(self, sizes: Sizes) -> Mapping[str, Shape]:
        names = [info.name for info in self.inputs]
        if sizes is None:
            return {}
        if not isinstance(sizes, Mapping):
            if len(names) > 1:
                raise OptionError(
                    f"{self.file} has the inputs {', '.join(names)}; say the size of each by name"
                )
            return {names[0]: tuple(sizes)}
        for name in sizes:
            if name not in names:
                raise OptionError(f"{self.file} has no input '{name}', it has {', '.join(names)}")
        return sizes

    def _bound(
        self, name: str, dims: list[int | None], labels: list[str], said: Shape | None
    ) -> tuple[int, ...]:
        text = "x".join(
            label if d is None else str(d) for d, label in zip(dims, labels, strict=False)
        )
        if len(dims) < 2:
            raise DataError(f"{self.file}: input '{name}' needs a batch and a size, got {text!r}")
        if said is not None:
            fixed = dims[1:]
            if len(said) != len(fixed) or any(
                d not in (None, n) for d, n in zip(fixed, said, strict=True)
            ):
                raise OptionError(
                    f"{self.file}: input '{name}' is {text} with the batch in front,"
                    f" {text_of(said)} does not suit it"
                )
            return (dims[0] or 1, *said)
        if any(not d for d in dims[1:]):
            raise OptionError(
                f"{self.file}: input '{name}' is {text}, which leaves sizes open;"
                f" say them with --input {'x'.join(str(d or 'N') for d in dims[1:])}"
            )
        return (dims[0] or 1, *(d for d in dims[1:] if d))

    def visit(self, node: Any) -> None:
        """Compute an operator whose inputs are constant, or keep it with the shapes it gives."""
        for name in node.input:
            if name and name not in self.types:
                raise DataError(f"{self.file}: {named(node)} reads '{name}', which nothing gives")
        kind, domain = str(node.op_type), domain_of(node)
        if domain == "" and kind in ("SplitToSequence", "SequenceAt"):
            return self._part(node)
        if domain == "" and kind == "CastLike":
            node = self._cast(node)
        shapes = [self.shapes.get(name) for name in node.input if name]
        if domain == "" and kind == "Shape" and shapes[0] is not None:
            return self._shape(node, shapes[0])
        constant = all(name in self.constants for name in node.input if name)
        types = self.inference.types(node, self.types, self.constants)
        if constant and kind not in RANDOM and domain == "":
            return self._fold(node, types)
        for name in node.output:
            if name:
                self._note(node, name, types.get(name) or self.stated.get(name))
        self.steps.append(
            Step(
                kind if domain == "" else f"{domain}.{kind}",
                node.name,
                tuple(node.input),
                tuple(node.output),
                {a.name: self._plain(a) for a in node.attribute},
                self.opsets.get(domain, 1),
                scopes_of(node),
            )
        )
        return None

    def _plain(self, attribute: Any) -> Any:
        value = self.onnx.helper.get_attribute_value(attribute)
        if isinstance(value, bytes):
            return value.decode(errors="replace")
        return list(value) if attribute.type in (6, 7, 8) else value

    def _shape(self, node: Any, shape: tuple[int, ...]) -> None:
        import numpy

        ends = {a.name: a.i for a in node.attribute}
        part = shape[ends.get("start", 0) : ends.get("end", len(shape))]
        self._keep(node.output[0], numpy.array(part, dtype=numpy.int64))

    def _cast(self, node: Any) -> Any:
        """Write the type that an operator takes from another value out."""
        to = self.types[node.input[1]].tensor_type.elem_type
        made = self.onnx.helper.make_node
        if self.types[node.input[0]].tensor_type.elem_type == to:
            return made("Identity", node.input[:1], node.output, node.name)
        return made("Cast", node.input[:1], node.output, node.name, to=to)

    def _part(self, node: Any) -> None:
        """Write a part of a list of parts as a range of the whole."""
        if node.op_type == "SplitToSequence":
            whole = parts_of(node, self.shapes, self.constants)
            if whole is None:
                raise DataError(f"{self.file}: {named(node)} splits in a way that is not supported")
            self.parts[node.output[0]] = whole
            self.types[node.output[0]] = self.types[node.input[0]]
            return
        whole, place = self.parts.get(node.input[0]), self.constants.get(node.input[1])
        if whole is None or place is None or not -len(whole.ends) <= int(place) < len(whole.ends):
            raise DataError(f"{self.file}: {named(node)} takes a part that is not known")
        step = range_of(node, whole, int(place))
        size = list(self.shapes[whole.source])
        size[whole.axis] = step.attributes["stop"] - step.attributes["start"]
        name = node.output[0]
        self.types[name] = self.onnx.helper.make_tensor_type_proto(
            self.types[whole.source].tensor_type.elem_type, size
        )
        self.shapes[name] = tuple(size)
        self.steps.append(step)

    def _fold(self, node: Any, types: Mapping[str, Any]) -> None:
        """Keep what an operator on constants gives as constants."""
        self.types.update(types)
        # What weights are scaled by when they are unpacked are no weights themselves.
        sources = node.input[:1] if node.op_type == "DequantizeLinear" else node.input
        roots = frozenset().union(*(self.roots.get(name, ()) for name in sources))
        for name, value in computed(node, types, self.constants, self.opsets, self.file).items():
            self._keep(name, value)
            self.roots[name] = roots
            if node.op_type == "Identity" and node.input[0] in self.named:
                self.named.add(name)  # how torch's exporter writes equal weights once
                self.roots[name] = frozenset([name])

    def _note(self, node: Any, name: str, kind: Any) -> None:
        """Keep the type of a value, and its shape where that is known."""
        if domain_of(node) and (kind is None or not kind.tensor_type.HasField("shape")):
            raise DataError(
                f"{self.file}: nothing says the shape that {named(node)}"
                f" of domain '{domain_of(node)}' gives; the file's value_info can say it"
            )
        if kind is None:
            raise DataError(f"{self.file}: nothing says what {named(node)} gives")
        self.types[name] = kind
        if not kind.HasField("tensor_type"):
            raise DataError(f"{self.file}: {named(node)} gives no tensor, which is not supported")
        tensor = kind.tensor_type
        dims = [d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim]
        if not tensor.HasField("shape") or None in dims:
            stated = self.stated.get(name)
            if stated is not None and stated is not kind:
                return self._note(node, name, stated)
            raise DataError(
                f"{self.file}: the size of what {named(node)} gives depends on the data;"
                " archscope analyses networks whose shapes are fixed"
            )
        self.shapes[name] = tuple(d for d in dims if d is not None)
        if 0 in dims:
            raise DataError(
                f"{self.file}: {named(node)} leaves nothing of its input:"
                f" it would give {text_of(self.shapes[name])}"
            )
        return None

    def result(self) -> Trace:
        """Return what is left, without what leads to no output."""
        outputs = [info.name for info in self.model.graph.output]
        for name in outputs:
            if name not in self.types:
                raise DataError(f"{self.file}: output '{name}' is given by nothing")
        wanted, kept = set(outputs), []
        for step in reversed(self.steps):
            if wanted & {name for name in step.outputs if name}:
                wanted.update(step.inputs)
                kept.append(step)
        if not kept:
            raise DataError(f"{self.file}: no output depends on an input")
        inputs = [info.name for info in self.inputs]
        return Trace(
            kept[::-1],
            self.constants,
            self.named,
            self.roots,
            self.shapes,
            inputs,
            outputs,
            self.batch,
            {},
        )

"""Collects the operators, weights and constants of an ONNX model, node by node."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from archscope.errors import GraphError, OptionError
from archscope.exporters.streamed_arrays import StreamedArray
from archscope.exporters.weight_arrays import Streamed, form_of
from archscope.ir import Graph, Node
from archscope.module_names import free_name, module_path
from archscope.onnx_form import Constant, Input, OnnxNode, Value, Weight

Axes = tuple[int | str, ...]
"""The shape of a value, whose first axis is the word `batch`."""

NORMS = frozenset({"BatchNormalization", "InstanceNormalization", "LayerNormalization"})
"""Operators whose constants are written as `Constant` nodes; initializers would be parameters."""

FORMER_WORDS = {"GridSample": (20, {"linear": "bilinear", "cubic": "bicubic"})}
"""Operators whose attributes had other values before an opset: the opset and the old values."""

NAMED_RESULTS = {"MaxPool": 1, "TopK": 2}
"""How many results of an operator are named even if unread."""

SHORT = 8
"""Constants of at most this many numbers are named after them, so that equal ones are shared."""


class Step(Struct):
    """An operator of the model."""

    kind: str
    name: str
    inputs: list[str]
    outputs: list[str]
    attributes: tuple[tuple[str, Any], ...]


class Held(Struct, frozen=True):
    """A weight or constant, added to the model when an operator reads it."""

    title: str  # its name in the model, unless already taken
    key: object  # equal for equal weights and constants
    array: NDArray[Any] | StreamedArray
    weights: Mapping[str, Weight] = {}  # of the network, from which it is computed

    @property
    def learned(self) -> int:
        """How many of its numbers were learned; of a table that is read repeatedly, its size."""
        numbers = sum(prod(weight.shape) for weight in self.weights.values() if weight.learned)
        return min(prod(self.array.shape), numbers)


class OnnxSteps:
    """The operators, weights and values of the ONNX model of a graph.

    Raises GraphError for an operator without a form in ONNX, and OptionError for one that the
    opset lacks.
    """

    def __init__(self, graph: Graph, arrays: Streamed, opset: int) -> None:
        self.graph, self.arrays, self.opset = graph, arrays, opset
        self.steps: list[Step] = []
        self.held: dict[str, NDArray[Any] | StreamedArray] = {}
        self.learned: dict[str, int] = {}  # how many numbers were learned, if they are real
        self.inputs: dict[str, Axes] = {node.name: ("batch", *node.out) for node in graph.inputs}
        self.outputs: dict[str, Axes] = {}
        self.between: dict[str, Axes] = {}
        self._values = {name: name for name in self.inputs}  # by node
        self._used = {*self.inputs, *(output.name for output in graph.outputs)}  # by values
        self._titles: set[str] = set()  # of steps
        self._names: dict[object, str] = {}  # of weights and constants, by key
        self._kinds: set[tuple[str, int]] = set()  # known operators and numbers of their inputs
        for node in graph.nodes:
            if node.inputs:
                self._add(node)
        self._join_slices()
        for output in graph.outputs:
            self._end(output.name, output.node)
        read = {name for step in self.steps for name in step.inputs}
        self.held = {name: value for name, value in self.held.items() if name in read}
        self.learned = {name: count for name, count in self.learned.items() if name in read}

    def _add(self, node: Node) -> None:
        written: dict[object, Step] = {}
        value = self._value(node, form_of(node), written, node.name)
        self._values[node.name] = name = self._hold(value) if isinstance(value, Held) else value
        if written:
            self.between[name] = ("batch", *node.out)

    def _value(
        self, node: Node, form: Value, written: dict[object, Step], title: str
    ) -> str | Held:
        """Add the steps of a form; return the name of its value, or its weight or constant."""
        if isinstance(form, Input):
            return self._values[node.inputs[form.place]]
        if isinstance(form, Weight):
            name = f"{module_path(node.shares or node.name)}.{form.name}"
            array = self.arrays[name]
            if array.shape != form.shape:
                array = np.asarray(array).reshape(form.shape)
            return Held(name, name, array, {name: form})
        if isinstance(form, Constant):
            return _constant(node, form)
        inputs = [
            "" if part is None else self._value(node, part, written, _part_title(node, part))
            for part in form.inputs
        ]
        if not any(isinstance(value, str) and value for value in inputs):
            return _computed(node, form, inputs)
        hold = self._spell if form.kind in NORMS else self._hold
        names = [hold(value) if isinstance(value, Held) else value for value in inputs]
        key = (form.kind, *names, form.attributes)
        step = written.get(key)
        if step is None:
            self._check(node, form.kind, len(names))
            attributes = self._in_opset(form)
            step = written[key] = self._step(form.kind, title, names, attributes)
        step.outputs += [""] * (form.output + 1 - len(step.outputs))
        for place in range(NAMED_RESULTS.get(form.kind, 0)):
            if place >= len(step.outputs):
                step.outputs.append("")
            step.outputs[place] = step.outputs[place] or self._name(step.name)
        if not step.outputs[form.output]:
            step.outputs[form.output] = self._name(step.name)
        return step.outputs[form.output]

    def _in_opset(self, form: OnnxNode) -> tuple[tuple[str, Any], ...]:
        """Return the attributes of an operator as the opset writes them."""
        since, words = FORMER_WORDS.get(form.kind, (0, {}))
        if self.opset >= since:
            return form.attributes
        return tuple((name, words.get(value, value)) for name, value in form.attributes)

    def _step(
        self, kind: str, title: str, inputs: list[str], attributes: tuple[tuple[str, Any], ...]
    ) -> Step:
        """Add an operator without outputs."""
        step = Step(kind, free_name(title, self._titles), inputs, [], attributes)
        self.steps.append(step)
        return step

    def _check(self, node: Node, kind: str, count: int) -> None:
        """Raise OptionError if the opset has no operator of a kind with so many inputs."""
        from onnx import defs

        if (kind, count) in self._kinds:
            return
        try:
            fits = defs.get_schema(kind, self.opset).max_input >= count
        except defs.SchemaError:
            fits = False
        if not fits:
            schemas = defs.get_all_schemas_with_history()
            since = [
                one.since_version
                for one in schemas
                if (one.name, one.domain) == (kind, "") and one.max_input >= count
            ]
            raise OptionError(
                f"opset {self.opset} of ONNX has no {kind}, which '{node.name}' needs;"
                f" opset {min(since)} has it"
            )
        self._kinds.add((kind, count))

    def _spell(self, value: Held) -> str:
        """Return the name of a weight, which is added to the model, or of a `Constant` node."""
        if value.weights:
            return self._hold(value)
        key = ("Constant", value.key)
        if key not in self._names:
            step = self._step("Constant", value.title, [], (("value", np.asarray(value.array)),))
            step.outputs.append(self._name(step.name))
            self._names[key] = step.outputs[0]
        return self._names[key]

    def _hold(self, value: Held) -> str:
        """Add a weight or constant to the model, and return its name."""
        if value.key not in self._names:
            name = self._names[value.key] = self._name(value.title)
            self.held[name] = value.array
            if value.array.dtype.kind == "f":
                self.learned[name] = value.learned
        return self._names[value.key]

    def _name(self, title: str) -> str:
        """Return a name that no other value in the model has."""
        return free_name(title, self._used)

    def _end(self, name: str, node: str) -> None:
        """Rename the value of a node to an output's name, or copy it if it is already named.

        Raises GraphError if an input has the same name.
        """
        value = self._values[node]
        if name in self.inputs:
            raise GraphError(
                f"'{self.graph.name}' cannot be written as ONNX: its output '{name}' has the name"
                " of an input"
            )
        if value in self.inputs or value in self.outputs or value in self.held:
            self._step("Identity", f"{name}/Identity", [value], ()).outputs.append(name)
        else:
            for step in self.steps:
                for names in (step.inputs, step.outputs):
                    names[:] = (name if other == value else other for other in names)
            self.between.pop(value, None)
            renamed = {key: name for key, other in self._values.items() if other == value}
            self._values.update(renamed)
        self.outputs[name] = ("batch", *self.graph.by_name[node].out)

    def _join_slices(self) -> None:
        """Write ranges of channels that make up all channels of a value as one `Split`."""
        ranges: dict[str, list[tuple[int, int, Step]]] = {}
        for step in self.steps:
            limits = [self.held.get(name) for name in step.inputs[1:]]
            if step.kind == "Slice" and len(limits) == 3:
                start, stop, axes = (None if v is None else np.asarray(v).tolist() for v in limits)
                if axes == [1] and start and stop:
                    ranges.setdefault(step.inputs[0], []).append((start[0], stop[0], step))
        shapes = self.inputs | self.between
        for value, parts in ranges.items():
            parts.sort(key=lambda part: part[:2])
            ends = [0, *(stop for _, stop, _ in parts)]
            complete = [start for start, _, _ in parts] == ends[:-1]
            if len(parts) < 2 or not complete or ends[-1] != shapes.get(value, (0, 0))[1]:
                continue
            sizes = np.diff(ends).astype(np.int64)
            held = self._hold(_titled("split", sizes))
            first = min(parts, key=lambda part: self.steps.index(part[2]))[2]
            outputs = [step.outputs[0] for _, _, step in parts]
            joined = Step("Split", first.name, [value, held], outputs, (("axis", 1),))
            gone = {id(step) for _, _, step in parts}
            place = self.steps.index(first)
            rest = (step for step in self.steps[place:] if id(step) not in gone)
            self.steps[place:] = [joined, *rest]


def _part_title(node: Node, part: Value) -> str:
    return f"{node.name}/{part.kind}" if isinstance(part, OnnxNode) else node.name


def _constant(node: Node, form: Constant) -> Held:
    return _titled(f"{node.name}/const", np.array(form.values, form.dtype))


def _titled(title: str, array: NDArray[Any]) -> Held:
    """Return a constant, named after its numbers if there are few, never like a weight."""
    if array.size <= SHORT:
        numbers = (format(value, "g") for value in array.flat)
        title = "_".join(("const", str(array.dtype), *numbers))
    return Held(title, (str(array.dtype), array.shape, array.tobytes()), array)


def _computed(node: Node, form: OnnxNode, inputs: list[str | Held]) -> Held:
    """Compute an operator whose inputs are weights and constants."""
    given = [value for value in inputs if isinstance(value, Held)]
    keys = tuple(value.key if isinstance(value, Held) else None for value in inputs)
    key = (form.kind, *keys, form.attributes, form.output)
    weights = {name: weight for value in given for name, weight in value.weights.items()}
    titles = [value.title for value in given if value.key == value.title]
    title = titles[0] if len(titles) == 1 else f"{node.name}/{form.kind}"
    if form.kind == "Reshape" and 0 not in (shape := np.asarray(given[1].array)):
        return Held(title, key, np.asarray(given[0].array).reshape(shape), weights)
    from onnx.helper import make_node
    from onnx.reference import ReferenceEvaluator

    names = [f"in{place}" if value else "" for place, value in enumerate(inputs)]
    outputs = [f"out{place}" for place in range(form.output + 1)]
    alone = make_node(form.kind, names, outputs, **dict(form.attributes))
    feeds = {name: np.asarray(value.array) for name, value in zip(names, inputs, strict=True)
             if isinstance(value, Held)}  # fmt: skip
    results: Any = ReferenceEvaluator(alone).run(None, feeds)
    return Held(title, key, np.asarray(results[form.output]), weights)

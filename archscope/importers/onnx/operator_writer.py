"""Write operators of ONNX one by one, for networks of formats that are read by way of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from archscope.importers.onnx.model_file import library
from archscope.importers.onnx.resolved_model import PREPARED

OPSET = 21
"""The version of ONNX's operators that are written."""

FLOAT = 1
"""ONNX's number of the type of single precision."""


class OperatorWriter:
    """Collects operators and constants, and makes a model of them."""

    domain = ""
    """That of operators without an equivalent in ONNX."""

    def __init__(self) -> None:
        self.onnx = library()
        self.arrays: dict[str, Callable[[], Any]] = {}  # of constants, by value
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []
        self.types: list[Any] = []  # of values whose shapes ONNX does not infer
        self.taken: dict[str, int] = {}
        self.label = ""  # the name of values that are written now
        self.title = ""  # the name of operators that are written now

    def op(self, kind: str, *inputs: str, outputs: int = 1, domain: str = "", **given: Any) -> Any:
        """Write an operator, and return the value of its result, or of each of several."""
        names = [self.fresh(self.label) for _ in range(outputs)]
        given = {key: value for key, value in given.items() if value is not None}
        inputs_ = list(inputs)
        while inputs_ and not inputs_[-1]:
            inputs_.pop()
        self.nodes.append(
            self.onnx.helper.make_node(kind, inputs_, names, self.title, domain=domain, **given)
        )
        return names[0] if outputs == 1 else names

    def constant(self, values: Any, kind: Any = None) -> str:
        """Write a constant that is not in the file: integers, or numbers of the type of an array.

        It counts as a setting, not as a weight.
        """
        import numpy

        array = numpy.asarray(values, kind or numpy.int64)
        name = self.fresh("const")
        tensor = self.onnx.numpy_helper.from_array(array, name)
        if kind is None:
            self.tensors.append(tensor)
        else:  # no initializer, which would count
            self.nodes.append(self.onnx.helper.make_node("Constant", [], [name], value=tensor))
        self.arrays[name] = lambda: array
        return name

    def fresh(self, name: str) -> str:
        """Return a name for a value that no other has."""
        while name in self.taken:
            self.taken[name] += 1
            name = f"{name}#{self.taken[name]}"
        self.taken[name] = 0
        return name

    def turned(self, value: str, order: Sequence[int]) -> str:
        """Write a transposition."""
        return str(self.op("Transpose", value, perm=list(order)))

    def reshaped(self, value: str, shape: Sequence[int]) -> str:
        """Write a reshape."""
        return str(self.op("Reshape", value, self.constant(shape)))

    def model(self, inputs: Sequence[Any], outputs: Mapping[str, str]) -> Any:
        """Return the model with outputs of these values, by title."""
        helper = self.onnx.helper
        computed = {name for node in self.nodes for name in node.output}
        titles: dict[str, str] = {}
        for title, value in outputs.items():
            if value in computed and value not in titles:
                titles[value] = title
            else:  # an input, a constant, or another output too
                self.nodes.append(helper.make_node("Identity", [titles.get(value, value)], [title]))
        hidden = computed.intersection(titles.values()) - titles.keys()
        self._rename(titles | {name: self.fresh(name) for name in hidden})
        declared = {info.name: info for info in self.types}
        plain = helper.make_tensor_value_info
        ends = [declared.get(title) or plain(title, FLOAT, None) for title in outputs]
        nodes, wanted = [], set(outputs)
        for node in reversed(self.nodes):
            if wanted.intersection(node.output):
                wanted.update(node.input)
                nodes.append(node)
        tensors = [tensor for tensor in self.tensors if tensor.name in wanted]
        graph = helper.make_graph(
            nodes[::-1], "net", list(inputs), ends, tensors, value_info=self.types
        )
        versions = {"": OPSET, PREPARED: 1, self.domain: 1}
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid(*entry) for entry in versions.items()]
        )

    def _rename(self, titles: Mapping[str, str]) -> None:
        """Give values other names."""
        for node in self.nodes:
            for names in (node.input, node.output):
                for place, name in enumerate(names):
                    if name in titles:
                        names[place] = titles[name]
        for info in self.types:
            info.name = titles.get(info.name, info.name)

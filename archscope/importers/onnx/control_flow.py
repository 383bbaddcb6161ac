"""Unrolls loops and branches whose trip counts and conditions are constant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from archscope.errors import DataError, LimitError
from archscope.importers.onnx.limits import GROWTH, OPERATORS, TURNS
from archscope.importers.onnx.model_file import library, named, opsets

Scope = Mapping[str, str]
"""The outer names of values, by their names in the current graph."""


class Visitor(Protocol):
    """Computes or keeps operators one by one."""

    model: Any
    constants: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]

    def visit(self, node: Any) -> None:
        """Compute an operator, or keep it with its output shapes."""

    def keep(self, name: str, value: Any) -> None:
        """Keep a constant."""

    def initialize(self, tensors: Iterable[Any], prefix: str = "") -> None:
        """Keep the weights of a graph, with a prefix to their names."""


class ControlFlow:
    """Walks through the operators of a model and of the subgraphs that are executed."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.left = max(OPERATORS, GROWTH * len(visitor.model.graph.node))
        self.turns = TURNS
        self.entered: set[str] = set()  # prefixes of the graphs whose weights are kept
        self.fixed: set[str] = set()  # constants of graphs, which all turns share
        self.graphs = 0

    def walk(self, node: Any, scope: dict[str, str], prefix: str = "", home: str = "") -> None:
        """Visit one operator; `scope` gets the names of what it gives.

        Names inside graphs begin with a prefix, those of their constants with that of the graph.
        """
        if prefix:
            self.left -= 1
            if self.left < 0:
                raise LimitError(
                    f"{named(node)} is in loops and branches that unroll to more"
                    f" operators than the limit of {OPERATORS:,}"
                )
        inputs = [scope.get(name, name) for name in node.input]
        write_out = {"If": self._if, "Loop": self._loop, "Scan": self._scan}.get(node.op_type)
        if write_out is not None and not node.domain:
            results = write_out(node, inputs, scope)
            scope.update(zip(node.output, results, strict=False))
            return None
        if not prefix:
            return self._visit(node, inputs, node.output)
        at = home if not node.input and node.op_type == "Constant" else prefix
        outputs = [name and f"{at}{name}" for name in node.output]
        scope.update((old, new) for old, new in zip(node.output, outputs, strict=True) if old)
        if at == home and outputs[0] in self.fixed:
            return None
        self.fixed.update(outputs if at == home else ())
        return self._visit(node, inputs, outputs)

    def _visit(self, node: Any, inputs: list[str], outputs: Iterable[str]) -> None:
        outputs = list(outputs)
        if inputs != list(node.input) or outputs != list(node.output):
            renamed = type(node)()
            renamed.CopyFrom(node)
            del renamed.input[:], renamed.output[:]
            renamed.input.extend(inputs)
            renamed.output.extend(outputs)
            node = renamed
        self.visitor.visit(node)

    def _run(
        self, graph: Any, scope: Scope, given: Iterable[str], home: str, prefix: str
    ) -> list[str]:
        """Visit the operators of a graph with given inputs, and return its outputs."""
        inner = {**scope, **dict(zip((info.name for info in graph.input), given, strict=True))}
        inner.update((tensor.name, f"{home}{tensor.name}") for tensor in graph.initializer)
        if home not in self.entered:
            self.entered.add(home)
            self.visitor.initialize(graph.initializer, home)
        for node in graph.node:
            self.walk(node, inner, prefix, home)
        return [inner.get(info.name, info.name) for info in graph.output]

    def _home(self, node: Any) -> str:
        self.graphs += 1
        return f"{node.name or node.op_type}.{self.graphs}/"

    def _constant(self, node: Any, name: str) -> Any:
        """Return the number of a constant. Raises DataError if it depends on the input."""
        value = self.visitor.constants.get(name)
        if value is None or value.size != 1:
            raise DataError(
                f"{named(node)} decides at run time what is computed;"
                " archscope analyses networks whose operators are fixed"
            )
        return value.reshape(-1)[0]

    def _if(self, node: Any, inputs: list[str], scope: Scope) -> list[str]:
        graphs = {attribute.name: attribute.g for attribute in node.attribute}
        taken = graphs["then_branch" if self._constant(node, inputs[0]) else "else_branch"]
        home = self._home(node)
        return self._run(taken, scope, (), home, home)

    def _loop(self, node: Any, inputs: list[str], scope: Scope) -> list[str]:
        (body,) = (attribute.g for attribute in node.attribute if attribute.name == "body")
        most, going = (*inputs, "", "")[:2]
        carried = inputs[2:]
        parts: list[list[str]] = [[] for _ in node.output[len(carried) :]]
        turns = None if not most else int(self._constant(node, most))
        home, turn = self._home(node), 0
        while (turns is None or turn < turns) and (not going or self._constant(node, going)):
            prefix = f"{home}{turn}/"
            self.visitor.keep(f"{prefix}turn", _scalar(turn))
            self.visitor.keep(f"{prefix}going", _scalar(True))
            given = [f"{prefix}turn", f"{prefix}going", *carried]
            going, *results = self._run(body, scope, given, home, prefix)
            carried, scanned = results[: len(carried)], results[len(carried) :]
            for kept, value in zip(parts, scanned, strict=True):
                kept.append(value)
            turn += 1
            self._spend_turn(node)
        return [*carried, *(self._stacked(node, kept, 0, home) for kept in parts)]

    def _spend_turn(self, node: Any) -> None:
        self.turns -= 1
        if self.turns < 0:
            raise LimitError(f"{named(node)} has more iterations than the limit of {TURNS:,}")

    def _scan(self, node: Any, inputs: list[str], scope: Scope) -> list[str]:
        given = {attribute.name: attribute for attribute in node.attribute}
        body, count = given["body"].g, given["num_scan_inputs"].i
        states, sequences = inputs[:-count], inputs[-count:]
        ends = len(node.output) - len(states)

        def numbers(word: str, length: int) -> list[int]:
            return list(given[word].ints) if word in given else [0] * length

        axes, backward = numbers("scan_input_axes", count), numbers("scan_input_directions", count)
        turns = self.visitor.shapes[sequences[0]][axes[0]]
        parts: list[list[str]] = [[] for _ in range(ends)]
        home = self._home(node)
        for turn in range(turns):
            prefix = f"{home}{turn}/"
            slices = []
            for place, (name, axis) in enumerate(zip(sequences, axes, strict=True)):
                index, part = f"{prefix}index{place}", f"{prefix}part{place}"
                self.visitor.keep(index, _scalar(turns - 1 - turn if backward[place] else turn))
                self._make("Gather", [name, index], part, axis=axis)
                slices.append(part)
            results = self._run(body, scope, [*states, *slices], home, prefix)
            states, scanned = results[: len(states)], results[len(states) :]
            for kept, value in zip(parts, scanned, strict=True):
                kept.append(value)
            self._spend_turn(node)
        axes, backward = numbers("scan_output_axes", ends), numbers("scan_output_directions", ends)
        return [*states, *(
            self._stacked(node, kept[::-1] if back else kept, axis, home)
            for kept, axis, back in zip(parts, axes, backward, strict=True)
        )]  # fmt: skip

    def _stacked(self, node: Any, values: list[str], axis: int, home: str) -> str:
        """Return the name of values stacked along a new axis."""
        if not values:
            raise DataError(f"{named(node)} has no iterations, so that its outputs are empty")
        self.graphs += 1
        result = f"{home}stacked{self.graphs}"
        rows = []
        for number, value in enumerate(values):
            rows.append(f"{result}/{number}")
            if opsets(self.visitor.model).get("", 1) < 13:
                self._make("Unsqueeze", [value], rows[-1], axes=[axis])
            else:
                self.visitor.keep(f"{rows[-1]}/axis", _vector(axis))
                self._make("Unsqueeze", [value, f"{rows[-1]}/axis"], rows[-1])
        self._make("Concat", rows, result, axis=axis)
        return result

    def _make(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self.visitor.visit(library().helper.make_node(kind, inputs, [output], **attributes))


def _scalar(value: int | bool) -> Any:
    import numpy

    return numpy.array(value)


def _vector(value: int) -> Any:
    import numpy

    return numpy.array([value])

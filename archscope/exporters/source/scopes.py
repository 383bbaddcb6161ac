"""View a graph as nested functions: the inputs, steps and outputs of each block."""

from __future__ import annotations

from msgspec import Struct, structs

from archscope.analysis.memory import in_place
from archscope.errors import GraphError
from archscope.ir import Call, Graph, Node
from archscope.ops.reshape import Identity

Path = tuple[str, ...]


class Step(Struct, frozen=True):
    """One call in a block, of the module at a path relative to the block."""

    path: Path
    part: Call | Scope
    inputs: tuple[str, ...]  # values, each named after its node
    outputs: tuple[str, ...]
    new: bool = True  # whether the module is created here, not by an earlier step
    training: bool = False  # whether it is needed only for training outputs


class Scope(Struct, frozen=True):
    """A block as a function of values."""

    path: Path
    inputs: tuple[str, ...]
    steps: tuple[Step, ...]
    outputs: tuple[str, ...]


def scopes(graph: Graph) -> Scope:
    """Return the whole network as a scope of scopes, without identities."""
    return _ScopeMaker(_without_identities(graph), in_place(graph)).scope(())


def _without_identities(graph: Graph) -> Graph:
    """Return the graph with each `identity` replaced by its input.

    Which operators work in place is decided on the original graph, in which an identity keeps
    its input from being overwritten.
    """
    renamed: dict[str, str] = {}
    nodes = []
    for node in graph.nodes:
        inputs = tuple(renamed.get(name, name) for name in node.inputs)
        if isinstance(node.op, Identity):
            renamed[node.name] = inputs[0]
        else:
            nodes.append(structs.replace(node, inputs=inputs))
    outputs = tuple(
        structs.replace(output, node=renamed.get(output.node, output.node))
        for output in graph.outputs
    )
    return structs.replace(graph, nodes=tuple(nodes), outputs=outputs)


class _ScopeMaker:
    """Divides a graph at the borders of its blocks."""

    def __init__(self, graph: Graph, placed: frozenset[str]) -> None:
        self.graph, self.placed = graph, placed
        self.nodes = [node for node in graph.nodes if node.inputs]
        self.paths: dict[str, Path] = {n.name: tuple(n.name.split(".")) for n in graph.nodes}
        self.index = {node.name: number for number, node in enumerate(self.nodes)}
        kept = {node.name for node in graph.inference().nodes}
        self.training = {node.name for node in self.nodes if node.name not in kept}
        self.members: dict[Path, list[Node]] = {(): self.nodes}
        for node in self.nodes:
            path = self.paths[node.name]
            for depth in range(1, len(path)):
                self.members.setdefault(path[:depth], []).append(node)
        self.readers = graph.readers()
        self.results = {output.node for output in graph.outputs}
        self.whole: dict[Path, bool] = {}
        self.same: dict[Path, Path] = {}  # a repeated call of an earlier block
        for path in self.members:
            self.whole[path] = not path or self._is_whole(path)

    def scope(self, path: Path) -> Scope:
        """Return the scope of a block."""
        steps: list[Step] = []
        seen: set[Path] = set()
        for node in self.members[path]:
            unit = self._unit(node, path)
            if unit is None:
                steps.append(self._call(node, path))
            elif unit not in seen:
                seen.add(unit)
                steps.append(self._enter(unit, path))
        if path:
            return Scope(path, self._inputs(path), tuple(steps), self._outputs(path))
        inputs = tuple(node.name for node in self.graph.inputs)
        return Scope(path, inputs, tuple(steps), tuple(o.node for o in self.graph.outputs))

    def _unit(self, node: Node, path: Path) -> Path | None:
        """Return the outermost block below a path that holds a node and can be a function."""
        own = self.paths[node.name]
        for depth in range(len(path) + 1, len(own)):
            if self.whole[own[:depth]]:
                return own[:depth]
        return None

    def _call(self, node: Node, path: Path) -> Step:
        described = node.op.torch(*node.ins)
        if node.name in self.placed:
            described = described.with_(inplace=True)
        owner = self.paths[node.shares or node.name][len(path) :]
        if node.shares is not None and node.op != self.graph.by_name[node.shares].op:
            raise GraphError(
                f"'{node.name}' and '{node.shares}' share weights and differ in attributes,"
                " which Python source cannot express; use another format"
            )
        training = not path and node.name in self.training
        return Step(owner, described, node.inputs, (node.name,), node.shares is None, training)

    def _enter(self, unit: Path, path: Path) -> Step:
        owner = self.same.get(unit, unit)
        training = not path and self.members[unit][0].name in self.training
        inputs, outputs = self._inputs(unit), self._outputs(unit)
        tail = owner[len(path) :]
        return Step(tail, self.scope(owner), inputs, outputs, owner == unit, training)

    def _inputs(self, path: Path) -> tuple[str, ...]:
        own = {node.name for node in self.members[path]}
        read = (name for node in self.members[path] for name in node.inputs)
        return tuple(dict.fromkeys(name for name in read if name not in own))

    def _outputs(self, path: Path) -> tuple[str, ...]:
        own = dict.fromkeys(node.name for node in self.members[path])
        left = [name for name in own if not own.keys() >= {*self.readers[name]}]
        return tuple(name for name in own if name in self.results or name in left)

    def _is_whole(self, path: Path) -> bool:
        """Return whether a block can be a function: consecutive nodes with an output."""
        members = self.members[path]
        numbers = [self.index[node.name] for node in members]
        if numbers[-1] - numbers[0] + 1 != len(numbers) or not self._outputs(path):
            return False
        if len({node.name in self.training for node in members}) > 1:
            return False
        own = {node.name for node in members}
        strange = [node for node in members if node.shares and node.shares not in own]
        if not strange:
            return True
        earlier = self._twin(path, strange[0])
        if earlier is None:
            return False
        self.same[path] = earlier
        return True

    def _twin(self, path: Path, node: Node) -> Path | None:
        """Return an earlier block with the same structure and weights, if any."""
        assert node.shares is not None
        tail = self.paths[node.name][len(path) :]
        owner = self.paths[node.shares]
        earlier = owner[: -len(tail)]
        if owner[-len(tail) :] != tail or not earlier or not self.whole.get(earlier):
            return None
        if earlier in self.same or path[: len(earlier)] == earlier:
            return None
        again = self._form(path)
        if again != self._form(earlier):
            return None
        for node, other in zip(self.members[path], self.members[earlier], strict=True):
            if node.shares != other.name and node.facts.params + node.facts.buffers:
                return None
        return earlier

    def _form(self, path: Path) -> list[object]:
        """Return a key of what a block computes, independent of its path."""
        inputs, outputs = self._inputs(path), set(self._outputs(path))
        local: dict[str, object] = {name: number for number, name in enumerate(inputs)}
        form: list[object] = []
        for node in self.members[path]:
            name = self.paths[node.name][len(path) :]
            local[node.name] = name
            wires = tuple(local[name] for name in node.inputs)
            marks = node.name in self.placed, node.name in outputs, node.name in self.training
            form.append((name, node.op, node.ins, wires, marks))
        return form

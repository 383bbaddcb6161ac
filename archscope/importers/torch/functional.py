"""Rewrite programs that change tensors in place.

Most in-place work is on a whole tensor without other names, such as `nn.ReLU` after a convolution;
the importer follows that. If a change is visible under another name, through a view or an `out=`,
torch's own functionalization rewrites the program with `slice_scatter` and similar operators. It
takes longer than the trace and decomposes operators that have equivalents here, so it is used only
where needed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from operator import getitem
from typing import Any

import torch
from torch import fx
from torch.export.graph_signature import OutputKind

from archscope.importers.torch.aten import DROPOUTS, WRAPPERS

RETURNED = {OutputKind.USER_OUTPUT, OutputKind.LOSS_OUTPUT}
"""Outputs that a module returns; others are inputs and buffers that it changes."""


def functional(program: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """Return a program whose in-place work can be followed from node to node.

    Raises torch's exceptions if it cannot rewrite the program.
    """
    inputs = set(program.graph_signature.user_inputs)
    plain = all(
        map(_is_operator, program.graph.nodes)
    )  # not subgraphs of vmap, which hide the batch
    if plain and not _needs_rewriting(program.graph_module, lambda node: node.name in inputs):
        return program
    program = program.run_decompositions({})
    kinds = [spec.kind for spec in program.graph_signature.output_specs]
    end = program.graph.output_node()
    results: Any = end.args[0]
    end.args = (tuple(r for r, kind in zip(results, kinds, strict=True) if kind in RETURNED),)
    return program


def remove_dead_code(graph: fx.Graph) -> None:
    """Remove the operators that no output depends on, also those that change tensors in place.

    torch keeps the latter, and everything that they read.
    """
    names = _Names()
    for node in graph.nodes:
        names.add(node)
    needed: set[fx.Node] = set()
    read: set[fx.Node] = set()  # owners of memory that is read later
    for node in reversed(graph.nodes):
        changes = any(names.owner(value) in read for value in written(node))
        if node.op == "output" or node in needed or changes:
            needed.update((node, *node.all_input_nodes))
            read.update(map(names.owner, node.all_input_nodes))
    for node in reversed(graph.nodes):
        if node not in needed and node.op != "placeholder":
            graph.erase_node(node)


def _is_operator(node: fx.Node) -> bool:
    if node.op != "call_function" or node.target is getitem:
        return True
    return isinstance(node.target, torch._ops.OpOverload | torch._ops.HigherOrderOperator)


def written(node: fx.Node) -> list[Any]:
    """Return the arguments that an operator changes."""
    return [value for value, info in memory(node) if info.is_write]


def memory(node: fx.Node) -> list[tuple[Any, Any]]:
    """Return the arguments that share memory with a result or are changed, and how."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return []
    given = dict(zip((argument.name for argument in schema.arguments), node.args, strict=False))
    given |= node.kwargs
    infos = ((given.get(a.name), a.alias_info) for a in schema.arguments if a.alias_info)
    return [
        (part, info)
        for value, info in infos
        for part in (value if isinstance(value, list | tuple) else [value])
        if isinstance(part, fx.Node)
    ]


def _needs_rewriting(module: fx.GraphModule, is_data: Callable[[fx.Node], bool]) -> bool:
    """Return whether a value that depends on the input is changed while it has another name.

    Views of constants that are filled with constants, such as masks, may stay as they are.
    """
    names = _Names()
    moving: set[fx.Node] = set()  # owners of memory that depends on the input
    order = {node: place for place, node in enumerate(module.graph.nodes)}
    for node in order:
        changed = written(node)
        depends = is_data(node) or any(names.owner(s) in moving for s in node.all_input_nodes)
        names.add(node)
        if depends:
            moving.update(map(names.owner, changed or [node]))
        if str(node.target) in WRAPPERS:
            if any(_changes_from_inside(module, source) for source in node.all_input_nodes):
                return True
        elif changed and depends:
            in_place = changed == [node.args[0]] and str(node.target).split(".")[1].endswith("_")
            if not in_place or any(
                order[user] > order[node]
                for other in names.others(changed[0])
                if other is not node
                for user in other.users
            ):
                return True
    return False


def _changes_from_inside(module: fx.GraphModule, node: fx.Node) -> bool:
    """Return whether an argument is a graph that changes its inputs."""
    inner = getattr(module, str(node.target), None) if node.op == "get_attr" else None
    if not isinstance(inner, fx.GraphModule):
        return False
    names = _Names()
    for part in inner.graph.nodes:
        names.add(part)
        if any(names.owner(value).op == "placeholder" for value in written(part)):
            return True
    return _needs_rewriting(inner, lambda node: node.op == "placeholder")


class _Names:
    """The nodes of a graph by the memory of their results."""

    def __init__(self) -> None:
        self.paths: dict[fx.Node, tuple[fx.Node, ...]] = {}  # from the owner of the memory
        self.same: defaultdict[fx.Node, list[fx.Node]] = defaultdict(list)

    def add(self, node: fx.Node) -> None:
        """Add a node after its inputs."""
        source = self._source(node)
        self.paths[node] = (*self.paths.get(source, ()), node) if source else (node,)
        self.same[self.owner(node)].append(node)

    def owner(self, node: fx.Node) -> fx.Node:
        """Return the first node with the memory of a node."""
        return self.paths[node][0] if node in self.paths else node

    def others(self, node: fx.Node) -> Iterable[fx.Node]:
        """Return other nodes whose results a change of this one affects."""
        path = self.paths[node]
        return [
            other
            for other in self.same[self.owner(node)]
            if other is not node and not _are_apart(path, self.paths[other])
        ]

    def _source(self, node: fx.Node) -> fx.Node | None:
        """Return the argument that shares memory with a result, None for new memory."""
        if node.target is getitem:
            source = node.all_input_nodes[0]
            return source if len(self.paths.get(source, ())) > 1 else None
        if str(node.target) in DROPOUTS:
            return node.all_input_nodes[0]
        return next((value for value, _ in memory(node)), None)


def _are_apart(path: tuple[fx.Node, ...], other: tuple[fx.Node, ...]) -> bool:
    """Return whether two names are different parts of the same split."""
    for a, b in zip(path, other, strict=False):
        if a is not b:
            return (a.target is b.target is getitem) and a.args[1] != b.args[1]
    return False

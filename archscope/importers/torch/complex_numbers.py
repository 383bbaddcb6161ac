"""Rewrite arithmetic of complex numbers as that of their real and imaginary parts.

Rotary embeddings turn pairs of channels by a product with complex constants, Su et al. 2021. Our
operators have real numbers only; programs with other complex operators, such as Fourier transforms,
stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx

from archscope.importers.aten.names import name_of

aten = torch.ops.aten

Parts = tuple[Any, Any]
"""The real and the imaginary part of a value: nodes or numbers, None for no imaginary part."""

MOVES = {
    "view", "reshape", "flatten", "unflatten", "unsqueeze", "squeeze", "transpose", "permute",
    "select", "slice", "narrow", "expand", "contiguous", "clone", "roll", "flip", "mean", "sum",
    "alias", "detach", "resolve_conj",
}  # fmt: skip
"""Operators on the first argument that treat both parts alike."""


def in_real_numbers(program: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """Return a program whose complex values of the input are pairs of real ones, where possible."""
    if any(map(_is_complex, program.graph.nodes)):
        _Rewriter(program.graph, set(program.graph_signature.user_inputs)).run()
    return program


def _is_complex(value: Any) -> bool:
    found = value.meta.get("val") if isinstance(value, fx.Node) else None
    return isinstance(found, torch.Tensor) and found.is_complex()


class _Rewriter:
    """Adds the nodes of both parts, and replaces what reads complex values if all can be."""

    def __init__(self, graph: fx.Graph, inputs: set[str]) -> None:
        self.graph, self.inputs = graph, inputs
        self.parts: dict[fx.Node, Parts] = {}
        self.current: fx.Node

    def run(self) -> None:
        """Rewrite the graph, or leave it as it is."""
        depends: set[fx.Node] = set()
        replaced: dict[fx.Node, fx.Node] = {}
        for node in list(self.graph.nodes):
            if node.name not in self.inputs and depends.isdisjoint(node.all_input_nodes):
                continue
            depends.add(node)
            if not any(map(_is_complex, (node, *node.all_input_nodes))):
                continue
            self.current = node
            try:
                with self.graph.inserting_before(node):
                    found = self._rewritten(node)
            except NotImplementedError:
                return
            if isinstance(found, tuple):
                self.parts[node] = found
            else:
                replaced[node] = found
        for node, new in replaced.items():
            node.replace_all_uses_with(new)

    def _rewritten(self, node: fx.Node) -> Any:
        """Return both parts of a complex result, or the node of a real one."""
        name = name_of(str(node.target))
        if node.op != "call_function" or node.kwargs.get("out") is not None:
            raise NotImplementedError
        first: Any = node.args[0]
        if name == "view_as_complex":
            return tuple(self._made(aten.select.int, first, -1, place) for place in (0, 1))
        if name == "complex":
            return node.args
        if name == "polar":
            length, angle = node.args
            sides = (self._made(kind, angle) for kind in (aten.cos.default, aten.sin.default))
            return tuple(self._times(length, side) for side in sides)
        parts = self._parts(first)
        if name in MOVES:
            rest = node.args[1:]
            return tuple(self._made(node.target, part, *rest, **node.kwargs) for part in parts)
        if name in READ:
            return READ[name](self, *parts)
        if name in TWO and not node.kwargs:
            return TWO[name](self, parts, self._parts(node.args[1]))
        raise NotImplementedError

    def _parts(self, value: Any) -> Parts:
        if value in self.parts:
            return self.parts[value]
        if _is_complex(value):  # a constant
            return self._made(aten.real.default, value), self._made(aten.imag.default, value)
        if isinstance(value, complex):
            return value.real, value.imag
        return value, None

    def _made(self, target: Any, *args: Any, **kwargs: Any) -> fx.Node:
        """Return a new node, with what the importer reads of it."""
        node = self.graph.call_function(target, args, kwargs)
        given = fx.node.map_arg((args, kwargs), lambda part: part.meta["val"])
        node.meta = {**self.current.meta, "val": target(*given[0], **given[1])}
        return node

    def _times(self, a: Any, b: Any) -> Any:
        if a is None or b is None:
            return None
        return self._made(aten.mul.Tensor, *((a, b) if isinstance(a, fx.Node) else (b, a)))

    def _plus(self, a: Any, b: Any, operator: Any = aten.add.Tensor) -> Any:
        if b is None:
            return a
        if a is None:
            return b if operator is aten.add.Tensor else self._made(aten.neg.default, b)
        return self._made(operator, a, b)

    def product(self, a: Parts, b: Parts) -> Parts:
        """Return the parts of a product."""
        real = self._plus(self._times(a[0], b[0]), self._times(a[1], b[1]), aten.sub.Tensor)
        return real, self._plus(self._times(a[0], b[1]), self._times(a[1], b[0]))

    def sum(self, a: Parts, b: Parts) -> Parts:
        """Return the parts of a sum."""
        return self._plus(a[0], b[0]), self._plus(a[1], b[1])

    def difference(self, a: Parts, b: Parts) -> Parts:
        """Return the parts of a difference."""
        return (
            self._plus(a[0], b[0], aten.sub.Tensor),
            self._plus(a[1], b[1], aten.sub.Tensor),
        )

    def stacked(self, real: Any, imaginary: Any) -> fx.Node:
        """Return both parts along a last axis."""
        return self._made(aten.stack.default, [real, imaginary], -1)

    def conjugate(self, real: Any, imaginary: Any) -> Parts:
        """Return the parts of the conjugate."""
        return real, self._made(aten.neg.default, imaginary)

    def absolute(self, real: Any, imaginary: Any) -> fx.Node:
        """Return the absolute value."""
        squares = [self._made(aten.square.default, part) for part in (real, imaginary)]
        return self._made(aten.sqrt.default, self._made(aten.add.Tensor, *squares))

    def angle(self, real: Any, imaginary: Any) -> fx.Node:
        """Return the angle in radians."""
        return self._made(aten.atan2.default, imaginary, real)


READ: dict[str, Callable[..., Any]] = {
    "view_as_real": _Rewriter.stacked, "real": lambda rewriter, real, imaginary: real,
    "imag": lambda rewriter, real, imaginary: imaginary, "abs": _Rewriter.absolute,
    "angle": _Rewriter.angle, "conj": _Rewriter.conjugate, "_conj": _Rewriter.conjugate,
}  # fmt: skip
"""Operators on one complex value."""
TWO: dict[str, Callable[..., Parts]] = {
    "mul": _Rewriter.product, "add": _Rewriter.sum, "sub": _Rewriter.difference,
}  # fmt: skip
"""Operators on two values."""

"""Rewrite arithmetic of complex numbers as that of their real and imaginary parts.

Rotary embeddings turn pairs of channels by a product with complex constants, Su et al. 2021, and
networks such as GFNet multiply in the domain of frequencies. Our operators have real numbers only;
programs with other complex operators stay as they are.
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
    "alias", "detach", "resolve_conj", "_unsafe_view", "pad", "constant_pad_nd",
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
        if name in TRANSFORMS:
            return self._transformed(node, *TRANSFORMS[name])
        if name in PRODUCTS:
            return self._product_of_matrices(node, name)
        parts = self._parts(first)
        if name == "copy":
            source: Any = node.args[1]
            if source.meta["val"].shape != node.meta["val"].shape:
                raise NotImplementedError
            return self._parts(source)
        if name == "slice_scatter":
            sources, rest = self._parts(node.args[1]), node.args[2:]
            pairs = zip(parts, sources, strict=True)
            return tuple(self._made(node.target, *pair, *rest, **node.kwargs) for pair in pairs)
        if name in ("pad", "constant_pad_nd") and any((*node.args[2:], *node.kwargs.values())):
            raise NotImplementedError
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
        if _is_complex(value) and name_of(str(value.target)) in ("zeros", "new_zeros"):
            shape = list(value.meta["val"].shape)
            return self._made(aten.zeros.default, shape), self._made(aten.zeros.default, shape)
        if _is_complex(value):  # a constant
            return self._made(aten.real.default, value), self._made(aten.imag.default, value)
        if isinstance(value, complex):
            return value.real, value.imag
        return value, None

    def _transformed(self, node: fx.Node, kind: str, default: tuple[int, ...] | None) -> Any:
        """Return a Fourier transform: of both parts, or of real numbers. Its size is that of x."""
        words = ("input", "size", "dim", "norm")
        given = dict(zip(words, node.args, strict=False))
        given |= {{"n": "size", "s": "size"}.get(key, key): value
                  for key, value in node.kwargs.items()}  # fmt: skip
        x = given["input"]
        dims, sizes = _listed(given.get("dim", default)), _listed(given.get("size"))
        if not isinstance(x, fx.Node) or dims is None:
            raise NotImplementedError
        found = x.meta["val"]
        dims = [dim % found.ndim for dim in dims]
        now = [int(found.shape[dim]) for dim in dims]
        last = 2 * (now[-1] - 1)
        if kind == "irfft" and sizes is not None:
            last, sizes = sizes[-1], [*sizes[:-1], now[-1]]
        whole = kind != "irfft" or (isinstance(last, int) and last // 2 + 1 == now[-1])
        if sizes not in (None, now) or not whole:
            raise NotImplementedError  # it is cut or filled with zeros
        if kind != "rfft":
            real, imaginary = self._parts(x)
            if imaginary is None:
                imaginary = self._made(aten.mul.Tensor, real, 0)
            x = self.stacked(real, imaginary)
        size = last if kind == "irfft" else 0
        made = self._made(
            torch.ops.archscope.fourier.default, x, kind, dims, given.get("norm") or "backward",
            size,
        )  # fmt: skip
        if kind == "irfft":
            return made
        return tuple(self._made(aten.select.int, made, -1, place) for place in (0, 1))

    def _product_of_matrices(self, node: fx.Node, name: str) -> Parts:
        """Return the parts of a product with a matrix, or of one that an equation states."""
        given: tuple[Any, ...] = node.args
        equation = given[:1] if name == "einsum" else ()
        if equation:
            given = tuple(given[1])
        if len(given) < 2 or (equation and len(given) > 2):
            raise NotImplementedError
        first, second, *rest = given
        if any(bias is not None for bias in rest[:1]) or "bias" in node.kwargs:
            raise NotImplementedError
        a, b = self._parts(first), self._parts(second)

        def times(one: Any, other: Any) -> Any:
            if one is None or other is None:
                return None
            operands = (*equation, [one, other]) if equation else (one, other, *rest)
            return self._made(node.target, *operands, **node.kwargs)

        real = self._plus(times(a[0], b[0]), times(a[1], b[1]), aten.sub.Tensor)
        return real, self._plus(times(a[0], b[1]), times(a[1], b[0]))

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
        """Return both parts along a last axis: the pairs that they were taken from, or new ones."""
        nodes = [part for part in (real, imaginary) if isinstance(part, fx.Node)]
        taken = [part.args for part in nodes if part.target == aten.select.int]
        if [rest for _, *rest in taken] == [[-1, 0], [-1, 1]] and taken[0][0] is taken[1][0]:
            pairs = taken[0][0]
            assert isinstance(pairs, fx.Node)
            return pairs
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


def _listed(value: Any) -> list[Any] | None:
    return [*value] if isinstance(value, list | tuple) else None if value is None else [value]


PRODUCTS = {"einsum", "bmm", "matmul", "linear", "conv1d", "conv2d", "conv3d"}
"""Products of two values, of which all but `einsum` have a bias or nothing as third argument."""

TRANSFORMS: dict[str, tuple[str, tuple[int, ...] | None]] = {
    f"fft_{kind}{axes}": (kind, default)
    for kind in ("fft", "ifft", "rfft", "irfft")
    for axes, default in (("", (-1,)), ("2", (-2, -1)), ("n", None))
}
"""The kind of each Fourier transform of torch, and its axes by default."""

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

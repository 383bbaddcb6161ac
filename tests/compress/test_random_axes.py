"""Random networks that move, divide, combine and read their values along any axis."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from random import Random
from typing import Any

import pytest

from archscope.compress import channel_groups
from archscope.errors import ShapeError
from archscope.ir import Graph, Shape
from tests.compress.exactness import at_random, difference, lively
from tests.nets import Net

CLOSE = 1e-9
LARGEST = 600  # numbers of a value


class Sketch:
    """A network while random operators are added where shapes allow."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.net = Net(x=(3, 4, 2))
        self.names = ["x"]
        self.add("conv", "x", out=24)

    def shape(self, name: str) -> Shape:
        return self.net.builder.nodes[name].out

    def add(self, op: str, *sources: str, **attributes: Any) -> None:
        """Add a node, unless the shapes do not allow it."""
        try:
            name = self.net(op, *sources, **attributes)
        except ShapeError:
            return
        if prod(self.shape(name)) > LARGEST:
            del self.net.builder.nodes[name]
            return
        self.names.append(name)

    def value(self) -> str:
        """Return any value, late ones more often."""
        return self.random.choice(self.names[-4:])

    def alike(self, x: str) -> str:
        """Return any value of the same shape."""
        return self.random.choice([n for n in self.names if self.shape(n) == self.shape(x)])

    def step(self) -> None:
        x = self.value()
        shape = self.shape(x)
        axis = self.random.randrange(len(shape))
        move: Callable[[str, Shape, int], None] = self.random.choice(
            (self.layer, self.layer, self.moved, self.moved, self.part, self.function, self.pair,
             self.product, self.sequence)
        )  # fmt: skip
        move(x, shape, axis)

    def layer(self, x: str, shape: Shape, axis: int) -> None:
        if len(shape) == 1:
            self.add("linear", x, out=self.random.choice((6, 8, 12)))
            return
        kernel = self.random.choice((1, 1, 3))
        groups = self.random.choice((1, 1, 1, 2, shape[0]))
        out = groups * self.random.choice((1, 2, 6)) if groups > 1 else self.random.choice((12, 24))
        if len(shape) < 5 and shape[0] % groups == 0:
            self.add("conv", x, out=out, kernel=kernel, padding=kernel // 2, groups=groups)

    def moved(self, x: str, shape: Shape, axis: int) -> None:
        if self.random.random() < 0.5:
            self.add("permute", x, order=tuple(self.random.sample(range(len(shape)), len(shape))))
            return
        left, size = prod(shape), []
        while left > 1 and len(size) < 3:
            size.append(self.random.choice([n for n in range(2, left + 1) if left % n == 0]))
            left //= size[-1]
        self.add("reshape", x, size=(*size, left) if left > 1 or not size else tuple(size))

    def part(self, x: str, shape: Shape, axis: int) -> None:
        start = self.random.randrange(shape[axis])
        stop = self.random.randint(start + 1, shape[axis])
        index = tuple(self.random.choices(range(shape[axis]), k=self.random.randint(1, 6)))
        op, attributes = self.random.choice(
            (
                ("slice", {"start": start, "stop": stop, "axis": axis}),
                ("slice", {"start": start, "stop": stop, "axis": axis, "step": 2}),
                ("select", {"index": start, "axis": axis}),
                ("index_select", {"index": index, "axis": axis}),
                ("flip", {"axes": (axis,)}),
                ("tile", {"times": 2, "axis": axis, "each": start % 2 == 0}),
            )
        )
        self.add(op, x, **attributes)

    def function(self, x: str, shape: Shape, axis: int) -> None:
        op, attributes = self.random.choice(
            (
                ("softmax", {"axis": axis}),
                ("normalize", {"axis": axis}),
                ("glu", {"axis": axis}),
                ("reduce", {"function": "sum", "axes": (axis,), "keep": axis % 2 == 0}),
                ("reduce", {"function": "mean", "axes": (axis,), "keep": axis % 2 == 0}),
                ("learned", {"size": tuple(n if a != axis else 1 for a, n in enumerate(shape))}),
                ("gelu", {}),
                ("batchnorm", {}),
                ("layernorm", {}),
                ("groupnorm", {"groups": 2}),
                ("maxout", {"pieces": 2}),
            )
        )
        if len(shape) > 1 and shape[axis] > 1:
            self.add(op, x, **attributes)

    def pair(self, x: str, shape: Shape, axis: int) -> None:
        other = self.alike(x)
        op, attributes = self.random.choice(
            (
                ("add", {}), ("mul", {}), ("sub", {}), ("concat", {"axis": axis}),
                ("stack", {"axis": axis}),
            )
        )  # fmt: skip
        if other != x:
            self.add(op, x, other, **attributes)

    def product(self, x: str, shape: Shape, axis: int) -> None:
        """Multiply with a value of the same shape, or of its turned one; or attend."""
        other = self.alike(x)
        if len(shape) > 1 and self.random.random() < 0.5:
            order = (*range(len(shape) - 2), len(shape) - 1, len(shape) - 2)
            self.add("permute", other, order=order)
            self.add("matmul", x, self.names[-1])
        elif len(shape) == 3:
            self.add("scaled_dot_product_attention", x, other, self.alike(x))
            self.add("einsum", x, other, equation="abc,abd->dca")
        elif len(shape) == 2:
            self.add("dot_product_attention", x, heads=2, key_heads=self.random.choice((0, 1)))
            self.add("dot_product_attention", x, other, x, heads=2)

    def sequence(self, x: str, shape: Shape, axis: int) -> None:
        kind = self.random.choice(("lstm", "gru", "rnn"))
        if 1 < len(shape) < 4:
            self.add(kind, x, hidden=6, bidirectional=axis == 0, layers=self.random.choice((1, 2)))

    def graph(self) -> Graph:
        """Return the network: all values that nothing reads are classified together."""
        read = {name for node in self.net.builder.nodes.values() for name in node.inputs}
        ends = [self.net("flatten", name) for name in self.names if name not in read]
        last = self.net("concat", *ends) if len(ends) > 1 else ends[0]
        self.net("linear", last, out=3)
        return self.net.graph()


def drawn(seed: int) -> Graph:
    sketch = Sketch(seed)
    for _ in range(14):
        sketch.step()
    return sketch.graph()


@pytest.mark.parametrize("seed", range(40))
def test_random_network(seed: int) -> None:
    graph = drawn(seed)
    groups = channel_groups(graph)
    assert difference(groups, at_random(groups, 0.5, seed), lively(graph)) < CLOSE


def test_most_random_networks_can_lose_something() -> None:
    able = [any(g.removable for g in channel_groups(drawn(seed)).groups) for seed in range(40)]
    assert sum(able) >= 30

"""Random networks: graphs through the builder, and texts of the spec language."""

from __future__ import annotations

from math import prod
from typing import Any

from hypothesis import strategies as st

from archscope.errors import ShapeError
from archscope.graph_builder import GraphBuilder
from archscope.ir import Graph, Output, Shape
from archscope.ops import OPS

LARGEST_MAP = 4096  # elements of any value, so that an example stays cheap
PLAIN = (
    "batchnorm", "channel_max", "channel_mean", "dropout", "elu", "flatten", "gelu",
    "global_avgpool", "global_maxpool", "groupnorm", "hardsigmoid", "hardswish", "identity",
    "layernorm", "leaky_relu", "lrn", "maxout", "pixel_shuffle", "prelu", "relu", "relu6", "scale",
    "sigmoid", "silu", "softmax", "softplus", "softsign", "space_to_depth", "tanh", "upsample",
)  # fmt: skip
"""Operators on one value that need no attribute. A fixed list: a new operator must not change what
is drawn for all others."""


class Sketch:
    """A graph while it is drawn: pieces are added where shapes allow."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.builder = GraphBuilder()

    def pick(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def shape(self, name: str) -> Shape:
        return self.builder.nodes[name].out

    def add(self, op: str, sources: list[str], **attributes: Any) -> str | None:
        """Add a node and return its name, or None if the shapes do not allow it."""
        name = f"{op}{len(self.builder.nodes)}"
        try:
            built = OPS[op](**attributes)
            out = built.shape(*map(self.shape, sources))
            if prod(out) > LARGEST_MAP:
                return None
            return self.builder.add(name, built, sources)
        except ShapeError:
            return None

    def source(self) -> str:
        """Return any node that has positions, late ones more often."""
        names = [name for name, node in self.builder.nodes.items() if len(node.out) > 1]
        return str(names[-1 - min(self.pick(0, 0, 0, 0, 1, 2, 5), len(names) - 1)])

    def alike(self, name: str, *, channels: bool) -> str:
        """Return any node of the same positions, and of the same channels if asked."""
        start = 0 if channels else 1
        wanted = self.shape(name)[start:]
        found = [n for n, node in self.builder.nodes.items() if node.out[start:] == wanted]
        return str(self.pick(*found))

    def conv(self, x: str) -> str | None:
        channels = self.shape(x)[0]
        groups = self.pick(1, 1, 1, 2, channels)
        return self.add(
            "conv",
            [x],
            out=groups * self.pick(1, 2, 3),
            kernel=self.pick(1, 2, 3, 3, 4),
            stride=self.pick(1, 1, 1, 2, 3),
            padding=self.pick(0, 1, 1, 2, "same"),
            dilation=self.pick(1, 1, 1, 2),
            groups=groups,
            bias=self.pick(True, False),
        )

    def plain(self, x: str) -> str | None:
        op = self.pick(*PLAIN)
        if op in ("softmax", "layernorm") and self.shape(x)[0] == 1:
            return None  # it is constant whatever enters, so derivatives see nothing
        return self.add(op, [x])

    def activation(self, x: str) -> str | None:
        return self.add(self.pick("relu", "relu", "relu6", "leaky_relu", "elu"), [x])

    def pool(self, x: str) -> str | None:
        return self.add(
            self.pick("maxpool", "avgpool"),
            [x],
            kernel=self.pick(1, 2, 3),
            stride=self.pick(1, 2, 3),
            padding=self.pick(0, 0, 1),
            ceil=self.pick(False, True),
        )

    def adaptive(self, x: str) -> str | None:
        return self.add("adaptive_avgpool", [x], size=self.pick(1, 2, 3, 5))

    def grown(self, x: str) -> str | None:
        if self.pick(True, False):
            return self.add("upsample", [x], scale=2, mode=self.pick("nearest", "linear"))
        # On three axes torch leaves the result of kernel 1 in memory larger than it.
        least = 1 if len(self.shape(x)) < 4 else 2
        return self.add(
            "conv_transpose",
            [x],
            out=self.pick(1, 2, 4),
            kernel=self.pick(least, 2, 3, 4),
            stride=self.pick(1, 2, 3),
            padding=self.pick(0, 0, 1),
        )

    def residual(self, x: str) -> str | None:
        """Add x, or any value of its shape, to what a convolution of it gives."""
        made = self.add("conv", [x], out=self.shape(x)[0], kernel=3, padding=1)
        return self.add("add", [made, self.alike(x, channels=True)]) if made else None

    def concat(self, x: str) -> str | None:
        return self.add("concat", [x, self.alike(x, channels=False)])

    def split(self, x: str) -> str | None:
        channels = self.shape(x)[0]
        if channels < 2:
            return None
        half = channels // 2
        kept = self.add("slice", [x], start=0, stop=half)
        rest = self.add("slice", [x], start=half, stop=channels)
        if not kept or not rest:
            return None
        worked = self.plain(rest) or rest
        joined = self.add("concat", [kept, worked])
        return self.add("channel_shuffle", [joined], groups=2 - channels % 2) if joined else None

    def gate(self, x: str) -> str | None:
        """Scale x by a squeeze-and-excitation of it, or of a value of its shape."""
        pooled = self.add("global_avgpool", [self.alike(x, channels=True)])
        mixed = self.add("conv", [pooled], out=self.shape(x)[0]) if pooled else None
        weight = self.add(self.pick("sigmoid", "relu6"), [mixed]) if mixed else None
        return self.add("mul", [x, weight]) if weight else None

    def product(self, x: str) -> str | None:
        others = [self.alike(x, channels=True) for _ in range(self.pick(1, 1, 2))]
        return self.add("mul", [x, *others])

    def shared(self, x: str) -> str | None:
        """Use the weights of an earlier convolution once more."""
        nodes = self.builder.nodes.values()
        owners = [n for n in nodes if n.op.name == "conv" and n.ins == (self.shape(x),)]
        if not owners:
            return None
        owner = self.pick(*owners)
        name = f"shared{len(self.builder.nodes)}"
        return self.builder.add(name, owner.op, [x], owner.shares or owner.name)

    def head(self, x: str) -> str:
        """Return a flat classification of x."""
        flat = self.add("flatten", [self.add("global_avgpool", [x]) or x]) or x
        return self.add("linear", [flat], out=self.pick(1, 3)) or flat


PIECES = (
    Sketch.conv, Sketch.conv, Sketch.plain, Sketch.activation, Sketch.pool, Sketch.adaptive,
    Sketch.grown, Sketch.residual, Sketch.concat, Sketch.split, Sketch.gate, Sketch.product,
    Sketch.shared,
)  # fmt: skip


@st.composite
def graphs(
    draw: st.DrawFn, pieces: tuple[Any, ...] = PIECES, most: int = 10, heads: bool = True
) -> Graph:
    """Draw a network of up to `most` pieces, with side outputs if `heads`."""
    sketch = Sketch(draw)
    rank = sketch.pick(1, 2, 2, 2, 3)
    sizes = [sketch.pick(6, 7, 8, 11) for _ in range(rank)]
    x = sketch.builder.add("input", OPS["input"](size=(sketch.pick(1, 2, 4), *sizes)))
    for piece in draw(st.lists(st.sampled_from(pieces), min_size=1, max_size=most)):
        x = piece(sketch, sketch.source()) or x
    outputs = []
    if heads and sketch.pick(True, False):
        side = sketch.source()
        made = sketch.head(side) if sketch.pick(True, False) else side
        outputs.append(Output("side", made, 0.3, sketch.pick(True, False)))
    last = sketch.head(x) if heads and sketch.pick(True, False) else x
    outputs.append(Output("output", last))
    return Graph("random", tuple(sketch.builder.nodes.values()), tuple(outputs))


@st.composite
def chains(draw: st.DrawFn) -> tuple[list[dict[str, Any]], Shape]:
    """Draw the attributes of plain convolutions in a row, and an input that they take."""
    count = draw(st.integers(1, 4))
    layers = [
        {
            "out": draw(st.integers(1, 5)),
            "kernel": draw(st.sampled_from((1, 3, 5))),
            "padding": 2,
            "stride": draw(st.sampled_from((1, 2))),
            "bias": False,
        }
        for _ in range(count)
    ]
    return layers, (draw(st.integers(1, 4)), draw(st.integers(9, 16)), draw(st.integers(9, 16)))


def _layer(draw: st.DrawFn, blocks: list[str]) -> Any:
    """Draw one layer that keeps the number of positions, as YAML would hold it."""
    kind = draw(st.sampled_from(("conv", "plain", "branches", "split", "repeat", "when", "block")))
    conv = {"conv": {"out": draw(st.sampled_from((2, 4, 6))), "kernel": 3, "padding": 1}}
    if kind == "plain":
        return draw(st.sampled_from(("relu", "batchnorm", "identity", {"dropout": 0.1})))
    if kind == "branches":
        if draw(st.booleans()):
            return {"concat": ["identity", conv]}
        alike = [{"conv": {"out": "=x.channels"}}, "relu"]
        return {draw(st.sampled_from(("add", "mul"))): ["identity", alike]}
    if kind == "split":
        return {"concat": ["identity", "relu"], "split": 2}
    if kind == "repeat":
        return {**conv, "then": "relu", "repeat": draw(st.integers(0, 3))}
    if kind == "when":
        return {**conv, "when": f"=x.channels {draw(st.sampled_from('<>'))} 3", "else": "batchnorm"}
    if kind == "block" and blocks:
        return {draw(st.sampled_from(blocks)): {"width": draw(st.sampled_from((2, 4)))}}
    return conv


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a valid spec, as YAML would hold it. Channels stay even, so that halves exist."""
    blocks: dict[str, Any] = {}
    for name in ("first", "second")[: draw(st.integers(0, 2))]:
        inner = [_layer(draw, list(blocks)) for _ in range(draw(st.integers(1, 2)))]
        opening = {"conv": {"out": "=width", "kernel": 1, "bias": False}}
        blocks[name] = {"with": {"width": 2}, "layers": [opening, *inner]}
    layers = [_layer(draw, list(blocks)) for _ in range(draw(st.integers(1, 5)))]
    spec: dict[str, Any] = {
        "name": "random",
        "input": [draw(st.sampled_from((2, 4))), draw(st.integers(5, 9)), draw(st.integers(5, 9))],
        "layers": [*layers, {"conv": {"out": "=classes"}}],
        "let": {"classes": draw(st.integers(1, 5))},
    }
    return {**spec, "blocks": blocks} if blocks else spec

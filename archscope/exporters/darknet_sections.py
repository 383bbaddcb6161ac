"""Describe a network as the sections of a darknet configuration.

A section is a convolution with the batch norm and the activation after it; layers refer to inputs
other than the previous layer by number. A comment names the nodes of a section with weights.
"""

from __future__ import annotations

import re
from functools import singledispatch
from typing import Any

from msgspec import Struct

from archscope.exporters.layer_files import WEIGHT_NORM, LayerGraph
from archscope.importers.darknet.conversion import EPSILON
from archscope.ir import Graph, Node, Op
from archscope.ops.activation import ELU, GELU, LeakyReLU, ReLU, ReLU6, Sigmoid, SiLU, Softmax, Tanh
from archscope.ops.adaptive_pool import GlobalAvgPool, GlobalMaxPool
from archscope.ops.conv import Conv, ConvTranspose
from archscope.ops.dropout import Dropout
from archscope.ops.held_weights import WeightNormConv, WeightNormLinear
from archscope.ops.input import Input
from archscope.ops.linear import Linear
from archscope.ops.merge import Add, Concat, Mul
from archscope.ops.norm import BatchNorm
from archscope.ops.pool import MaxPool
from archscope.ops.reshape import Flatten, Identity, Slice
from archscope.ops.resize import Upsample
from archscope.ops.response_norm import LocalResponseNorm

ACTIVATIONS: dict[Op, str] = {
    ReLU(): "relu", ReLU6(): "relu6", Sigmoid(): "logistic", Tanh(): "tanh", ELU(): "elu",
    GELU(tanh=True): "gelu", SiLU(): "swish",
    LeakyReLU(slope=0.1): "leaky", LeakyReLU(slope=0.01): "relie",
}  # fmt: skip
"""The names of activations in darknet."""

KINDS = tuple({type(op) for op in ACTIVATIONS})

FLAT = "# the output is flat"

COMMENT = re.compile(r"^# (?!the output)(\S+)(?: and (\S+), variances plus (\S+))?$", re.MULTILINE)


class Weighted(Struct, frozen=True):
    """A node with weights, and the batch norm that darknet keeps with it."""

    node: str
    norm: str | None
    extra: float  # added to the variances in the file, beyond darknet's own epsilon

    def comment(self) -> str:
        """Return the comment that names the node and its norm; `COMMENT` matches it."""
        if self.norm is None:
            return f"# {self.node}"
        return f"# {self.node} and {self.norm}, variances plus {self.extra:g}"


class Sections:
    """The sections written so far, and the layer number of each node."""

    def __init__(self, net: LayerGraph) -> None:
        self.net = net
        self.lines: list[str] = []
        self.layers: dict[str, int] = {}
        self.count = 0
        self.weighted: list[Weighted] = []

    def add(self, node: Node, kind: str, comment: str = "", **options: Any) -> None:
        """Add a section for a node."""
        self.lines += ["", *([comment] if comment else []), f"[{kind}]"]
        self.lines += [f"{name}={value}" for name, value in options.items()]
        self.layers[node.name] = self.count
        self.count += 1

    def follow(self, node: Node, name: str) -> None:
        """Make a layer the input of the next section, by a `route` unless it is the last layer."""
        if self.layers[name] != self.count - 1:
            self.add(node, "route", layers=self.at(name))

    def at(self, name: str) -> int:
        """Return the position of a layer relative to the next section."""
        return self.layers[name] - self.count

    def activation(self, node: Node) -> tuple[str, Node]:
        """Return the activation if it is the only reader, else `linear`, and the last node."""
        reader = self.net.only_reader(node, *KINDS)
        if reader is None or reader.op not in ACTIVATIONS:
            return "linear", node
        return ACTIVATIONS[reader.op], reader

    def add_weighted(self, node: Node, kind: str, **options: Any) -> None:
        """Add a layer with weights, with the batch norm and the activation after it."""
        op: Any = node.op
        if node.shares is not None:
            self.net.refuse(node, "layers cannot share weights")
        self.follow(node, node.inputs[0])
        norm = None if op.bias else self.net.only_reader(node, BatchNorm)
        if not op.bias and (norm is None or not getattr(norm.op, "affine", False)):
            self.net.refuse(
                node, "its layers need a bias or a batch norm with scale and shift after them"
            )
        extra = 0.0 if norm is None else getattr(norm.op, "eps", EPSILON) - EPSILON
        held = Weighted(node.name, norm.name if norm else None, extra)
        name, last = self.activation(norm or node)
        self.weighted.append(held)
        self.add(last, kind, held.comment(), **({"batch_normalize": 1} if norm else {}), **options,
                 activation=name)  # fmt: skip
        for each in (node, norm or node):
            self.layers[each.name] = self.count - 1


def sections_of(graph: Graph) -> Sections:
    """Return the sections of a network. Raises GraphError for what darknet cannot express."""
    net = LayerGraph(graph, "darknet")
    net.check_outputs()
    if len(net.outputs) > 1 or len(net.graph.inputs) > 1:
        net.refuse(net.graph.nodes[-1], "it supports a single input and a single output")
    sections = Sections(net)
    for node in net.graph.nodes:
        if node.name not in sections.layers:
            _write(node.op, node, sections)
    return sections


@singledispatch
def _write(op: Op, node: Node, sections: Sections) -> None:
    """Add the sections of a node. Raises GraphError if darknet has no equivalent."""
    if op not in ACTIVATIONS:
        sections.net.refuse(node, "it has no such layer")
    sections.follow(node, node.inputs[0])
    sections.add(node, "activation", activation=ACTIVATIONS[op])


@_write.register
def _input(op: Input, node: Node, sections: Sections) -> None:
    if len(op.size) not in (1, 3):
        sections.net.refuse(node, "it supports only images (C, H, W) and vectors as input")
    words = ("channels", "height", "width") if len(op.size) == 3 else ("inputs",)
    sizes = [f"{word}={size}" for word, size in zip(words, op.size, strict=True)]
    sections.lines += ["[net]", "batch=1", *sizes]
    sections.layers[node.name] = -1
    readers = sections.net.readers[node.name]
    if len(readers) > 1 or isinstance(readers[0].op, Add | Mul | Concat | Slice):
        sections.add(node, "activation", activation="linear")  # a layer that others can refer to


@_write.register
def _identity(op: Identity, node: Node, sections: Sections) -> None:
    if node.name in sections.net.outputs:
        sections.net.refuse(node, "an output must differ from its input")
    sections.layers[node.name] = sections.layers[node.inputs[0]]


@_write.register
def _flatten(op: Flatten, node: Node, sections: Sections) -> None:
    """Treat a flattened value as its feature map, as darknet does, which does not keep shapes."""
    net = sections.net
    kinds: tuple[type[Op], ...] = (Linear, Dropout, Identity, *KINDS)
    if node.out == node.ins[0][:1]:  # a map with a single position
        kinds = (*kinds, Softmax)
    left = [node]
    while left:
        value = left.pop()
        if value.name in net.outputs:
            if Softmax not in kinds:
                net.refuse(node, "it flattens only the inputs of fully connected layers")
            sections.lines.insert(0, FLAT)
        for reader in net.readers[value.name]:
            if not isinstance(reader.op, kinds):
                net.refuse(node, "it flattens only the inputs of fully connected layers")
            if not isinstance(reader.op, Linear):
                left.append(reader)
    sections.layers[node.name] = sections.layers[node.inputs[0]]


@_write.register
def _norm(op: BatchNorm, node: Node, sections: Sections) -> None:
    sections.net.refuse(
        node,
        "it supports batch norms only directly after a layer without bias;"
        " --fused folds those that can be folded",
    )


def _square(node: Node, sections: Sections, what: str, values: list[int]) -> int:
    if len(values) != 2 or values[0] != values[1]:
        sections.net.refuse(node, f"it supports only the same {what} on both axes, got {values}")
    return values[0]


def _strides(windows: Any) -> dict[str, Any]:
    down, across = (window.stride for window in windows)
    return {"stride": down} if down == across else {"stride_y": down, "stride_x": across}


@_write.register
def _convolution(op: Conv, node: Node, sections: Sections) -> None:
    windows = op.window(*node.ins)
    size = _square(node, sections, "kernel", [w.kernel for w in windows])
    dilation = _square(node, sections, "dilation", [w.dilation for w in windows])
    padding = _square(node, sections, "padding", [w.before for w in windows])
    if any(w.before != w.after for w in windows) or padding % dilation:
        sections.net.refuse(
            node, "it supports only equal padding on all sides, a multiple of the dilation"
        )
    padding //= dilation
    pads = {"pad": 1} if padding == size // 2 else {"padding": padding}
    sections.add_weighted(
        node, "convolutional", filters=op.out, size=size, **_strides(windows), **pads,
        **({"groups": op.groups} if op.groups > 1 else {}),
        **({"dilation": dilation} if dilation > 1 else {}),
    )  # fmt: skip


@_write.register(WeightNormConv)
@_write.register(WeightNormLinear)
def _weight_norm(op: Op, node: Node, sections: Sections) -> None:
    sections.net.refuse(node, WEIGHT_NORM)


@_write.register
def _deconvolution(op: ConvTranspose, node: Node, sections: Sections) -> None:
    windows = op.window(*node.ins)
    if op.groups > 1 or any(w.extra or w.dilation > 1 for w in windows):
        sections.net.refuse(
            node, "its transposed convolutions have no groups, dilation or output_padding"
        )
    size, stride, padding = (
        _square(node, sections, name, [getattr(w, name) for w in windows])
        for name in ("kernel", "stride", "padding")
    )
    sections.add_weighted(node, "deconvolutional", filters=op.out, size=size, stride=stride,
                          padding=padding)  # fmt: skip


@_write.register
def _linear(op: Linear, node: Node, sections: Sections) -> None:
    sections.add_weighted(node, "connected", output=op.out)


@_write.register
def _maxpool(op: MaxPool, node: Node, sections: Sections) -> None:
    windows, sizes = op.window(*node.ins), node.ins[0][1:]
    size = _square(node, sections, "kernel", [w.kernel for w in windows])
    before = _square(node, sections, "padding", [w.before for w in windows])
    if any(w.dilation > 1 for w in windows):
        sections.net.refuse(node, "its pooling has no dilation")
    for padding in (2 * before, 2 * before + 1):
        outs = [(n + padding - size) // w.stride + 1 for n, w in zip(sizes, windows, strict=True)]
        reached = [(out - 1) * w.stride + size - n - before
                   for out, n, w in zip(outs, sizes, windows, strict=True)]  # fmt: skip
        after = min(padding - before, max(*reached, 0))
        if outs == [*node.out[1:]] and (padding == 2 * before or 2 * after <= size):
            break
    else:
        sections.net.refuse(node, "it pads the end as much as the start, or by one more")
    sections.follow(node, node.inputs[0])
    sections.add(node, "maxpool", size=size, **_strides(windows), padding=padding)


@_write.register
def _global_avgpool(op: GlobalAvgPool, node: Node, sections: Sections) -> None:
    sections.follow(node, node.inputs[0])
    sections.add(node, "avgpool")


@_write.register
def _global_maxpool(op: GlobalMaxPool, node: Node, sections: Sections) -> None:
    side = _square(node, sections, "pool", [*node.ins[0][1:]])
    sections.follow(node, node.inputs[0])
    sections.add(node, "maxpool", size=side, stride=side, padding=0)


@_write.register
def _dropout(op: Dropout, node: Node, sections: Sections) -> None:
    if op.channels:
        sections.net.refuse(node, "its dropout drops single values, not whole channels")
    sections.follow(node, node.inputs[0])
    sections.add(node, "dropout", probability=op.p)


@_write.register
def _softmax(op: Softmax, node: Node, sections: Sections) -> None:
    if op.axis:
        sections.net.refuse(node, "it supports softmax only over channels")
    sections.follow(node, node.inputs[0])
    at_each: dict[str, Any] = {"spatial": 1} if len(node.out) > 1 else {}
    sections.add(node, "softmax", **at_each)


@_write.register
def _lrn(op: LocalResponseNorm, node: Node, sections: Sections) -> None:
    sections.follow(node, node.inputs[0])
    # darknet multiplies alpha by the sum of squares, we by their mean
    sections.add(node, "normalization", size=op.size, alpha=op.alpha / op.size, beta=op.beta,
                 kappa=op.k)  # fmt: skip


@_write.register
def _upsample(op: Upsample, node: Node, sections: Sections) -> None:
    factors = [out // n for out, n in zip(node.out[1:], node.ins[0][1:], strict=True)]
    factor = _square(node, sections, "factor", factors)
    if op.mode != "nearest" or op.factor is not None or node.out[1:] != tuple(
        factor * n for n in node.ins[0][1:]
    ):  # fmt: skip
        sections.net.refuse(node, "it supports only nearest upsampling by a whole factor")
    sections.follow(node, node.inputs[0])
    sections.add(node, "upsample", stride=factor)


@_write.register
def _add(op: Add, node: Node, sections: Sections) -> None:
    if len(set(node.ins)) > 1:
        sections.net.refuse(node, "it adds only values of the same shape")
    last = max(node.inputs, key=lambda name: sections.layers[name])
    others = [*node.inputs]
    others.remove(last)
    sections.follow(node, last)
    name, end = sections.activation(node)
    places = ",".join(str(sections.at(other)) for other in others)
    sections.add(end, "shortcut", **{"from": places}, activation=name)
    sections.layers[node.name] = sections.count - 1


@_write.register
def _mul(op: Mul, node: Node, sections: Sections) -> None:
    shapes = dict(zip(node.inputs, node.ins, strict=True))
    small = next((name for name in shapes if shapes[name] != node.out), node.inputs[-1])
    large = next((name for name in shapes if name != small), "")
    gate = (node.out[0], *(1,) * (len(node.out) - 1))
    if len(shapes) != 2 or shapes[large] != node.out or shapes[small] not in (gate, node.out):
        sections.net.refuse(
            node, "it multiplies only two values of the same shape, or by one value per channel"
        )
    sections.follow(node, small)
    name, end = sections.activation(node)
    kind = "sam" if shapes[small] == node.out else "scale_channels"
    given: dict[str, Any] = {"from": sections.at(large), "activation": name}
    sections.add(end, kind, **given)
    sections.layers[node.name] = sections.count - 1


@_write.register
def _concat(op: Concat, node: Node, sections: Sections) -> None:
    if op.axis:
        sections.net.refuse(node, "it concatenates only channels")
    places = ",".join(str(sections.at(name)) for name in node.inputs)
    sections.add(node, "route", layers=places)


@_write.register
def _slice(op: Slice, node: Node, sections: Sections) -> None:
    channels, size = node.ins[0][0], op.stop - op.start
    if op.axis or op.step > 1 or channels % size or op.start % size:
        sections.net.refuse(node, "it slices channels only into equal parts")
    sections.add(node, "route", layers=sections.at(node.inputs[0]), groups=channels // size,
                 group_id=op.start // size)  # fmt: skip

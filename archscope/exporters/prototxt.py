"""Export to Caffe: the definition of a network (`.prototxt`) for deployment, one layer per node.

Layers follow https://github.com/BVLC/caffe/blob/master/src/caffe/proto/caffe.proto; `ReLU6` and
`ShuffleChannel` come from well-known forks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import singledispatch
from itertools import pairwise
from typing import Any

from torch import Tensor

from archscope.build import Network, build
from archscope.exporters.layer_files import WEIGHT_NORM, LayerGraph, read_back
from archscope.importers.caffe import from_file
from archscope.ir import Node, Op
from archscope.ops.activation import (
    ELU,
    LeakyReLU,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from archscope.ops.adaptive_pool import GlobalAvgPool, GlobalMaxPool
from archscope.ops.conv import Conv, ConvTranspose
from archscope.ops.dropout import Dropout
from archscope.ops.geometry import symmetric
from archscope.ops.held_weights import WeightNormConv, WeightNormLinear
from archscope.ops.input import Input
from archscope.ops.linear import Linear
from archscope.ops.merge import Add, Concat, Mul
from archscope.ops.norm import BatchNorm
from archscope.ops.pool import AvgPool, MaxPool
from archscope.ops.rearrange import ChannelShuffle
from archscope.ops.reshape import Flatten, Identity, Reshape, Slice
from archscope.ops.response_norm import LocalResponseNorm
from archscope.ops.scale import DivScalar, MulScalar, Scale

Params = Mapping[str, Any]
"""A protobuf message of Caffe: numbers, words, lists for repeated fields, and messages."""

PLAIN: dict[type[Op], str] = {
    ReLU: "ReLU", ReLU6: "ReLU6", Sigmoid: "Sigmoid", Tanh: "TanH", SiLU: "Swish",
    Flatten: "Flatten",
}  # fmt: skip
"""Operators without attributes, and their layer types in Caffe."""


class _Text:
    """The layers written so far, and the name of the value of each node."""

    def __init__(self, net: LayerGraph) -> None:
        self.net = net
        self.lines: list[str] = []
        self.tops: dict[str, str] = {}
        self.names = set(net.graph.by_name)

    def add(
        self, node: Node, kind: str, bottoms: Sequence[str] | None = None, **params: Params
    ) -> None:
        """Add the layer that computes the value of a node."""
        bottoms = [self.tops[name] for name in node.inputs] if bottoms is None else bottoms
        self.tops[node.name] = self.layer(node.name, kind, bottoms, [node.name], node, **params)

    def part(self, node: Node, suffix: str, kind: str, bottom: str, **params: Params) -> str:
        """Add one of several layers for a node, and return its top."""
        name = f"{node.name}_{suffix}"
        while name in self.names:
            name += "_"
        self.names.add(name)
        return self.layer(name, kind, [bottom], [name], node, **params)

    def layer(
        self, name: str, kind: str, bottoms: Sequence[str], tops: Sequence[str], node: Node,
        **params: Params,
    ) -> str:  # fmt: skip
        """Add a layer and return its first top."""
        given: dict[str, Any] = {"name": f'"{name}"', "type": f'"{kind}"'}
        given |= {"bottom": [f'"{b}"' for b in bottoms], "top": [f'"{t}"' for t in tops]}
        owner = node.shares or node.name
        sharing = any(other.shares == owner for other in self.net.graph.nodes)
        if sharing and node.facts.params:
            given["param"] = [{"name": f'"{owner}_{place}"'} for place in range(2)]
        self.lines += ["layer {", *_lines({**given, **params}, "  "), "}"]
        return tops[0]


def _lines(message: Params, indent: str) -> list[str]:
    lines = []
    for name, values in message.items():
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, Mapping):
                lines += [f"{indent}{name} {{", *_lines(value, f"{indent}  "), f"{indent}}}"]
            else:
                text = str(value).lower() if isinstance(value, bool) else value
                lines.append(f"{indent}{name}: {text}")
    return lines


def export(network: Network, opset: int | None) -> bytes:
    """Return the definition of a network for one image. Raises GraphError where Caffe has none."""
    net = LayerGraph(network.graph, "Caffe")
    net.check_outputs()
    text = _Text(net)
    title = net.graph.name.replace('"', "'").replace("\\", "/")  # or it ends there
    text.lines.append(f'name: "{title}"')
    if len(net.outputs) > 1:
        text.lines += [f"# output {title}: {name}" for name, title in net.outputs.items()]
    for node in net.graph.nodes:
        if node.name not in text.tops:
            _write(node.op, node, text)
    return "\n".join([*text.lines, ""]).encode()


def load(content: bytes, weights: Mapping[str, Tensor]) -> Callable[..., Any]:
    """Return the network of a definition, read back by the importer, with the given weights."""
    graph = read_back(content, from_file, "net.prototxt").graph
    network = build(graph).eval()
    network.load_state_dict({name: weights[name] for name in network.state_dict()})
    titles = re.findall(r"^# output (\S+): (\S+)$", content.decode(), re.MULTILINE)
    if not titles:
        return network
    places = {output.node: output.name for output in graph.outputs}

    def run(*inputs: Tensor) -> dict[str, Tensor]:
        made: Any = network(*inputs)
        return {title: made[places[name]] for title, name in titles}

    return run


@singledispatch
def _write(op: Op, node: Node, text: _Text) -> None:
    """Add the layers of a node. Raises GraphError if Caffe has no equivalent."""
    if type(op) not in PLAIN:
        text.net.refuse(node, "it has no such layer")
    text.add(node, PLAIN[type(op)])


@_write.register
def _input(op: Input, node: Node, text: _Text) -> None:
    text.add(node, "Input", (), input_param={"shape": {"dim": [1, *op.size]}})


@_write.register
def _identity(op: Identity, node: Node, text: _Text) -> None:
    if node.name in text.net.outputs:
        text.net.refuse(node, "an output must differ from its input")
    text.tops[node.name] = text.tops[node.inputs[0]]


def _sides(name: str, values: Sequence[int], default: int) -> Params:
    """Return a size of a window along each axis of positions."""
    if len(set(values)) == 1:
        return {name: values[0]} if values[0] != default else {}
    if len(values) == 2 and name != "dilation":
        stem = name.removesuffix("_size")
        return {f"{stem}_h": values[0], f"{stem}_w": values[1]}
    return {name: list(values)}


def _window(node: Node, text: _Text) -> dict[str, Any]:
    """Return kernel, stride and padding of a window. Raises GraphError for uneven padding."""
    windows: Any = node.op.window(*node.ins)
    if not symmetric(windows):
        text.net.refuse(node, "it supports only equal padding on both sides of an axis")
    return {
        **_sides("kernel_size", [w.kernel for w in windows], 0),
        **_sides("stride", [w.stride for w in windows], 1),
        **_sides("pad", [w.before for w in windows], 0),
    }


@_write.register
def _convolution(op: Conv, node: Node, text: _Text) -> None:
    windows = op.window(*node.ins)
    param = {
        "num_output": op.out, **_window(node, text),
        **_sides("dilation", [w.dilation for w in windows], 1),
        **({"group": op.groups} if op.groups > 1 else {}),
        **({} if op.bias else {"bias_term": False}),
    }  # fmt: skip
    text.add(node, "Convolution", convolution_param=param)


@_write.register(WeightNormConv)
@_write.register(WeightNormLinear)
def _weight_norm(op: Op, node: Node, text: _Text) -> None:
    text.net.refuse(node, WEIGHT_NORM)


@_write.register
def _deconvolution(op: ConvTranspose, node: Node, text: _Text) -> None:
    windows = op.window(*node.ins)
    if any(window.extra for window in windows):
        text.net.refuse(node, "its transposed convolutions have no output_padding")
    param = {
        "num_output": op.out,
        **_sides("kernel_size", [w.kernel for w in windows], 0),
        **_sides("stride", [w.stride for w in windows], 1),
        **_sides("pad", [w.padding for w in windows], 0),
        **_sides("dilation", [w.dilation for w in windows], 1),
        **({"group": op.groups} if op.groups > 1 else {}),
        **({} if op.bias else {"bias_term": False}),
    }
    text.add(node, "Deconvolution", convolution_param=param)


@_write.register(MaxPool)
@_write.register(AvgPool)
def _pooling(op: MaxPool | AvgPool, node: Node, text: _Text) -> None:
    windows, sizes = op.window(*node.ins), node.ins[0][1:]
    if any(window.dilation > 1 for window in windows):
        text.net.refuse(node, "its pooling has no dilation")
    if isinstance(op, AvgPool) and not op.count_padding and any(w.before for w in windows):
        text.net.refuse(node, "its average pooling always counts the zeros of the padding")
    rooms = [n + 2 * w.before - w.kernel for n, w in zip(sizes, windows, strict=True)]
    ups = [-(-room // w.stride) + 1 for room, w in zip(rooms, windows, strict=True)]
    if any(w.before for w in windows):  # Caffe drops a last window that would begin in the padding
        ups = [
            out - ((out - 1) * w.stride >= n + w.before)
            for out, n, w in zip(ups, sizes, windows, strict=True)
        ]
    downs = [room // w.stride + 1 for room, w in zip(rooms, windows, strict=True)]
    wanted = [*node.out[1:]]
    if wanted not in (ups, downs):
        text.net.refuse(node, f"its pool gives {ups} or {downs} positions, not {wanted}")
    param = {
        "pool": "AVE" if isinstance(op, AvgPool) else "MAX", **_window(node, text),
        **({"round_mode": "FLOOR"} if wanted != ups else {}),
    }  # fmt: skip
    text.add(node, "Pooling", pooling_param=param)


@_write.register(GlobalAvgPool)
@_write.register(GlobalMaxPool)
def _global_pooling(op: Op, node: Node, text: _Text) -> None:
    kind = "AVE" if isinstance(op, GlobalAvgPool) else "MAX"
    text.add(node, "Pooling", pooling_param={"pool": kind, "global_pooling": True})


@_write.register
def _linear(op: Linear, node: Node, text: _Text) -> None:
    param = {"num_output": op.out, **({} if op.bias else {"bias_term": False})}
    text.add(node, "InnerProduct", inner_product_param=param)


@_write.register
def _norm(op: BatchNorm, node: Node, text: _Text) -> None:
    param = {"moving_average_fraction": round(1 - op.momentum, 9), "eps": op.eps}
    text.add(node, "BatchNorm", batch_norm_param=param)
    if op.affine:
        top = text.tops[node.name]
        text.tops[node.name] = text.part(node, "scale", "Scale", top,
                                         scale_param={"bias_term": True})  # fmt: skip


@_write.register
def _scale(op: Scale, node: Node, text: _Text) -> None:
    text.add(node, "Scale", scale_param={"bias_term": op.bias})


@_write.register
def _times(op: MulScalar | DivScalar, node: Node, text: _Text) -> None:
    text.add(node, "Power", power_param={"scale": op.factor})


@_write.register
def _leaky(op: LeakyReLU, node: Node, text: _Text) -> None:
    text.add(node, "ReLU", relu_param={"negative_slope": op.slope})


@_write.register
def _prelu(op: PReLU, node: Node, text: _Text) -> None:
    text.add(node, "PReLU", prelu_param={"channel_shared": op.slopes == 1})


@_write.register
def _elu(op: ELU, node: Node, text: _Text) -> None:
    if op != ELU():
        text.net.refuse(node, "its ELU always has alpha 1")
    text.add(node, "ELU")


@_write.register
def _softplus(op: Softplus, node: Node, text: _Text) -> None:
    if op != Softplus():
        text.net.refuse(node, "its BNLL always is log(1 + exp(x))")
    text.add(node, "BNLL")


@_write.register
def _softmax(op: Softmax, node: Node, text: _Text) -> None:
    if op.axis:
        text.net.refuse(node, "it supports softmax only over channels")
    text.add(node, "Softmax")


@_write.register
def _lrn(op: LocalResponseNorm, node: Node, text: _Text) -> None:
    param = {"local_size": op.size, "alpha": op.alpha, "beta": op.beta, "k": op.k}
    text.add(node, "LRN", lrn_param=param)


@_write.register
def _dropout(op: Dropout, node: Node, text: _Text) -> None:
    if op.channels:
        text.net.refuse(node, "its dropout drops single values, not whole channels")
    text.add(node, "Dropout", dropout_param={"dropout_ratio": op.p})


@_write.register
def _add(op: Add, node: Node, text: _Text) -> None:
    if len(set(node.ins)) > 1:
        text.net.refuse(node, "it adds only values of the same shape")
    text.add(node, "Eltwise", eltwise_param={"operation": "SUM"})


@_write.register
def _mul(op: Mul, node: Node, text: _Text) -> None:
    if len(set(node.ins)) == 1:
        return text.add(node, "Eltwise", eltwise_param={"operation": "PROD"})
    large = next((n for n, x in zip(node.inputs, node.ins, strict=True) if x == node.out), None)
    small = next((n for n in node.inputs if n != large), "")
    gate = (node.out[0], *(1,) * (len(node.out) - 1))
    if large is None or len(node.inputs) != 2 or text.net.graph.by_name[small].out != gate:
        text.net.refuse(
            node, "it multiplies only values of the same shape, or by one value per channel"
        )
    flat = text.part(node, "gate", "Flatten", text.tops[small])
    text.add(node, "Scale", [text.tops[large], flat], scale_param={"axis": 0})
    return None


@_write.register
def _concat(op: Concat, node: Node, text: _Text) -> None:
    if op.axis:
        text.add(node, "Concat", concat_param={"axis": op.axis + 1})
    else:
        text.add(node, "Concat")


@_write.register
def _shuffle(op: ChannelShuffle, node: Node, text: _Text) -> None:
    text.add(node, "ShuffleChannel", shuffle_channel_param={"group": op.groups})


@_write.register
def _reshape(op: Reshape, node: Node, text: _Text) -> None:
    text.add(node, "Reshape", reshape_param={"shape": {"dim": [0, *op.size]}})


@_write.register
def _slice(op: Slice, node: Node, text: _Text) -> None:
    """Add the layer that splits a value into all the parts that are read."""
    (source,) = node.inputs
    parts = sorted(
        (other for other in text.net.readers[source] if isinstance(other.op, Slice)),
        key=lambda other: getattr(other.op, "start", 0),
    )
    ends = [0]
    for part in parts:
        assert isinstance(part.op, Slice)
        if part.op.axis or part.op.step > 1 or part.op.start != ends[-1]:
            text.net.refuse(node, "it splits all channels into consecutive parts")
        ends.append(part.op.stop)
    if ends[-1] != node.ins[0][0] or any(a >= b for a, b in pairwise(ends)):
        text.net.refuse(node, "it splits all channels into consecutive parts")
    tops = [part.name for part in parts]
    text.layer(node.name, "Slice", [text.tops[source]], tops, node,
               slice_param={"axis": 1, "slice_point": ends[1:-1]})  # fmt: skip
    text.tops.update(zip(tops, tops, strict=True))

"""Convert Keras layers to operators; its shapes have the channels last, ours first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from msgspec import Struct

from archscope.errors import quoted
from archscope.importers.file_graph import FileGraph
from archscope.importers.keras.config import KerasLayer
from archscope.ir import Shape

Pads = tuple[tuple[int, int], ...]


class Value(Struct, frozen=True):
    """A node, and zero padding around it that a convolution may absorb."""

    node: str
    pads: Pads = ()


class Conversion:
    """The graph under construction."""

    def __init__(self, made: FileGraph, late: bool) -> None:
        self.made = made
        self.late = late
        self.calls = 0  # of layers, counting layers of repeatedly called models each time
        self.owners: dict[str, list[str]] = {}  # the nodes with weights of each layer

    def add(self, title: str, word: str, *inputs: str, **given: Any) -> str:
        """Add an operator."""
        return self.made.add(title, 1, word, inputs, **given)

    def shape(self, node: str) -> Shape:
        """Return the shape of what a node gives."""
        return self.made.shape(node)

    def opaque(self, title: str, kind: str, *inputs: str, each: int = 0, **given: Any) -> str:
        """Add a layer without an equivalent operator, with its operations per output value."""
        size = given.setdefault("size", self.shape(inputs[0]))
        given = {"products": 0, "work": each * prod(size), **given}
        return self.made.opaque(title, 1, f"keras.{kind}", inputs, **given)

    def plain(self, title: str, value: Value) -> str:
        """Return the node of a value, with its padding as a layer."""
        if not value.pads:
            return value.node
        channels, *sizes = self.shape(value.node)
        padded = [n + sum(pad) for n, pad in zip(sizes, value.pads, strict=True)]
        return self.opaque(f"{title}_pad", "ZeroPadding", value.node, size=(channels, *padded))

    def error(self, layer: KerasLayer, message: str) -> Exception:
        """Return the error to raise for a layer."""
        return self.made.error(f"'{layer.name}' ({layer.kind}) {message}", 1)


ACTIVATIONS = {
    "relu": "relu", "relu6": "relu6", "sigmoid": "sigmoid", "tanh": "tanh", "softplus": "softplus",
    "softsign": "softsign", "swish": "silu", "silu": "silu", "elu": "elu", "softmax": "softmax",
    "gelu": "gelu", "hard_swish": "hardswish", "hard_silu": "hardswish",
}  # fmt: skip
COSTS = {"selu": 4, "exponential": 1, "hard_sigmoid": 4, "mish": 6, "log_softmax": 6,
         "relu_limited": 2}  # fmt: skip


def activated(net: Conversion, layer: KerasLayer, title: str, node: str, act: Any = None) -> str:
    """Add the activation of a layer and return the last node."""
    given = layer.get("activation") if act is None else act
    if isinstance(given, dict):
        config = given.get("config")
        given = config if isinstance(config, str) else given.get("class_name")
    name = str(given or "linear").rsplit(">", maxsplit=1)[-1].lower()
    if name == "linear":
        return node
    if name == "softmax" and len(net.shape(node)) > 1 and prod(net.shape(node)[1:]) == 1:
        return net.add(f"{title}_softmax", "softmax", node)
    if name == "hard_sigmoid" and net.late:
        return net.add(f"{title}_hardsigmoid", "hardsigmoid", node)
    if name == "leaky_relu":
        return net.add(f"{title}_leaky_relu", "leaky_relu", node, slope=0.2)
    if name in ACTIVATIONS:
        return net.add(f"{title}_{ACTIVATIONS[name]}", ACTIVATIONS[name], node)
    if name in COSTS:
        return net.opaque(f"{title}_{name}", name, node, each=COSTS[name], pointwise=True)
    raise net.error(layer, f"has the unknown activation {quoted(name)}")


def _each(layer: KerasLayer, name: str, default: Any, rank: int) -> tuple[Any, ...]:
    value = layer.get(name, default)
    return tuple(value) if isinstance(value, list | tuple) else (value,) * rank


def _brief(values: Sequence[Any]) -> Any:
    return values[0] if len(set(values)) == 1 else tuple(values)


def convolution(net: Conversion, layer: KerasLayer, title: str, value: Value) -> str:
    """Add a plain, depthwise or separable convolution, with the padding before it."""
    rank = len(net.shape(value.node)) - 1
    kernel, stride, dilation = (
        _each(layer, name, default, rank)
        for name, default in (("kernel_size", 1), ("strides", 1), ("dilation_rate", 1))
    )
    padding: Any = "same" if layer.get("padding", "valid") == "same" else 0
    node = value.node
    if value.pads and padding == 0:
        padding = value.pads
        if all(a == b for a, b in padding):
            padding = _brief([a for a, _ in padding])
    elif value.pads:
        node = net.plain(title, value)
    if padding == 0 and layer.get("padding") == "causal":
        padding = ((dilation[0] * (kernel[0] - 1), 0),)
    bias = bool(layer.get("use_bias", True))
    window = {
        "kernel": _brief(kernel), "stride": _brief(stride), "dilation": _brief(dilation),
        "padding": padding,
    }  # fmt: skip
    channels = net.shape(node)[0]
    if layer.kind.startswith(("Depthwise", "Separable")):
        out = channels * layer.get("depth_multiplier", 1)
        separable = layer.kind.startswith("Separable")
        name = f"{title}_depthwise" if separable else title
        node = net.add(name, "conv", node, out=out, groups=channels,
                       bias=bias and not separable, **window)  # fmt: skip
        if separable:
            node = net.add(title, "conv", node, out=layer.get("filters"), bias=bias)
    else:
        node = net.add(title, "conv", node, out=layer.get("filters"),
                       groups=layer.get("groups", 1), bias=bias, **window)  # fmt: skip
    return activated(net, layer, title, node)


def transposed(net: Conversion, layer: KerasLayer, title: str, value: Value) -> str:
    """Add a transposed convolution: `same` multiplies the size by the stride."""
    node = net.plain(title, value)
    rank = len(net.shape(node)) - 1
    kernel, stride = (_each(layer, name, 1, rank) for name in ("kernel_size", "strides"))
    over = [k - s for k, s in zip(kernel, stride, strict=True)]
    if layer.get("padding", "valid") == "same":
        cut = [max(-(-more // 2), 0) for more in over]
        extra = [2 * c - more for c, more in zip(cut, over, strict=True)]
    else:
        cut, extra = [0] * rank, [max(-more, 0) for more in over]
    node = net.add(
        title, "conv_transpose", node, out=layer.get("filters"), kernel=_brief(kernel),
        stride=_brief(stride), padding=_brief(cut), output_padding=_brief(extra),
        dilation=_brief(_each(layer, "dilation_rate", 1, rank)),
        bias=bool(layer.get("use_bias", True)),
    )  # fmt: skip
    return activated(net, layer, title, node)


def dense(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add a fully connected layer over the channels, at each position if there are any."""
    word = "linear" if len(net.shape(node)) == 1 else "conv"
    node = net.add(
        title, word, node, out=layer.get("units"), bias=bool(layer.get("use_bias", True))
    )
    return activated(net, layer, title, node)


def pooling(net: Conversion, layer: KerasLayer, title: str, value: Value) -> str:
    """Add pooling; average pooling does not count the zeros of `same`."""
    word = "maxpool" if layer.kind.startswith("Max") else "avgpool"
    node = net.plain(
        title, value
    )  # zeros are not padding of maximum pooling: they may be the maximum
    pads: Any = 0
    rank = len(net.shape(node)) - 1
    kernel = _each(layer, "pool_size", 2, rank)
    stride = _each(layer, "strides", kernel, rank)
    given: dict[str, Any] = {"kernel": _brief(kernel), "stride": _brief(stride)}
    if layer.get("padding", "valid") == "same":
        pads = "same"
        sizes = net.shape(node)[1:]
        over = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(sizes, kernel, stride,
                                                                        strict=True)]  # fmt: skip
        if word == "avgpool" and any(more % 2 for more in over):
            size = (net.shape(node)[0], *(-(-n // s) for n, s in zip(sizes, stride, strict=True)))
            return net.opaque(title, layer.kind, node, each=prod(kernel), size=size)
        if word == "avgpool":
            pads = _brief([more // 2 for more in over])
            given["count_padding"] = not any(over)
    return net.add(title, word, node, padding=pads, **given)


def global_pooling(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add the mean or maximum over all positions."""
    word = "global_maxpool" if "Max" in layer.kind else "global_avgpool"
    if layer.get("keepdims", False):
        return net.add(title, word, node)
    return net.add(title, "flatten", net.add(f"{title}_pool", word, node))


def batchnorm(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add a batch norm; there is no operator for one with only a scale or only a shift."""
    both = bool(layer.get("scale", True)), bool(layer.get("center", True))
    channels = net.shape(node)[0]
    if both[0] != both[1]:
        return net.opaque(title, layer.kind, node, each=2, learned=channels, kept=2 * channels,
                          pointwise=True)  # fmt: skip
    momentum = round(1 - float(layer.get("momentum", 0.99)), 9)
    return net.add(title, "batchnorm", node, eps=layer.get("epsilon", 0.001), momentum=momentum,
                   affine=both[0])  # fmt: skip


def layernorm(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add a layer norm over the channels, or a group norm."""
    given = {"eps": layer.get("epsilon", 0.001), "affine": bool(layer.get("scale", True))}
    if layer.kind == "GroupNormalization":
        return net.add(title, "groupnorm", node, groups=layer.get("groups", 32), **given)
    return net.add(title, "layernorm", node, **given)


def relu(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add a ReLU, limited or leaky."""
    slope = layer.get("negative_slope", layer.get("alpha", 0.3 if "Leaky" in layer.kind else 0))
    slope = slope[0] if isinstance(slope, list) and slope else slope
    most = layer.get("max_value")
    if most not in (None, 6) or layer.get("threshold", 0):
        return net.opaque(title, layer.kind, node, each=2, pointwise=True)
    if most is not None:
        return net.add(title, "relu6", node)
    return (
        net.add(title, "leaky_relu", node, slope=slope) if slope else net.add(title, "relu", node)
    )


def prelu(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add a leaky ReLU with learned slopes, per channel if the other axes share them."""
    channels, *sizes = net.shape(node)
    shared = layer.get("shared_axes") or []
    if len(shared) == len(sizes):
        return net.add(title, "prelu", node, slopes=channels)
    return net.opaque(title, layer.kind, node, each=2, learned=prod(net.shape(node)),
                      pointwise=True)  # fmt: skip


def reshape(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add a reshape: an operator if no position moves, else an opaque layer."""
    shape = net.shape(node)
    target = [int(size) for size in layer.get("target_shape", [])]
    rest = prod(size for size in target if size != -1)
    if target.count(-1) > 1 or rest < 1 or prod(shape) % rest or not 1 <= len(target) <= 4:
        raise net.error(layer, f"cannot reshape {prod(shape)} values to {quoted(target)}")
    target = [prod(shape) // rest if size == -1 else size for size in target]
    size = (target[-1], *target[:-1])
    if size == shape:
        return node
    if prod(shape[1:]) == 1 and prod(size[1:]) == 1:
        return net.add(title, "flatten" if len(size) == 1 else "reshape", node,
                       **({} if len(size) == 1 else {"size": size}))  # fmt: skip
    if shape[0] == size[0] and len(size) > 1:  # the channels stay, the positions are in order
        return net.add(title, "reshape", node, size=size)
    return net.opaque(title, layer.kind, node, size=size)


def upsampling(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add nearest or linear upsampling."""
    rank = len(net.shape(node)) - 1
    modes = {"nearest": "nearest", "bilinear": "linear"}
    mode = str(layer.get("interpolation", "nearest"))
    scale = _brief(_each(layer, "size", 2, rank))
    if mode in modes:
        return net.add(title, "upsample", node, scale=scale, mode=modes[mode])
    raise net.error(layer, f"interpolates by {quoted(mode)}, which is not supported")


def cropping(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add a crop of the positions."""
    channels, *sizes = net.shape(node)
    cuts = [sum(cut) if isinstance(cut, list) else 2 * cut
            for cut in _each(layer, "cropping", 0, len(sizes))]  # fmt: skip
    left = [n - cut for n, cut in zip(sizes, cuts, strict=True)]
    return net.opaque(title, layer.kind, node, size=(channels, *left))


def rescaling(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add a product with a constant, and a sum."""
    scale, offset = layer.get("scale", 1), layer.get("offset", 0)
    if isinstance(scale, int | float) and offset == 0:
        return net.add(title, "mul_scalar", node, factor=scale)
    return net.opaque(title, layer.kind, node, each=2, pointwise=True)


def merge(net: Conversion, layer: KerasLayer, title: str, nodes: Sequence[str]) -> str:
    """Add a merge of several values."""
    if len(nodes) == 1:
        return nodes[0]
    words = {"Add": "add", "Multiply": "mul"}
    if layer.kind in words:
        return net.add(title, words[layer.kind], *nodes)
    if layer.kind == "Concatenate":
        rank = len(net.shape(nodes[0])) + 1
        axis = layer.get("axis", -1)
        axis = axis + rank if isinstance(axis, int) and axis < 0 else axis
        if not isinstance(axis, int) or not 0 < axis < rank:
            raise net.error(layer, "joins images, or along an axis that does not exist")
        return net.add(title, "concat", *nodes, axis=axis % (rank - 1))
    if layer.kind == "Average":
        total = net.add(f"{title}_sum", "add", *nodes)
        return net.add(title, "mul_scalar", total, factor=1 / len(nodes))
    return net.opaque(title, layer.kind, *nodes, each=len(nodes) - 1, pointwise=True)


def zeros(net: Conversion, layer: KerasLayer, value: Value) -> Value:
    """Return a value with more zero padding."""
    rank = len(net.shape(value.node)) - 1
    given = _each(layer, "padding", 1, rank)
    pads = tuple(tuple(pad) if isinstance(pad, list) else (pad, pad) for pad in given)
    if rank == 1 and len(given) == 2:
        pads = (tuple(given),)
    if len(pads) != rank or not all(len(p) == 2 and min(p) >= 0 for p in pads):
        raise net.error(layer, f"cannot pad a map by {quoted(list(given))}")
    before = value.pads or ((0, 0),) * rank
    both = tuple((a + c, b + d) for (a, b), (c, d) in zip(before, pads, strict=True))
    return Value(value.node, both)


PADDED: dict[str, Callable[[Conversion, KerasLayer, str, Value], str]] = {
    **{f"{kind}{rank}D": convolution for kind in ("Conv", "DepthwiseConv", "SeparableConv")
       for rank in (1, 2, 3)},
    **{f"Conv{rank}DTranspose": transposed for rank in (1, 2, 3)},
    **{f"{kind}Pooling{rank}D": pooling for kind in ("Max", "Average") for rank in (1, 2, 3)},
}  # fmt: skip
"""Layers that may absorb zero padding of their input."""

LAYERS: dict[str, Callable[[Conversion, KerasLayer, str, str], str]] = {
    **{f"Global{kind}Pooling{rank}D": global_pooling for kind in ("Max", "Average")
       for rank in (1, 2, 3)},
    **{f"UpSampling{rank}D": upsampling for rank in (1, 2, 3)},
    **{f"Cropping{rank}D": cropping for rank in (1, 2, 3)},
    "Dense": dense, "BatchNormalization": batchnorm, "LayerNormalization": layernorm,
    "GroupNormalization": layernorm, "ReLU": relu, "LeakyReLU": relu, "PReLU": prelu,
    "Reshape": reshape, "Rescaling": rescaling,
    "Activation": lambda net, layer, title, node: activated(net, layer, title, node),
    "Softmax": lambda net, layer, title, node: net.add(title, "softmax", node),
    "ELU": lambda net, layer, title, node: activated(net, layer, title, node, "elu"),
    "Flatten": lambda net, layer, title, node: (
        net.add(title, "flatten", node) if len(net.shape(node)) > 1 else node),
    "Dropout": lambda net, layer, title, node: net.add(
        title, "dropout", node, p=layer.get("rate", 0.5)),
}  # fmt: skip
"""Layers with one input."""

MERGES = ("Add", "Multiply", "Concatenate", "Average", "Subtract", "Maximum", "Minimum")

SAME = (
    "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "GaussianNoise", "GaussianDropout",
    "AlphaDropout", "ActivityRegularization", "RandomFlip", "RandomRotation", "RandomZoom",
    "RandomContrast", "RandomTranslation", "RandomBrightness", "Identity", "Masking",
)  # fmt: skip
"""Layers that are the identity at inference."""

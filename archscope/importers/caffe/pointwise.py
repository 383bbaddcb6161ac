"""Element-wise layers of Caffe, layers that work on each channel, and element-wise merges."""

from __future__ import annotations

from math import prod
from typing import Any

from archscope.importers.caffe.conversion import Conversion
from archscope.importers.caffe.definition import CaffeLayer
from archscope.ops.norm import BatchNorm

PLAIN = {
    "relu6": "relu6", "sigmoid": "sigmoid", "tanh": "tanh", "bnll": "softplus",
    "gelu": "gelu", "hardswish": "hardswish", "hswish": "hardswish",
    "split": "", "silu": "silu",
}  # fmt: skip
"""Layers that equal an operator without attributes; "" is the identity."""

COSTS = {"absval": 1, "exp": 3, "log": 3, "threshold": 1, "clip": 2, "power": 3, "elu": 4}
"""Layers without an equivalent operator, with the operations per value."""


def plain(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a function of each number."""
    word = PLAIN[layer.kind]
    return [net.add(layer, word)] if word else [net.node(layer)] * len(layer.tops)


def costed(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a function of each number that no operator is."""
    return [net.opaque(layer, COSTS[layer.kind], pointwise=True)]


def relu(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a ReLU, leaky if it has a slope."""
    slope = layer.param("relu").number("negative_slope", 0)
    return [net.add(layer, "leaky_relu", slope=slope) if slope else net.add(layer, "relu")]


def prelu(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a leaky ReLU with learned slopes."""
    shared = layer.param("prelu").flag("channel_shared", False)
    node = net.add(layer, "prelu", slopes=1 if shared else net.shape(layer)[0])
    return [net.share(layer, node)]


def elu(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add an ELU of scale 1."""
    if layer.param("elu").number("alpha", 1) != 1:
        return costed(net, layer)
    return [net.add(layer, "elu")]


def swish(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add x times sigmoid(beta x)."""
    if layer.param("swish").number("beta", 1) != 1:
        return [net.opaque(layer, 6, pointwise=True)]
    return [net.add(layer, "silu")]


def mish(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add x times tanh(log(1 + exp(x)))."""
    gate = net.part(layer, "softplus", "softplus", [net.node(layer)])
    gate = net.part(layer, "tanh", "tanh", [gate])
    return [net.add(layer, "mul", [net.node(layer), gate])]


def power(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add (shift + scale x)^power, which is a product with a constant, or more."""
    param = layer.param("power")
    if param.number("power", 1) != 1 or param.number("shift", 0) != 0:
        return costed(net, layer)
    scale = param.number("scale", 1)
    return [net.node(layer) if scale == 1 else net.add(layer, "mul_scalar", factor=scale)]


def dropout(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add dropout."""
    return [net.add(layer, "dropout", p=layer.param("dropout").number("dropout_ratio", 0.5))]


def lrn(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add local response normalisation, across channels or within each."""
    param = layer.param("lrn")
    size = param.integer("local_size", 5)
    if param.choice("norm_region", "ACROSS_CHANNELS", "WITHIN_CHANNEL") == "WITHIN_CHANNEL":
        return [net.opaque(layer, max(size, 0) ** 2 + 5)]
    given: dict[str, Any] = {
        "alpha": param.number("alpha", 1),
        "beta": param.number("beta", 0.75),
        "k": param.number("k", 1),
    }
    return [net.add(layer, "lrn", size=size, **given)]


def batchnorm(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a batch norm; Caffe's has no learned weights, the Scale after it has."""
    param = layer.param("batch_norm", "bn")
    momentum = round(1 - param.number("moving_average_fraction", 0.999), 9)
    affine = layer.kind == "bn" or param.flag("scale_bias", False)
    eps = param.number("eps", 1e-5)
    node = net.add(layer, "batchnorm", eps=eps, momentum=momentum, affine=affine)
    return [net.share(layer, node) if affine else node]


def scale(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a factor for each channel, merged with a batch norm before it, or by another value."""
    param = layer.param("scale")
    axis = net.axis(layer, param)
    bias = param.flag("bias_term", False)
    if len(layer.sources) > 1:
        return [_product(net, layer, axis)]
    node = net.node(layer)
    axes = param.integer("num_axes", 1)
    if axis != 1 or axes != 1:
        whole = (1, *net.shape(layer))
        learned = prod(whole[axis:] if axes < 0 else whole[axis : axis + axes]) * (1 + bias)
        return [net.opaque(layer, 1 + bias, learned=learned, pointwise=True)]
    before = net.made.builder.nodes[node].op
    alone = net.found.reads[layer.sources[0]] == 1
    if alone and bias and isinstance(before, BatchNorm) and not before.affine:
        net.replace(node, affine=True)
        return [net.share(layer, node)]
    return [net.share(layer, net.add(layer, "scale", bias=bias))]


def _product(net: Conversion, layer: CaffeLayer, axis: int) -> str:
    """Add the product with a second value, which starts at an axis of the first."""
    node, other = net.nodes(layer)[:2]
    shape, others = net.made.shape(node), net.made.shape(other)
    if axis == 0 and others == shape[:1] and len(shape) > 1:
        ones = (1,) * (len(shape) - 1)
        other = net.part(layer, "gate", "reshape", [other], size=(*others, *ones))
    elif axis == 0 and len(others) < len(shape) and others == shape[: len(others)]:
        return net.opaque(layer, 1)
    return net.add(layer, "mul", [node, other])


def bias(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a learned shift, or another value."""
    nodes = net.nodes(layer)
    if len(nodes) > 1 and net.made.shape(nodes[0]) == net.made.shape(nodes[1]):
        return [net.add(layer, "add", nodes)]
    learned = net.shape(layer)[0] if len(nodes) == 1 else 0
    return [net.opaque(layer, 1, learned=learned, pointwise=len(nodes) == 1)]


def eltwise(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a sum, with factors if it has some, a product or a maximum."""
    param = layer.param("eltwise")
    # PROD is the first of the enum, SUM the default.
    kind = param.choice("operation", "PROD", "SUM", "MAX") if "operation" in param else "SUM"
    nodes = net.nodes(layer)
    factors = param.numbers("coeff")
    if factors and len(factors) != len(nodes):
        raise net.made.error(
            f"'{layer.name}' has {len(nodes)} inputs but {len(factors)} factors", layer.line
        )
    if len({net.made.shape(node) for node in nodes}) > 1:
        raise net.made.error(f"'{layer.name}' needs inputs of the same shape", layer.line)
    if kind == "MAX":
        return [net.opaque(layer, len(nodes) - 1, pointwise=True)]
    if kind == "SUM":
        nodes = [
            node
            if factor == 1
            else net.part(layer, f"times{i}", "mul_scalar", [node], factor=factor)
            for i, (node, factor) in enumerate(zip(nodes, factors or [1] * len(nodes), strict=True))
        ]
    return [net.add(layer, "add" if kind == "SUM" else "mul", nodes)]


def axpy(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a x + y, where a has a factor for each channel: of squeeze-and-excitation networks."""
    nodes = net.nodes(layer)
    if len(nodes) != 3:
        raise net.made.error(f"'{layer.name}' needs 3 inputs, got {len(nodes)}", layer.line)
    gated = net.part(layer, "mul", "mul", nodes[:2])
    return [net.add(layer, "add", [gated, nodes[2]])]


def normalize(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add the L2 norm of SSD, with a learned factor for each channel."""
    param = layer.param("norm")
    shared = param.flag("channel_shared", True)
    learned = 1 if shared else net.shape(layer)[0]
    at_each = not param.flag("across_spatial", True)
    return [net.opaque(layer, 5, learned=learned, pointwise=at_each)]

"""Element-wise layers of Caffe, and element-wise merges."""

from __future__ import annotations

from math import log

from archscope.importers.caffe.conversion import Conversion
from archscope.importers.caffe.definition import CaffeLayer
from archscope.importers.caffe.text_format import Message

PLAIN = {
    "relu6": "relu6", "sigmoid": "sigmoid", "tanh": "tanh", "bnll": "softplus",
    "gelu": "gelu", "hardswish": "hardswish", "hswish": "hardswish",
    "hardsigmoid": "hardsigmoid", "hsigmoid": "hardsigmoid", "silu": "silu", "split": "",
    "seludropout": "", "alphadropout": "",
}  # fmt: skip
"""Layers that equal an operator without attributes; "" is the identity, also of those that only
act in training."""

UNARY = {"absval": "abs", "selu": "selu", "mish": "mish"}
"""Layers that equal a function of `unary`."""


def plain(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a function of each number."""
    word = PLAIN[layer.kind]
    return [net.add(layer, word)] if word else [net.node(layer)] * len(layer.tops)


def unary(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a function of each number that is named in torch."""
    return [net.add(layer, "unary", function=UNARY[layer.kind])]


def relu(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a ReLU, leaky if it has a slope."""
    slope = layer.param("relu").number("negative_slope", 0)
    return [net.add(layer, "leaky_relu", slope=slope) if slope else net.add(layer, "relu")]


def prelu(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a leaky ReLU with learned slopes."""
    shared = layer.param("prelu").flag("channel_shared", False)
    node = net.add(layer, "prelu", slopes=1 if shared else net.shape(layer)[0])
    return [net.share(layer, net.store(layer, node))]


def elu(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add an ELU."""
    return [net.add(layer, "elu", alpha=layer.param("elu").number("alpha", 1))]


def swish(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add x times sigmoid(beta x)."""
    beta = layer.param("swish").number("beta", 1)
    if beta == 1:
        return [net.add(layer, "silu")]
    gate = net.part(layer, "beta", "mul_scalar", [net.node(layer)], factor=beta)
    gate = net.part(layer, "sigmoid", "sigmoid", [gate])
    return [net.add(layer, "mul", [net.node(layer), gate])]


def clip(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add limits of each number."""
    param = layer.param("clip")
    low, high = (param.number(name, 0) if name in param else None for name in ("min", "max"))
    return [net.add(layer, "clamp", min=low, max=high)]


def threshold(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add 1 for each number above a threshold, 0 for others."""
    than = layer.param("threshold").number("threshold", 0)
    return [net.add(layer, "compare", relation="gt", than=than)]


def _linear(net: Conversion, layer: CaffeLayer, param: Message) -> str:
    """Add shift + scale x, which several layers take a function of."""
    node, scale, shift = net.node(layer), param.number("scale", 1), param.number("shift", 0)
    if scale != 1:
        node = net.part(layer, "scale", "mul_scalar", [node], factor=scale)
    return net.part(layer, "shift", "add_scalar", [node], value=shift) if shift else node


def power(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add (shift + scale x)^power."""
    param = layer.param("power")
    scale, shift, exponent = (
        param.number(name, default) for name, default in [("scale", 1), ("shift", 0), ("power", 1)]
    )
    if exponent == 1 and shift == 0:
        return [net.node(layer) if scale == 1 else net.add(layer, "mul_scalar", factor=scale)]
    node = _linear(net, layer, param)
    return [node if exponent == 1 else net.add(layer, "pow", [node], exponent=exponent)]


def exp(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add base^(shift + scale x), by default with base e."""
    param = layer.param("exp")
    node, base = _linear(net, layer, param), _base(net, layer, param)
    if base != 1:
        node = net.part(layer, "base", "mul_scalar", [node], factor=base)
    return [net.add(layer, "unary", [node], function="exp")]


def logarithm(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add the logarithm of shift + scale x, by default to base e."""
    param = layer.param("log")
    node, base = _linear(net, layer, param), _base(net, layer, param)
    if base == 1:
        return [net.add(layer, "unary", [node], function="log")]
    node = net.part(layer, "log", "unary", [node], function="log")
    return [net.add(layer, "mul_scalar", [node], factor=1 / base)]


def _base(net: Conversion, layer: CaffeLayer, param: Message) -> float:
    """Return the natural logarithm of the base of a layer; -1 means e."""
    base = param.number("base", -1)
    if base == -1:
        return 1.0
    if base <= 0 or base == 1:
        raise net.made.error(
            f"'base' of '{layer.name}' must be -1 or positive and not 1, got {base}", layer.line
        )
    return log(base)


def dropout(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add dropout."""
    return [net.add(layer, "dropout", p=layer.param("dropout").number("dropout_ratio", 0.5))]


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
        node = nodes[0]
        for at, other in enumerate(nodes[1:-1]):
            node = net.part(layer, f"max{at}", "maximum", [node, other])
        return [net.add(layer, "maximum", [node, nodes[-1]]) if len(nodes) > 1 else node]
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

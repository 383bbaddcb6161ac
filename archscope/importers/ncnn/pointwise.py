"""Element-wise layers of ncnn, layers that work on each channel, and element-wise merges."""

from __future__ import annotations

from math import prod

from archscope.importers.ncnn.conversion import Conversion
from archscope.importers.ncnn.param_file import ParamLayer
from archscope.importers.ncnn.windows import is_hard, mish_of

PLAIN = {
    "Sigmoid": "sigmoid", "TanH": "tanh", "Swish": "silu", "GELU": "gelu", "BNLL": "softplus",
    "Softplus": "softplus",
}  # fmt: skip
COSTS = {"SELU": 4, "CELU": 4, "AbsVal": 1, "Exp": 3, "Log": 3, "Power": 3, "Threshold": 1,
         "UnaryOp": 1, "Erf": 1, "Shrink": 2, "GLU": 5}  # fmt: skip
SAME = ("Split", "Noop", "Dropout", "Quantize", "Dequantize", "Requantize", "Cast", "Packing",
        "DeepCopy")  # fmt: skip
"""Layers that are the identity at inference."""


def plain(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add a function of each number."""
    return [net.add(layer, PLAIN[layer.kind])]


def costed(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add a function of each number that no operator is."""
    return [net.opaque(layer, COSTS[layer.kind], pointwise=True)]


def same(net: Conversion, layer: ParamLayer) -> list[str]:
    """Return the value itself for each top."""
    return [net.node(layer)] * len(layer.tops)


def relu(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add a ReLU, leaky if it has a slope."""
    slope = layer.number(0, 0)
    return [net.add(layer, "leaky_relu", slope=slope) if slope else net.add(layer, "relu")]


def clip(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add clipping, which is a ReLU6 from 0 to 6."""
    if (layer.number(0, -1), layer.number(1, -1)) == (0, 6):
        return [net.add(layer, "relu6")]
    return [net.opaque(layer, 2, pointwise=True)]


def prelu(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add a leaky ReLU with learned slopes."""
    return [net.add(layer, "prelu", slopes=layer.integer(0, 0))]


def elu(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add an ELU."""
    if layer.number(0, 0.1) != 1:
        return [net.opaque(layer, 4, pointwise=True)]
    return [net.add(layer, "elu")]


def mish(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add x times tanh(log(1 + exp(x)))."""
    return [mish_of(net, layer, net.node(layer))]


def hard(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add a hard sigmoid or swish."""
    word = layer.kind.lower()
    if is_hard(layer.number(0, 0.2), layer.number(1, 0.5)):
        return [net.add(layer, word)]
    return [net.opaque(layer, 5 if word == "hardswish" else 4, pointwise=True)]


def lrn(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add local response normalisation, across channels or within each."""
    size = layer.integer(1, 5)
    if layer.integer(0, 0):
        return [net.opaque(layer, max(size, 0) ** 2 + 5)]
    alpha, beta, k = layer.number(2, 1), layer.number(3, 0.75), layer.number(4, 1)
    return [net.add(layer, "lrn", size=size, alpha=alpha, beta=beta, k=k)]


def batchnorm(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add a batch norm."""
    channels = net.shape(layer)[0]
    if layer.integer(0, channels) != channels:
        raise net.made.error(
            f"'{layer.name[:60]}' states {layer.integer(0, 0)} channels, its input has {channels}",
            layer.line,
        )
    return [net.add(layer, "batchnorm", eps=layer.number(1, 0))]


def groupnorm(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add a group norm; an instance norm has a group for each channel."""
    single = layer.kind == "InstanceNorm"
    groups = net.shape(layer)[0] if single else layer.integer(0, 1)
    eps = layer.number(1 if single else 2, 0.001)
    affine = layer.integer(2 if single else 3, 1) != 0
    return [net.add(layer, "groupnorm", groups=groups, eps=eps, affine=affine)]


def rows_norm(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add a norm of the last axes: LayerNorm with a scale and a shift, RMSNorm with a scale."""
    both = layer.kind == "LayerNorm"
    learned = layer.integer(0, 0) * (1 + both) * (layer.integer(2, 1) != 0)
    return [net.opaque(layer, 7 if both else 4, learned=learned)]


def normalize(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add the L2 norm of SSD with learned factors."""
    return [net.opaque(layer, 5, learned=layer.integer(3, 0))]


def scale(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add a factor for each channel: learned, or of another blob."""
    nodes = net.nodes(layer)
    if len(nodes) == 2:
        return [_product(net, layer, *nodes)]
    return [net.add(layer, "scale", bias=layer.integer(1, 0) != 0)]


def _product(net: Conversion, layer: ParamLayer, node: str, other: str) -> str:
    """Add the product of two blobs, one of which may be a number for each channel."""
    if len(net.made.shape(node)) < len(net.made.shape(other)):
        node, other = other, node
    shape, others = net.made.shape(node), net.made.shape(other)
    if len(others) == 1 < len(shape) and others in (shape[:1], (1,)):
        ones = (1,) * (len(shape) - 1)
        other = net.part(layer, "gate", "reshape", [other], size=(*others, *ones))
    return net.add(layer, "mul", [node, other])


def bias(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add a learned shift for each channel."""
    return [net.opaque(layer, 1, learned=layer.integer(0, 0), pointwise=True)]


ADD, MULTIPLY = 0, 2


def binary(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add an operation on two blobs, or on a blob and a number."""
    kind, nodes = layer.integer(0, 0), net.nodes(layer)
    if layer.integer(1, 0) and kind == MULTIPLY:
        return [net.add(layer, "mul_scalar", factor=layer.number(2, 0))]
    if len(nodes) == 1:
        return [net.opaque(layer, 1, pointwise=True)]
    shapes = [net.made.shape(node) for node in nodes]
    if kind == ADD and shapes[0] == shapes[1]:
        return [net.add(layer, "add", nodes)]
    if kind == MULTIPLY and len(nodes) == 2:
        return [_product(net, layer, *nodes)]
    whole = max(shapes, key=prod)
    return [net.opaque(layer, 1, size=whole, pointwise=shapes[0] == shapes[1])]


def eltwise(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add a product, a sum, with factors if it has some, or a maximum."""
    kind, nodes = layer.integer(0, 0), net.nodes(layer)
    factors = [float(value) for value in layer.params.get(1, [])] or [1.0] * len(nodes)
    if kind not in (0, 1) or len(factors) != len(nodes):
        return [net.opaque(layer, len(nodes) - 1, pointwise=True)]
    if kind == 1:
        nodes = [
            node
            if factor == 1
            else net.part(layer, f"times{i}", "mul_scalar", [node], factor=factor)
            for i, (node, factor) in enumerate(zip(nodes, factors, strict=True))
        ]
    return [net.add(layer, "add" if kind else "mul", nodes)]

"""Convert Keras layers to operators; its shapes have the channels last, ours first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from archscope.errors import quoted
from archscope.importers.keras import sequences, shapes
from archscope.importers.keras.activations import activated, limited
from archscope.importers.keras.config import KerasLayer
from archscope.importers.keras.conversion import Conversion, Value


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
    kernel, stride, dilation = (
        _each(layer, name, 1, rank) for name in ("kernel_size", "strides", "dilation_rate")
    )
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    stated = layer.get("output_padding", None)
    added = _each(layer, "output_padding", 0, rank)
    if layer.get("padding", "valid") == "same":
        if stated is None:
            over = [k - s for k, s in zip(reach, stride, strict=True)]
        else:
            over = [k // 2 * 2 - more for k, more in zip(reach, added, strict=True)]
        cut = [max(-(-more // 2), 0) for more in over]
        extra = [2 * c - more for c, more in zip(cut, over, strict=True)]
    else:
        cut, extra = [0] * rank, [*added]
        if stated is None:
            extra = [max(s - k, 0) for k, s in zip(reach, stride, strict=True)]
    node = net.add(
        title, "conv_transpose", node, out=layer.get("filters"), kernel=_brief(kernel),
        stride=_brief(stride), padding=_brief(cut), output_padding=_brief(extra),
        dilation=_brief(dilation), bias=bool(layer.get("use_bias", True)),
    )  # fmt: skip
    return activated(net, layer, title, node)


def dense(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add a fully connected layer over the channels, at each position if there are any."""
    word = "linear" if len(net.shape(node)) == 1 else "conv"
    node = net.add(
        title, word, node, out=layer.get("units"), bias=bool(layer.get("use_bias", True))
    )
    return activated(net, layer, title, node)


def locally_connected(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add a convolution with weights of their own at each position."""
    rank = len(net.shape(node)) - 1
    kernel, stride = (_each(layer, name, 1, rank) for name in ("kernel_size", "strides"))
    padding = "same" if layer.get("padding", "valid") == "same" else 0
    node = net.add(title, "locally_connected", node, out=layer.get("filters"),
                   kernel=_brief(kernel), stride=_brief(stride), padding=padding,
                   bias=bool(layer.get("use_bias", True)))  # fmt: skip
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
        if word == "avgpool":
            given["count_padding"] = False
    return net.add(title, word, node, padding=pads, **given)


def global_pooling(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add the mean or maximum over all positions."""
    word = "global_maxpool" if "Max" in layer.kind else "global_avgpool"
    if layer.get("keepdims", False):
        return net.add(title, word, node)
    return net.add(title, "flatten", net.add(f"{title}_pool", word, node))


def batchnorm(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add a batch norm, with a factor, a shift, both or none for each channel."""
    if net.axis(layer, _single(layer.get("axis", -1)), node) != 0:
        raise net.error(layer, "normalises another axis than the last, which is not supported")
    scale, shift = bool(layer.get("scale", True)), bool(layer.get("center", True))
    momentum = round(1 - float(layer.get("momentum", 0.99)), 9)
    given = {"eps": layer.get("epsilon", 0.001), "momentum": momentum, "affine": scale and shift}
    return net.chained(title, node, ("batchnorm", given), *_affine(net, node, scale, shift))


def _single(axis: Any) -> Any:
    return axis[0] if isinstance(axis, list) and len(axis) == 1 else axis


def _affine(
    net: Conversion, node: str, scale: bool, shift: bool
) -> list[tuple[str, dict[str, Any]]]:  # fmt: skip
    """Return the steps for a learned factor or shift of each channel, if there is only one."""
    channels, *sizes = net.shape(node)
    if scale == shift:
        return []
    return [("scale", {}) if scale else ("learned", {"size": (channels, *(1 for _ in sizes))})]


def layernorm(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add a norm of groups of channels, or at each position: with mean and variance, or RMS."""
    scale, shift = bool(layer.get("scale", True)), bool(layer.get("center", True))
    eps = layer.get("epsilon", 0.001)
    axis = _single(layer.get("axis", -1))
    axes = axis if isinstance(axis, list) else [axis]
    own = sorted({net.axis(layer, each, node) for each in axes})
    if layer.kind == "GroupNormalization":
        groups = layer.get("groups", 32)
        groups = net.shape(node)[0] if groups == -1 else groups
        given = {"groups": groups, "eps": eps, "affine": scale and shift}
        return net.chained(title, node, ("groupnorm", given), *_affine(net, node, scale, shift))
    if own != [0]:
        learned = prod(net.shape(node)[each] for each in own) * (scale + shift)
        return net.opaque(title, layer.kind, node, each=7, learned=learned)
    if layer.kind == "RMSNormalization":
        return net.add(title, "rmsnorm", node, eps=layer.get("epsilon", 1e-6))
    given = {"eps": eps, "affine": scale, "bias": scale and shift}
    steps = _affine(net, node, scale, shift) if shift and not scale else []
    return net.chained(title, node, ("layernorm", given), *steps)


def unit_norm(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Divide by the Euclidean norm along an axis."""
    axis = net.axis(layer, _single(layer.get("axis", -1)), node)
    return net.add(title, "normalize", node, axis=axis)


def normalization(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Subtract the means of the data set, and divide by its standard deviations."""
    axis = _single(layer.get("axis", -1))
    shape = net.shape(node)
    own = [] if axis is None else [axis] if isinstance(axis, int) else list(axis)
    kept = {net.axis(layer, each, node) for each in own}
    size = tuple(n if at in kept else 1 for at, n in enumerate(shape))
    words = ("mul", "add") if layer.get("invert", False) else ("sub", "div")
    return net.chained(
        title, node,
        *(("learned", {"size": size, "function": word, "fixed": True}) for word in words),
    )  # fmt: skip


def relu(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add a ReLU, limited or leaky."""
    slope = layer.get("negative_slope", layer.get("alpha", 0.3 if "Leaky" in layer.kind else 0))
    slope = slope[0] if isinstance(slope, list) and slope else slope
    if layer.get("threshold", 0):
        return net.opaque(title, layer.kind, node, each=2, pointwise=True)
    return limited(net, title, node, slope, layer.get("max_value"))


def prelu(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add a leaky ReLU with learned slopes, per channel if the other axes share them."""
    channels, *sizes = net.shape(node)
    shared = {net.axis(layer, axis, node) for axis in layer.get("shared_axes") or []}
    if shared == {*range(1, len(sizes) + 1)}:
        return net.add(title, "prelu", node, slopes=channels)
    size = tuple(1 if axis in shared else n for axis, n in enumerate((channels, *sizes)))
    above = net.add(f"{title}_relu", "relu", node)
    below = net.chained(f"{title}_below", node, ("mul_scalar", {"factor": -1}), ("relu", {}),
                        ("learned", {"size": size, "function": "mul"}))  # fmt: skip
    return net.add(title, "sub", above, below)


def upsampling(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add nearest or linear upsampling."""
    rank = len(net.shape(node)) - 1
    modes = {"nearest": "nearest", "bilinear": "linear", "bicubic": "cubic"}
    mode = str(layer.get("interpolation", "nearest"))
    scale = _brief(_each(layer, "size", 2, rank))
    if mode in modes:
        return net.add(title, "upsample", node, scale=scale, mode=modes[mode])
    raise net.error(layer, f"interpolates by {quoted(mode)}, which is not supported")


def rescaling(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add a product with a constant, and a sum."""
    steps = []
    for given, word, name in ((layer.get("scale", 1), "mul", "mul_scalar"),
                              (layer.get("offset", 0), "add", "add_scalar")):  # fmt: skip
        if isinstance(given, list):
            size = (len(given), *(1 for _ in net.shape(node)[1:]))
            steps.append(("learned", {"size": size, "function": word, "fixed": True}))
        elif given != (word == "mul"):
            principal = "factor" if word == "mul" else "value"
            steps.append((name, {principal: given}))
    return net.chained(title, node, *steps)


def merge(net: Conversion, layer: KerasLayer, title: str, nodes: Sequence[str]) -> str:
    """Add a merge of several values."""
    if len(nodes) == 1:
        return nodes[0]
    nodes = _same_rank(net, title, nodes)
    words = {"Add": "add", "Multiply": "mul", "Subtract": "sub"}
    if layer.kind in words:
        return net.add(title, words[layer.kind], *nodes)
    if layer.kind in ("Maximum", "Minimum"):
        node, *others = nodes
        for other in others:
            node = net.add(title, layer.kind.lower(), node, other)
        return node
    if layer.kind == "Concatenate":
        rank = len(net.shape(nodes[0])) + 1
        axis = layer.get("axis", -1)
        axis = axis + rank if isinstance(axis, int) and axis < 0 else axis
        if not isinstance(axis, int) or not 0 < axis < rank:
            raise net.error(layer, "joins images, or along an axis that does not exist")
        return net.add(title, "concat", *nodes, axis=axis % (rank - 1))
    total = net.add(f"{title}_sum", "add", *nodes)
    return net.add(title, "mul_scalar", total, factor=1 / len(nodes))


def scaled_sum(net: Conversion, layer: KerasLayer, title: str, nodes: Sequence[str]) -> str:
    """Add the residual sum of Keras' Inception-ResNet, whose branch has a constant factor."""
    first, branch = nodes
    scaled = net.add(f"{title}_scale", "mul_scalar", branch, factor=layer.get("scale", 1.0))
    return net.add(title, "add", first, scaled)


def _same_rank(net: Conversion, title: str, nodes: Sequence[str]) -> Sequence[str]:
    """Give values as many axes: Keras adds those that are missing before the others."""
    rank = max(len(net.shape(node)) for node in nodes)
    made = []
    for node in nodes:
        channels, *sizes = net.shape(node)
        size = (channels, *(1,) * (rank - 1 - len(sizes)), *sizes)
        more = len(size) > len(sizes) + 1
        made.append(net.add(f"{title}_axes", "reshape", node, size=size) if more else node)
    return made


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
    **{f"Cropping{rank}D": shapes.cropping for rank in (1, 2, 3)},
    **{f"LocallyConnected{rank}D": locally_connected for rank in (1, 2)},
    **dict.fromkeys(sequences.RECURRENT, sequences.recurrent),
    "Bidirectional": sequences.bidirectional, "Embedding": sequences.embedding,
    "Dense": dense, "BatchNormalization": batchnorm, "LayerNormalization": layernorm,
    "GroupNormalization": layernorm, "RMSNormalization": layernorm,
    "UnitNormalization": unit_norm, "Normalization": normalization,
    "ReLU": relu, "LeakyReLU": relu, "PReLU": prelu,
    "Reshape": shapes.reshape, "Permute": shapes.permute, "RepeatVector": shapes.repeated,
    "CenterCrop": shapes.center_crop, "Resizing": shapes.resizing, "Rescaling": rescaling,
    "Activation": lambda net, layer, title, node: activated(net, layer, title, node),
    "Softmax": lambda net, layer, title, node: net.add(
        title, "softmax", node, axis=net.axis(layer, layer.get("axis", -1), node)),
    "ELU": lambda net, layer, title, node: net.add(
        title, "elu", node, alpha=layer.get("alpha", 1.0)),
    "LayerScale": lambda net, layer, title, node: net.add(
        title, "scale", node, initial=layer.get("init_values", 1.0)),  # of its ConvNeXt
    "Flatten": shapes.flatten,
    "Dropout": lambda net, layer, title, node: net.add(
        title, "dropout", node, p=layer.get("rate", 0.5)),
}  # fmt: skip
"""Layers with one input."""

MERGES: dict[str, Callable[[Conversion, KerasLayer, str, Sequence[str]], str]] = {
    **dict.fromkeys(("Add", "Multiply", "Concatenate", "Average", "Subtract", "Maximum",
                     "Minimum"), merge),
    "CustomScaleLayer": scaled_sum, "Dot": sequences.dot, "Attention": sequences.attention,
    "MultiHeadAttention": sequences.multi_head,
}  # fmt: skip
"""Layers with several inputs."""

SAME = (
    "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "GaussianNoise", "GaussianDropout",
    "AlphaDropout", "ActivityRegularization", "RandomFlip", "RandomRotation", "RandomZoom",
    "RandomContrast", "RandomTranslation", "RandomBrightness", "RandomColorJitter",
    "RandomElasticTransform", "RandomErasing", "RandomGaussianBlur", "RandomGrayscale",
    "RandomHue", "RandomInvert", "RandomPerspective", "RandomPosterization", "RandomSaturation",
    "RandomSharpness", "RandomShear", "StochasticDepth", "AugMix", "CutMix", "MixUp",
    "RandAugment", "Identity", "Masking",
)  # fmt: skip
"""Layers that are the identity at inference."""

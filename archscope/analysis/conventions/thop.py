"""thop's profile: hooks on modules by type, norms and means in the same total."""

from __future__ import annotations

from math import prod

from archscope.analysis.conventions.convention import Convention, Layer, table, term
from archscope.analysis.conventions.terms import affine, each, made, missed


@term("batch norm: 4 for each element, 2 without factors")
def _batchnorm(layer: Layer) -> int:
    return made(layer) * (4 if affine(layer) else 2)


@term("bug: weights counted at output positions, not input")
def _too_many(layer: Layer) -> int:
    groups = getattr(layer.node.op, "groups", 1)
    # It multiplies the input channels of a group by all outputs of the weight.
    channels, out = layer.node.ins[0][0], layer.node.out[0]
    taps = layer.macs // (prod(layer.node.ins[0]) * (out // groups))
    return made(layer) * (channels // groups) * taps - layer.macs


@term("pooling: the mean window and 1 for each output element")
def _adaptive(layer: Layer) -> int:
    """Return int((mean window + 1) * outputs), in floating point as the tool does."""
    sizes, outs = layer.node.ins[0][1:], layer.node.out[1:]
    window = prod((size / out for size, out in zip(sizes, outs, strict=True)), start=1.0)
    return int((window + 1) * made(layer))


@term("softmax: 3 for each element, less 1 a position")
def _softmax(layer: Layer) -> int:
    channels = layer.node.ins[0][0]
    return made(layer) // channels * (3 * channels - 1)


@term("resize: 1, 5 or 11 for each output element")
def _resize(layer: Layer) -> int:
    if not layer.node.facts.elementwise:
        return made(layer)
    # Three axes are not in its list of modes.
    return made(layer) * {2: 5, 3: 11}.get(len(layer.node.out), 0)


CONVENTION = Convention(
    name="thop",
    version="0.1.1.post2209072238",
    about="norms, means, resizes and softmax; no bias",
    modules=table(
        (missed("bug: a subclass of a convolution is not counted"), "archscope.nn.PaddedConv{}d"),
        (missed("a module that it does not know"), "archscope.nn.LocallyConnected"),
        (_too_many, "nn.ConvTranspose{}d"),
        (_batchnorm, "nn.BatchNorm{}d"),
        (each("activation: 1 for each element"), "nn.PReLU"),
        (_softmax, "nn.Softmax"),
        (each("pooling: 1 for each output element"), "nn.AvgPool{}d"),
        (_adaptive, "nn.AdaptiveAvgPool{}d"),
        (_resize, "nn.Upsample"),
    ),
    written=(
        "F.adaptive_avg_pool2d, x.mean((2, 3)) and F.interpolate count 0, their modules do not",
        "nn.LayerNorm counts 4 for each element; build makes a subclass, which counts 0",
        "F.conv2d, F.linear, `@` and subclasses of nn.Conv2d count 0 (bug)",
    ),
)

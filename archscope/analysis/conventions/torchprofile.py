"""torchprofile's profile_macs, which counts operators in a trace."""

from __future__ import annotations

from math import prod

from archscope.analysis.conventions.convention import Convention, Layer, Term, table, term
from archscope.analysis.conventions.terms import affine, each, left_out, made, merged


@term("bug: weights counted at output positions, along the wrong axis")
def _transposed(layer: Layer) -> int:
    """Return the output elements times the axis of the weight (in, out / groups) that it uses."""
    (x,) = layer.node.ins
    groups = getattr(layer.node.op, "groups", 1)
    out = layer.node.out[0]
    taps = layer.macs // (prod(x) * (out // groups))
    return made(layer) * (out // groups if out == x[0] else x[0]) * taps - layer.macs


@term("resize: 4 for each output element if bilinear")
def _resize(layer: Layer) -> int:
    bilinear = layer.node.facts.elementwise and len(layer.node.out) == 3
    return 4 * made(layer) if bilinear else 0


@term("pooling: 1 for each value of a window")
def _windows(layer: Layer) -> int:
    # Each value of a window times its share of the sum.
    (x,) = layer.node.ins
    kernel = prod(axis.kernel for axis in layer.node.op.window(x) or () if hasattr(axis, "kernel"))
    return made(layer) * kernel


@term("pooling: 1 for each output element; a channel more if padding is left out")
def _padded_mean(layer: Layer) -> int:
    return made(layer) + left_out(layer) * made(layer) // layer.node.out[0]


@term("norm: 1 for each element, 0 without learned factors")
def _norm(layer: Layer) -> int:
    return made(layer) * affine(layer)


@term("activation: 1 for each element, 0 if it works in place")
def _leaky_relu(layer: Layer) -> int:
    return 0 if layer.in_place else made(layer)


MEAN = each("pooling: 1 for each output element")
PRODUCT = each("multiplication: 1 for each element")

CONVENTION = Convention(
    name="torchprofile",
    version="0.1.0",
    about="norms, means, multiplications and resizes; no bias",
    traced=True,
    modules=table(
        (_transposed, "nn.ConvTranspose{}d"),
        (_norm, "nn.BatchNorm{}d", "nn.GroupNorm", "archscope.nn.LayerNorm"),
        (each("norm: 3 for each element, its products and mean", 3), "nn.LocalResponseNorm"),
        (_leaky_relu, "nn.LeakyReLU"),
        (_padded_mean, "archscope.nn.PaddedAvgPool{}d"),
        (MEAN, "nn.AvgPool{}d", "nn.AdaptiveAvgPool{}d", "archscope.nn.ChannelMean"),
        (each("pooling: 3 for each output element, its parts", 3), "nn.LPPool{}d"),
        (_windows, "archscope.nn.StochasticPool"),
        (_resize, "nn.Upsample"),
        (PRODUCT, "archscope.nn.Scale", "archscope.nn.MulScalar"),
        (Term("multiplication: 1 for each element", merged), "archscope.nn.Mul"),
    ),
    written=("a convolution with padding='same' counts 0 (bug); build pads by numbers",),
)

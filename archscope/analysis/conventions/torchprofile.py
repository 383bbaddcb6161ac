"""torchprofile's profile_macs, which counts operators in a trace."""

from __future__ import annotations

from math import prod

from archscope.analysis.conventions.convention import Convention, Layer, Term, table
from archscope.analysis.conventions.terms import affine, each, made, merged


def _transposed(layer: Layer) -> int:
    """Return output elements times the axis of the weight (in, out / groups) that it takes."""
    (x,) = layer.node.ins
    groups = getattr(layer.node.op, "groups", 1)
    out = layer.node.out[0]
    taps = layer.macs // (prod(x) * (out // groups))
    return made(layer) * (out // groups if out == x[0] else x[0]) * taps - layer.macs


def _resize(layer: Layer) -> int:
    bilinear = layer.node.facts.elementwise and len(layer.node.out) == 3
    return 4 * made(layer) if bilinear else 0


def _windows(layer: Layer) -> int:
    # Each value of a window times its share of the sum.
    (x,) = layer.node.ins
    kernel = prod(axis.kernel for axis in layer.node.op.window(x) or () if hasattr(axis, "kernel"))
    return made(layer) * kernel


MEAN = each("pooling: 1 for each output element")

CONVENTION = Convention(
    name="torchprofile",
    version="0.1.0",
    about="norms, means, multiplications and resizes; no bias",
    traced=True,
    modules=table(
        [
            (
                "nn.ConvTranspose{}d",
                (
                    Term(
                        "bug: weights counted at output positions, along the wrong axis",
                        _transposed,
                    ),
                ),
            ),
            (
                ("nn.BatchNorm{}d", "nn.GroupNorm", "archscope.nn.LayerNorm"),
                (
                    Term(
                        "norm: 1 for each element, 0 without learned factors",
                        lambda layer: made(layer) * affine(layer),
                    ),
                ),
            ),
            ("nn.LocalResponseNorm", (each("norm: 3 for each element, its products and mean", 3),)),
            ("archscope.nn.Scale", (each("multiplication: 1 for each element"),)),
            (
                "nn.LeakyReLU",
                (
                    Term(
                        "activation: 1 for each element, 0 if it works in place",
                        lambda layer: 0 if layer.in_place else made(layer),
                    ),
                ),
            ),
            (("nn.AvgPool{}d", "nn.AdaptiveAvgPool{}d", "archscope.nn.ChannelMean"), (MEAN,)),
            ("nn.LPPool{}d", (each("pooling: 3 for each output element, its parts", 3),)),
            (
                "archscope.nn.StochasticPool",
                (Term("pooling: 1 for each value of a window", _windows),),
            ),
            ("nn.Upsample", (Term("resize: 4 for each output element if bilinear", _resize),)),
            ("archscope.nn.Mul", (Term("multiplication: 1 for each element", merged),)),
            ("archscope.nn.Times", (each("multiplication: 1 for each element"),)),
        ]
    ),
    written=("a convolution with padding='same' counts 0 (bug); build pads by numbers",),
)

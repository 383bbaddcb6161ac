"""ptflops with the backend its code takes: hooks on modules, and patched functions."""

from __future__ import annotations

from math import prod

from archscope.analysis.conventions.convention import Convention, Layer, Term, table
from archscope.analysis.conventions.terms import (
    BIAS,
    affine,
    each,
    each_taken,
    made,
    merged,
    missed,
    taken,
)


def _norm(layer: Layer) -> int:
    return made(layer) * (2 if affine(layer) else 1)


def _lrn(layer: Layer) -> int:
    channels, *sizes = layer.node.out
    around = getattr(layer.node.op, "size", 1) - 1
    return 3 * made(layer) + (channels + around) * prod(sizes)


def _padded(layer: Layer) -> int:
    (x,) = layer.node.ins
    axes = layer.node.op.window(x) or ()
    size = x[0]
    for axis, length in zip(axes, x[1:], strict=True):
        size *= length + getattr(axis, "before", 0) + getattr(axis, "after", 0)
    return size


ACTIVATION = each("activation: 1 for each element")
AGAIN = each("bug: activation counted again, as the function that the module calls")
POOL = each_taken("pooling: 1 for each input element")
POOL_AGAIN = each_taken("bug: pooling counted again, as the function that the module calls")
RESIZE = each("resize: 1 for each output element")
RESIZE_AGAIN = each("bug: resize counted again, as the function that the module calls")

CONVENTION = Convention(
    name="ptflops",
    version="0.7.5",
    about="bias, norms, activations, pools, some of them twice",
    per_image=True,
    modules=table(
        [
            (("nn.Conv{}d", "nn.ConvTranspose{}d", "nn.Linear"), (BIAS,)),
            (
                "archscope.nn.PaddedConv{}d",
                (missed("bug: a subclass of a convolution is not counted"),),
            ),
            (
                ("nn.BatchNorm{}d", "nn.GroupNorm"),
                (Term("norm: 2 for each element, 1 without learned factors", _norm),),
            ),
            ("nn.LocalResponseNorm", (Term("norm: its products, sum and average pool", _lrn),)),
            (("nn.ReLU", "nn.PReLU", "nn.ELU", "nn.GELU"), (ACTIVATION, AGAIN)),
            (("nn.ReLU6", "nn.LeakyReLU", "nn.SiLU", "nn.Softmax"), (ACTIVATION,)),
            (
                (
                    "nn.MaxPool{}d",
                    "nn.AvgPool{}d",
                    "nn.AdaptiveAvgPool{}d",
                    "nn.AdaptiveMaxPool{}d",
                ),
                (POOL, POOL_AGAIN),
            ),
            (
                "archscope.nn.PaddedMaxPool{}d",
                (Term("pooling: 1 for each input element, padding with it", _padded),),
            ),
            (
                "nn.LPPool{}d",
                (Term("pooling: its parts", lambda layer: taken(layer) + 2 * made(layer)),),
            ),
            ("nn.Upsample", (RESIZE, RESIZE_AGAIN)),
            ("archscope.nn.Add", (Term("addition: 1 for each element", merged),)),
            ("archscope.nn.Mul", (Term("multiplication: 1 for each element", merged),)),
        ]
    ),
    written=(
        "`x + y`, as torchvision adds, and `x * y` count 0; torch.add and torch.mul, as build"
        " makes them, are counted",
        "F.relu and functional pools count once, their modules twice (bug)",
        "F.conv2d, F.linear of a Parameter and subclasses of nn.Conv2d count 0 (bug)",
    ),
)

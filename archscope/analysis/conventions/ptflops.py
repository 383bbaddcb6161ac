"""ptflops with its default backend: hooks on modules, and patched functions."""

from __future__ import annotations

from math import prod

from archscope.analysis.conventions.convention import Convention, Layer, Term, table, term
from archscope.analysis.conventions.terms import (
    BIAS,
    affine,
    each,
    each_taken,
    left_out,
    made,
    merged,
    missed,
    taken,
)


@term("norm: 2 for each element, 1 without learned factors")
def _norm(layer: Layer) -> int:
    return made(layer) * (2 if affine(layer) else 1)


@term("norm: its products, sum and average pool")
def _lrn(layer: Layer) -> int:
    channels, *sizes = layer.node.out
    around = getattr(layer.node.op, "size", 1) - 1
    return 3 * made(layer) + (channels + around) * prod(sizes)


def _padded_size(layer: Layer) -> int:
    (x,) = layer.node.ins
    axes = layer.node.op.window(x) or ()
    size = x[0]
    for axis, length in zip(axes, x[1:], strict=True):
        size *= length + getattr(axis, "before", 0) + getattr(axis, "after", 0)
    return size


@term("pooling: 1 for each input element, padding with it")
def _padded(layer: Layer) -> int:
    return _padded_size(layer)


@term("pooling: 1 for each input element, padding with it; a channel more if that is left out")
def _padded_mean(layer: Layer) -> int:
    channels = layer.node.ins[0][0]
    return _padded_size(layer) // channels * (channels + left_out(layer))


@term("pooling: its parts")
def _lp_pool(layer: Layer) -> int:
    return taken(layer) + 2 * made(layer)


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
        (BIAS, "nn.Conv{}d", "nn.ConvTranspose{}d", "nn.Linear"),
        (missed("bug: a subclass of a convolution is not counted"), "archscope.nn.PaddedConv{}d"),
        (_norm, "nn.BatchNorm{}d", "nn.GroupNorm"),
        (_lrn, "nn.LocalResponseNorm"),
        ((ACTIVATION, AGAIN), "nn.ReLU", "nn.PReLU", "nn.ELU", "nn.GELU"),
        (ACTIVATION, "nn.ReLU6", "nn.LeakyReLU", "nn.SiLU", "nn.Softmax"),
        ((POOL, POOL_AGAIN), "nn.MaxPool{}d", "nn.AvgPool{}d"),
        ((POOL, POOL_AGAIN), "nn.AdaptiveAvgPool{}d", "nn.AdaptiveMaxPool{}d"),
        (POOL, "archscope.nn.MaxPoolIndices"),
        (_padded, "archscope.nn.PaddedMaxPool{}d"),
        (_padded_mean, "archscope.nn.PaddedAvgPool{}d"),
        (_lp_pool, "nn.LPPool{}d"),
        ((RESIZE, RESIZE_AGAIN), "nn.Upsample"),
        (Term("addition: 1 for each element", merged), "archscope.nn.Add"),
        (Term("multiplication: 1 for each element", merged), "archscope.nn.Mul"),
    ),
    written=(
        "`x + y`, as torchvision adds, and `x * y` count 0; torch.add and torch.mul, as build"
        " makes them, are counted",
        "F.relu and functional pools count once, their modules twice (bug)",
        "F.conv2d, F.linear of a Parameter and subclasses of nn.Conv2d count 0 (bug)",
    ),
)

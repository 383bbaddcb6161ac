"""The modules that `build` makes, by name, and those whose counts have been checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from archscope.analysis.conventions.convention import Term


def ranks(pattern: str) -> tuple[str, ...]:
    """Return a module's names for 1, 2 and 3 spatial axes: `nn.Conv{}d`."""
    return tuple(pattern.format(rank) for rank in (1, 2, 3))


CONV = ranks("nn.Conv{}d")
PADDED_CONV = ranks("archscope.nn.PaddedConv{}d")
TRANSPOSED = ranks("nn.ConvTranspose{}d")
LINEAR = "nn.Linear"
LOCALLY_CONNECTED = "archscope.nn.LocallyConnected"
PRODUCTS = (*CONV, *PADDED_CONV, *TRANSPOSED, LINEAR, LOCALLY_CONNECTED)

BATCHNORM = ranks("nn.BatchNorm{}d")
GROUPNORM = "nn.GroupNorm"
LAYERNORM = "archscope.nn.LayerNorm"
LRN = "nn.LocalResponseNorm"
SCALE = "archscope.nn.Scale"
NORMS = (*BATCHNORM, GROUPNORM, LAYERNORM, LRN, SCALE)

ACTIVATIONS = (
    "nn.ReLU", "nn.ReLU6", "nn.LeakyReLU", "nn.PReLU", "nn.ELU", "nn.GELU", "nn.SiLU",
    "nn.Hardswish", "nn.Hardsigmoid", "nn.Sigmoid", "nn.Tanh", "nn.Softplus", "nn.Softsign",
    "nn.Softmax", "archscope.nn.Maxout", "archscope.nn.TopK",
)  # fmt: skip

MAXPOOL = ranks("nn.MaxPool{}d")
PADDED_MAXPOOL = ranks("archscope.nn.PaddedMaxPool{}d")
AVGPOOL = ranks("nn.AvgPool{}d")
LP_POOL = ranks("nn.LPPool{}d")
STOCHASTIC_POOL = "archscope.nn.StochasticPool"
ADAPTIVE_AVGPOOL = ranks("nn.AdaptiveAvgPool{}d")
ADAPTIVE_MAXPOOL = ranks("nn.AdaptiveMaxPool{}d")
CHANNEL_MEAN = "archscope.nn.ChannelMean"
POOLS = (
    *MAXPOOL, *PADDED_MAXPOOL, *AVGPOOL, *LP_POOL, STOCHASTIC_POOL, *ADAPTIVE_AVGPOOL,
    *ADAPTIVE_MAXPOOL, CHANNEL_MEAN, "archscope.nn.ChannelMax",
)  # fmt: skip

ADD = "archscope.nn.Add"
MUL = "archscope.nn.Mul"
TIMES = "archscope.nn.Times"
UPSAMPLE = "nn.Upsample"
MERGES = (ADD, MUL, TIMES, "archscope.nn.Distance", UPSAMPLE)

MOVES = (
    "nn.Identity", "nn.Flatten", "nn.Dropout", "nn.ChannelShuffle", "nn.PixelShuffle",
    "nn.PixelUnshuffle", "archscope.nn.Slice", "archscope.nn.Concat", "archscope.nn.Reshape",
    "archscope.nn.StochasticDepth",
)  # fmt: skip

CHECKED = (*PRODUCTS, *NORMS, *ACTIVATIONS, *POOLS, *MERGES, *MOVES)
"""Modules that every tool has been run on: a tool that has no row for one counts its macs."""

Names = str | tuple[str, ...]


def table(rows: Iterable[tuple[Names, tuple[Term, ...]]]) -> Mapping[str, tuple[Term, ...]]:
    """Return the rows by module, and an empty row for every checked module that has none."""
    full: dict[str, tuple[Term, ...]] = dict.fromkeys(CHECKED, ())
    for names, terms in rows:
        for name in (names,) if isinstance(names, str) else names:
            full[name] = terms
    return full

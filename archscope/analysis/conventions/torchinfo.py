"""torchinfo's mult-adds: params times output positions, by hooks on modules."""

from __future__ import annotations

from archscope.analysis.conventions.convention import Convention, Layer, Term, table
from archscope.analysis.conventions.terms import BIAS, at_outputs, params

PARAMS = Term("params of the layer, once whatever the positions", params)


def _too_many(layer: Layer) -> int:
    return at_outputs(layer) - layer.macs


CONVENTION = Convention(
    name="torchinfo",
    version="1.8.0",
    about="params times positions of convolutions; params of the rest",
    modules=table(
        [
            (
                (
                    "nn.Conv{}d",
                    "archscope.nn.PaddedConv{}d",
                    "nn.Linear",
                    "archscope.nn.LocallyConnected",
                ),
                (BIAS,),
            ),
            (
                "nn.ConvTranspose{}d",
                (Term("bug: weights counted at output positions, not input", _too_many), BIAS),
            ),
            (
                (
                    "nn.BatchNorm{}d",
                    "nn.GroupNorm",
                    "archscope.nn.LayerNorm",
                    "archscope.nn.Scale",
                    "nn.PReLU",
                ),
                (PARAMS,),
            ),
        ]
    ),
    written=(
        "a linear layer on more than a vector counts its params once (bug)",
        "F.conv2d, F.linear, `@` and attention count 0",
    ),
)

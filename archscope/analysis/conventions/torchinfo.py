"""torchinfo's mult-adds: params times output positions, by hooks on modules."""

from __future__ import annotations

from archscope.analysis.conventions.convention import Convention, Layer, Term, table, term
from archscope.analysis.conventions.terms import BIAS, at_outputs, params

PARAMS = Term("params of the layer, once whatever the positions", params)


@term("bug: weights counted at output positions, not input")
def _too_many(layer: Layer) -> int:
    return at_outputs(layer) - layer.macs


CONVENTION = Convention(
    name="torchinfo",
    version="1.8.0",
    about="params times positions of convolutions; params of the rest",
    modules=table(
        (BIAS, "nn.Conv{}d", "archscope.nn.PaddedConv{}d"),
        (BIAS, "nn.Linear", "archscope.nn.LocallyConnected"),
        ((_too_many, BIAS), "nn.ConvTranspose{}d"),
        (PARAMS, "nn.BatchNorm{}d", "nn.GroupNorm", "archscope.nn.LayerNorm"),
        (PARAMS, "archscope.nn.Scale", "nn.PReLU"),
    ),
    written=(
        "a linear layer on more than a vector counts its params once (bug)",
        "F.conv2d, F.linear, `@` and attention count 0",
    ),
)

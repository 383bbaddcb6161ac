"""torchinfo's mult-adds: params times output positions, by hooks on modules."""

from __future__ import annotations

from archscope.analysis.conventions import modules as m
from archscope.analysis.conventions.convention import Convention, Layer, Term
from archscope.analysis.conventions.terms import BIAS, at_outputs, params

PARAMS = Term("params of the layer, once whatever the positions", params)


def _too_many(layer: Layer) -> int:
    return at_outputs(layer) - layer.macs


CONVENTION = Convention(
    name="torchinfo",
    version="1.8.0",
    about="params times positions of convolutions; params of the rest",
    modules=m.table(
        [
            ((*m.CONV, *m.PADDED_CONV, m.LINEAR, m.LOCALLY_CONNECTED), (BIAS,)),
            (
                m.TRANSPOSED,
                (Term("bug: weights counted at output positions, not input", _too_many), BIAS),
            ),
            ((*m.BATCHNORM, m.GROUPNORM, m.LAYERNORM, m.SCALE, "nn.PReLU"), (PARAMS,)),
        ]
    ),
    written=(
        "a linear layer on more than a vector counts its params once (bug)",
        "F.conv2d, F.linear, `@` and attention count 0",
    ),
)

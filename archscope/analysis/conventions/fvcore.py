"""fvcore's FlopCountAnalysis, which counts operators in a trace."""

from __future__ import annotations

from archscope.analysis.conventions.convention import Convention, Layer, table, term
from archscope.analysis.conventions.terms import affine, each_taken, made


@term("batch norm: 2 for each element, 1 without factors")
def _batchnorm(layer: Layer) -> int:
    return made(layer) * (2 if affine(layer) else 1)


@term("norm: 5 for each element, 4 without learned factors")
def _norm(layer: Layer) -> int:
    return made(layer) * (5 if affine(layer) else 4)


@term("resize: 1 for each output element, 4 if it is bilinear")
def _resize(layer: Layer) -> int:
    # On one axis or three no handler is registered, so nothing is counted.
    if len(layer.node.out) != 3:
        return 0
    return made(layer) * (4 if layer.node.facts.elementwise else 1)


CONVENTION = Convention(
    name="fvcore",
    version="0.1.5.post20221221",
    about="norms, 2-D adaptive means and resizes; no bias",
    traced=True,
    modules=table(
        (_batchnorm, "nn.BatchNorm{}d"),
        (_norm, "nn.GroupNorm", "archscope.nn.LayerNorm"),
        (each_taken("pooling: 1 for each input element"), "nn.AdaptiveAvgPool2d"),
        (_resize, "nn.Upsample"),
    ),
    written=(
        "a convolution with padding='same' counts 0 (bug); build pads by numbers",
        "x.mean((2, 3)) in place of an adaptive average pool counts 0",
        "F.scaled_dot_product_attention counts 0",
    ),
)

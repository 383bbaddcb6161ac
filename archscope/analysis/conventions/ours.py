"""Our own conventions: macs, every operation (strict), and macs with biases (seed)."""

from __future__ import annotations

from archscope.analysis.conventions.convention import Convention, Layer, Term, term


@term("bias: 1 for each output element")
def _bias(layer: Layer) -> int:
    return layer.node.facts.elementwise if layer.macs else 0


MACS = Convention(
    name="macs",
    about="multiply-accumulates of convolutions and matrix products, without bias",
)

SEED = Convention(
    name="seed",
    about="(k * k * Cin + 1) * Cout * H * W, a bias is one more",
    always=(_bias,),
)

STRICT = Convention(
    name="strict",
    about="2 for each multiply-accumulate, 1 for each other operation",
    always=(
        Term("2 for each multiply-accumulate", lambda layer: layer.macs),
        Term("other work: 1 for each operation", lambda layer: layer.node.facts.elementwise),
    ),
)

"""torch.utils.flop_counter.FlopCounterMode, which counts products as they are dispatched."""

from __future__ import annotations

from archscope.analysis.conventions.convention import Convention, Term

CONVENTION = Convention(
    name="torch",
    version="2.13.0",
    about="2 for each multiply-accumulate",
    modules={},
    always=(Term("2 for each multiply-accumulate", lambda layer: layer.macs),),
    written=("on the CPU, F.scaled_dot_product_attention counts 0",),
)

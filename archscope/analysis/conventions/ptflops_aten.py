"""ptflops with backend="aten", which counts products as they are dispatched."""

from __future__ import annotations

from archscope.analysis.conventions import modules as m
from archscope.analysis.conventions.convention import Convention
from archscope.analysis.conventions.terms import BIAS

CONVENTION = Convention(
    name="ptflops-aten",
    version="0.7.5",
    about="products and their bias; the backend that ptflops documents as its default",
    per_image=True,
    modules=m.table([((*m.CONV, *m.PADDED_CONV, *m.TRANSPOSED, m.LINEAR), (BIAS,))]),
)

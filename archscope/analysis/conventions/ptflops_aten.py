"""ptflops with backend="aten", which counts products as they are dispatched.

Its manual calls it the default backend; its code takes the other one.
"""

from __future__ import annotations

from archscope.analysis.conventions import modules as m
from archscope.analysis.conventions.convention import Convention
from archscope.analysis.conventions.terms import BIAS

CONVENTION = Convention(
    name="ptflops-aten",
    version="0.7.5",
    about="products with their bias",
    per_image=True,
    modules=m.table([((*m.CONV, *m.PADDED_CONV, *m.TRANSPOSED, m.LINEAR), (BIAS,))]),
)

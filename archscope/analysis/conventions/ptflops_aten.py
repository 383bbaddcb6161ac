"""ptflops with backend="aten", which counts products as they are dispatched.

Its manual calls it the default backend; its code takes the other one.
"""

from __future__ import annotations

from archscope.analysis.conventions.convention import Convention, table
from archscope.analysis.conventions.terms import BIAS

CONVENTION = Convention(
    name="ptflops-aten",
    version="0.7.5",
    about="products with their bias",
    per_image=True,
    modules=table(
        (BIAS, "nn.Conv{}d", "archscope.nn.PaddedConv{}d", "nn.ConvTranspose{}d", "nn.Linear")
    ),
)

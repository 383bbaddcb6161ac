"""How the layers of neural networks are written as operators of ONNX, one file for each subject."""

from archscope.importers.coreml.layers import (
    moving,
    pointwise,
    products,
    reductions,
    sequences,
    shapes,
    windows,
)

assert all((moving, pointwise, products, reductions, sequences, shapes, windows))

"""How the operations of programs are written as operators of ONNX, one file for each subject."""

from archscope.importers.coreml.operations import (
    constants,
    moving,
    pointwise,
    products,
    quantization,
    reductions,
    sequences,
    windows,
)

assert all((constants, moving, pointwise, products, quantization, reductions, sequences, windows))

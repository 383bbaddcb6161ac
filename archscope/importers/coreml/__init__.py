"""Reads models of Core ML: programs in packages, and neural networks in files.

Their operations and layers are written as operators of ONNX, and read as a file of ONNX is.
"""

from archscope.importers.coreml.network import from_file

__all__ = ["from_file"]

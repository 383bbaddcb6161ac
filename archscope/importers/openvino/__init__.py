"""Reads networks of OpenVINO IR: an XML file with the layers, and a file of weights beside it.

Its layers are written as operators of ONNX, and read as a file of ONNX is.
"""

from archscope.importers.openvino.ir_file import is_network
from archscope.importers.openvino.network import from_file

__all__ = ["from_file", "is_network"]

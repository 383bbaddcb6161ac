"""Imports networks of other frameworks: one folder for each format, listed in `formats.py`.

`torch/` reads PyTorch modules named by import strings, `onnx/` reads ONNX files; the recognisers of
their operators are next to our operators, in `archscope.ops`. The other folders read files that
list layers; they share `file_graph.py`.
"""

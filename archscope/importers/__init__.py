"""Networks of other frameworks -> Graph: one folder for each format, listed in `formats.py`.

`torch/` reads PyTorch modules that an import string names, `onnx/` reads ONNX files. How a foreign
operator of these is recognised stands with our operator, in `archscope.ops`. The other folders read
files of text whose layers say all that matters; they share `file_graph.py`.
"""

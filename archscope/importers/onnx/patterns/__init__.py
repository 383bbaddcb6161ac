"""Patterns of several ONNX operators that equal one of ours; a file for each family.

Exporters write GELU, swish, channel shuffle and norms as arithmetic. A pattern is a function
that takes the last operator of its pattern, and returns the replacement of all of them, or raises
`NoMatchError`. `archscope.importers.onnx.simplify` lists the patterns and applies them.
"""

"""Several ONNX operators that are one operator here, found and replaced; a file per family.

Exporters write GELU, swish, channel shuffle and norms out as arithmetic. A pattern is a function
that takes one operator, the last of its pattern, and returns what replaces all of them, or raises
`NoMatchError`. `archscope.importers.onnx.simplify` lists the patterns and applies them.
"""

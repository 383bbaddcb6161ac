"""The summary of `archscope export` as a table."""

from __future__ import annotations

from typing import Any

from archscope.exporters.formats import FORMATS
from archscope.ir import text_of
from archscope.report.table import NAME, TEXT, Column, Table
from archscope.units import format_bytes


def export_table(record: dict[str, Any]) -> Table:
    """Return the record of an export as rows of a name and a value."""
    to = FORMATS[record["to"]]
    rows = [("file", f"{file['path']}, {format_bytes(file['bytes'])}") for file in record["files"]]
    opset = f", opset {record['opset']}" if record["opset"] else ""
    operators = f", {record['operators']} operators" if record["operators"] else ""
    rows.append(("format", f"{to.about}{opset}{operators}"))
    shapes = (f"{name} {text_of(shape)}" for name, shape in record["inputs"].items())
    rows.append(("input", ", ".join(shapes)))
    if record["normalization"] is not None:
        rows.append(("expects", _expected(record["normalization"])))
    rows.append(("output", ", ".join(record["outputs"])))
    if record["seed"] is None:
        rows.append(("weights", record["weights"]))
    elif to.holds_weights or len(record["files"]) > 1:
        rows.append(("weights", f"random, seed {record['seed']}: nothing was trained"))
    else:
        named = to.weights_suffix == ".safetensors"
        hint = "those of archscope.build fit by name" if named else "--seed draws random ones"
        rows.append(("weights", f"not in the file; {hint}"))
    if record["fused"]:
        rows.append(("fused", f"{record['norms_folded']} batch norms folded"))
    if record["difference"] is None:
        rows.append(("checked", to.unchecked or "by onnx; --check compares its outputs"))
    else:
        rows.append(("checked", f"outputs within {record['difference']:.1e} of the network's"))
    return Table(record["name"], (Column("", NAME), Column("", TEXT)), tuple(rows))


def _expected(normalization: dict[str, Any]) -> str:
    means, deviations = (
        ", ".join(f"{value:.4g}" for value in normalization[key]) for key in ("mean", "std")
    )
    text = f"{normalization['layout']}, {normalization['range']}"
    where = "the file normalises them" if normalization["in_file"] else "not in the file"
    return f"{text}; {where}: mean {means}, deviation {deviations}"

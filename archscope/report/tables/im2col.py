"""A convolution as a matrix product, as a table of its matrices."""

from __future__ import annotations

from archscope.analysis.cost import DTYPES
from archscope.analysis.im2col import Im2col
from archscope.report.table import BYTES, COUNT, NAME, SHAPE, Column, Part, Table

COLUMNS = (
    Column("matrix", NAME),
    Column("shape", SHAPE),
    Column("groups", COUNT),
    Column("elements", COUNT),
    Column("memory", BYTES, "bytes"),
)


def im2col_parts(view: Im2col, dtype: str) -> list[Part]:
    """Return one row for each matrix, and the blow-up of the input."""
    matrices = {"X_col": view.columns, "W_row": view.weights, "W_row X_col": view.output}
    rows = []
    for name, (height, width) in matrices.items():
        elements = view.groups * height * width
        rows.append((name, (height, width), view.groups, elements, elements * DTYPES[dtype]))
    blow_up = f"X_col holds {view.blow_up:.2f} times the elements of the input"
    return [Table("", COLUMNS, tuple(rows)), blow_up]

"""HTML tables for notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

MOST_ROWS = 1000
"""The most layers to show; many more make a notebook slow."""

_LEFT = ' style="text-align:left"'


def html_table(title: str, rows: Mapping[str, str]) -> str:
    """Return an HTML table of names and values, without the rows that have no value."""
    from html import escape  # takes 2 ms, needed in notebooks only

    cells = "".join(
        f"<tr><th{_LEFT}>{escape(name)}</th><td{_LEFT}>{escape(value)}</td></tr>"
        for name, value in rows.items()
        if value
    )
    return f"<table><caption>{escape(title)}</caption>{cells}</table>"


def html_details(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], shares: Sequence[float]
) -> str:
    """Return an HTML table that opens on click; each row has a bar for a share of 0 to 1."""
    from html import escape

    heads = "".join(f"<th>{escape(column)}</th>" for column in columns) + "<th></th>"
    lines = ""
    for row, share in zip(rows[:MOST_ROWS], shares, strict=False):
        cells = "".join(f"<td{_LEFT}>{escape(cell)}</td>" for cell in row)
        lines += f"<tr>{cells}<td>{_bar(share)}</td></tr>"
    rest = len(rows) - MOST_ROWS
    more = f"<p>{rest:,} more</p>" if rest > 0 else ""
    return (
        f"<details><summary>{escape(title)}</summary>"
        f"<table><tr>{heads}</tr>{lines}</table>{more}</details>"
    )


def _bar(share: float) -> str:
    """Return a bar of up to 100 pixels in the colour of the text around it."""
    style = f"width:{100 * share:.1f}px;height:0.7em;background:currentColor;opacity:0.5"
    return f'<div title="{share:.1%}" style="{style}"></div>' if share else ""

"""PNG, rendered from SVG by the package resvg-py."""

from __future__ import annotations

from archscope.analysis.result import Analysis
from archscope.drawing.formats import svg
from archscope.drawing.heat import Heat

SUFFIXES = (".png",)


def render(analysis: Analysis, fold: int | None, heat: Heat | None) -> bytes:
    """Return a network as a PNG."""
    import resvg_py

    text = svg.render(analysis, fold, heat)
    return bytes(resvg_py.svg_to_bytes(svg_string=text, font_family="DejaVu Sans"))

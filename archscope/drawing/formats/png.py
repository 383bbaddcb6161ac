"""PNG, made from SVG; needs the package resvg-py."""

from __future__ import annotations

from archscope.analysis.result import Analysis
from archscope.drawing.formats import svg
from archscope.errors import UnavailableError

SUFFIXES = (".png",)


def render(analysis: Analysis, fold: int | None, heat: str | None) -> bytes:
    """Return a network as a PNG. Raises UnavailableError without resvg-py."""
    try:
        import resvg_py
    except ImportError:
        raise UnavailableError(
            "PNG needs the package resvg-py: pip install 'archscope[png]'; SVG needs nothing"
        ) from None
    text = svg.render(analysis, fold, heat)
    return bytes(resvg_py.svg_to_bytes(svg_string=text, font_family="DejaVu Sans"))

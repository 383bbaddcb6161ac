"""A drawing as SVG: a picture that stands alone, with the facts of each box as its tooltip."""

from __future__ import annotations

from xml.sax.saxutils import escape

from archscope.analysis.bundle import Analysis
from archscope.drawing.heat import share, size, title, warmth, words
from archscope.drawing.layout import HEADING, Box, Picture, Wire

COLD, WARM = (255, 255, 255), (240, 142, 60)
"""From white to an orange that black can be read on, and that every eye tells from white."""

STYLE = (
    "text{font:12px 'DejaVu Sans',Verdana,sans-serif;fill:#1b1f24}"
    ".size{font-size:10.5px;fill:#3c444d}"
    "rect{stroke:#8a939e;stroke-width:1}.block{stroke-dasharray:4 3;fill:#f3f5f7}"
    "path{fill:none;stroke:#6b7480;stroke-width:1.3}"
)
MARGIN = 8.0
TITLE_LETTERS, SIZE_LETTERS = 23, 27  # that fit into a box


def svg(drawing: Picture, analysis: Analysis, heat: str | None = "macs") -> str:
    """Return the picture of a network as an SVG document, boxes coloured by their share."""
    width, height = drawing.width + 2 * MARGIN, drawing.height + 2 * MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_n(width)}" height="{_n(height)}"'
        f' viewBox="{_n(-MARGIN)} {_n(-MARGIN)} {_n(width)} {_n(height)}" role="img">',
        f"<title>{_text(analysis.name)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect x="{_n(-MARGIN)}" y="{_n(-MARGIN)}" width="{_n(width)}" height="{_n(height)}"'
        ' style="fill:#fff;stroke:none"/>',
    ]
    lines += [_box(box, analysis, heat) for box in drawing.boxes if box.open]
    lines += [f'<path d="{way(wire)}"/>' for wire in drawing.wires]
    lines += [_box(box, analysis, heat) for box in drawing.boxes if not box.open]
    return "\n".join([*lines, "</svg>"]) + "\n"


def way(wire: Wire) -> str:
    """Return a line in SVG's words: straight within a row, curved from one to the next."""
    (x, y), *rest = wire.points
    words = [f"M{_n(x)} {_n(y)}"]
    for number, (to_x, to_y) in enumerate(rest):
        if number % 2 == 0 or to_x == x:
            words.append(f"V{_n(to_y)}")
        else:
            middle = (y + to_y) / 2
            words.append(f"C{_n(x)} {_n(middle)} {_n(to_x)} {_n(middle)} {_n(to_x)} {_n(to_y)}")
        x, y = to_x, to_y
    return "".join(words)


def _box(box: Box, analysis: Analysis, heat: str | None) -> str:
    layers = analysis.layers
    place = (
        f'x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" height="{_n(box.height)}" rx="5"'
    )
    told = f"<title>{_text(words(box.item, layers))}</title>"
    if box.open:
        name = f'<text x="{_n(box.x + 8)}" y="{_n(box.y + HEADING - 8)}">{_text(box.item.label)}'
        return f'<g class="open">{told}<rect class="block" {place}/>{name}</text></g>'
    colour = _colour(warmth(share(box.item, analysis, heat))) if heat else _colour(0.0)
    middle = _n(box.x + box.width / 2)
    return (
        f'<g class="box">{told}<rect {place} fill="{colour}"/>'
        f'<text x="{middle}" y="{_n(box.y + 17)}" text-anchor="middle">'
        f"{_text(cut(title(box.item, layers), TITLE_LETTERS))}</text>"
        f'<text class="size" x="{middle}" y="{_n(box.y + 33)}" text-anchor="middle">'
        f"{_text(cut(size(box.item, layers), SIZE_LETTERS))}</text></g>"
    )


def cut(text: str, letters: int) -> str:
    """Return a text without its middle if it is longer than so many letters."""
    if len(text) <= letters:
        return text
    front = (letters - 1) // 3
    return f"{text[:front]}…{text[front + 1 - letters :]}"


def _colour(warm: float) -> str:
    mixed = (round(cold + (hot - cold) * warm) for cold, hot in zip(COLD, WARM, strict=True))
    return "#" + "".join(f"{one:02x}" for one in mixed)


def _text(text: str) -> str:
    """Return a text for XML, which knows no control characters."""
    return escape("".join(char if char >= " " or char == "\n" else "�" for char in text))


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")

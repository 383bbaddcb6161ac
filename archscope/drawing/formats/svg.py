"""SVG: one self-contained file, with the costs of each box as its tooltip."""

from __future__ import annotations

from xml.sax.saxutils import escape

from archscope.analysis.result import Analysis
from archscope.drawing.folded import is_open
from archscope.drawing.heat import Heat, colour, intensity
from archscope.drawing.labels import shortened, subtitle, title, tooltip
from archscope.drawing.layout import HEADING, Box, EdgePath, layout_of
from archscope.drawing.overlay import FAINTEST, Overlay
from archscope.drawing.tree import tree_of

SUFFIXES = (".svg",)
STYLE = (
    "text{font:12px 'DejaVu Sans',Verdana,sans-serif;fill:#1b1f24}"
    ".size{font-size:10.5px;fill:#3c444d}"
    "rect{stroke:#8a939e;stroke-width:1}.block{stroke-dasharray:4 3;fill:#f3f5f7}"
    "path{fill:none;stroke:#6b7480;stroke-width:1.3}"
)
MARGIN = 8.0
LEGEND = 50.0  # height of the legend
TITLE_LENGTH, SUBTITLE_LENGTH = 23, 27  # characters that fit into a box
LEGEND_LENGTH = 100  # characters of a title
AT = {"start": 0, "middle": 77, "end": 154}  # marks of the colour bar, by their anchor
HEAT_WORDS = {"memory": "memory access"}
CHARACTER = 7.5  # width of most characters of a title


def render(analysis: Analysis, fold: int | None, heat: Heat | None) -> str:
    """Return a network as an SVG document."""
    root = tree_of(analysis.layers, analysis.name)
    drawing = layout_of(root, lambda block, depth: is_open(block, depth, fold))
    scale, wide = _legend(heat) if heat else ([], 0.0)
    top = LEGEND if scale else 0.0
    width, height = max(drawing.width, wide) + 2 * MARGIN, drawing.height + 2 * MARGIN + top
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_n(width)}" height="{_n(height)}"'
        f' viewBox="{_n(-MARGIN)} {_n(-MARGIN - top)} {_n(width)} {_n(height)}" role="img">',
        f"<title>{_text(analysis.name)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect x="{_n(-MARGIN)}" y="{_n(-MARGIN - top)}" width="{_n(width)}" height="{_n(height)}"'
        ' style="fill:#fff;stroke:none"/>',
        *scale,
    ]
    lines += [_box(box, analysis, heat) for box in drawing.boxes if box.open]
    lines += [f'<path d="{_path(edge)}"/>' for edge in drawing.edges]
    lines += [_box(box, analysis, heat) for box in drawing.boxes if not box.open]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _legend(heat: Heat) -> tuple[list[str], float]:
    """Return the legend, a title and a colour bar with its marks, and its width."""
    if isinstance(heat, Overlay):
        title, first = shortened(heat.title, LEGEND_LENGTH), FAINTEST
        places = dict(zip(("start", "end"), map(heat.text, heat.ends), strict=True))
    else:
        title, first = f"share of {HEAT_WORDS.get(heat, heat)}", 0.0
        # Colours follow the square root of a share.
        places = {"start": "0 %", "middle": "25 %", "end": "100 %"}
    lines = [
        f'<text x="0" y="-38">{_text(title)}</text>',
        *(
            f'<rect x="{14 * step}" y="-32" width="14" height="10" style="stroke:none"'
            f' fill="{colour(first + (1 - first) * step / 10)}"/>'
            for step in range(11)
        ),
        f'<rect x="0" y="-32" width="{AT["end"]}" height="10" style="fill:none"/>',
        *(
            f'<text class="size" x="{AT[anchor]}" y="-9" text-anchor="{anchor}">{_text(mark)}'
            "</text>"
            for anchor, mark in places.items()
        ),
    ]
    return lines, max(float(AT["end"]), CHARACTER * len(title))


def _path(edge: EdgePath) -> str:
    """Return the path data of an edge: straight within a row, curved between two rows."""
    (x, y), *rest = edge
    commands = [f"M{_n(x)} {_n(y)}"]
    for number, (to_x, to_y) in enumerate(rest):
        if number % 2 == 0 or to_x == x:
            commands.append(f"V{_n(to_y)}")
        else:
            middle = (y + to_y) / 2
            commands.append(f"C{_n(x)} {_n(middle)} {_n(to_x)} {_n(middle)} {_n(to_x)} {_n(to_y)}")
        x, y = to_x, to_y
    return "".join(commands)


def _box(box: Box, analysis: Analysis, heat: Heat | None) -> str:
    layers = analysis.layers
    place = (
        f'x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" height="{_n(box.height)}" rx="5"'
    )
    about = f"<title>{_text(tooltip(box.node, layers, heat))}</title>"
    if box.open:
        label, paint = box.node.label, ""
        if isinstance(heat, Overlay) and box.node.name in heat.values:
            label += f" · {heat.text(heat.values[box.node.name])}"
            paint = f' style="fill:{colour(heat.intensity(box.node))}"'
        name = f'<text x="{_n(box.x + 8)}" y="{_n(box.y + HEADING - 8)}">{_text(label)}'
        return f'<g class="open">{about}<rect class="block" {place}{paint}/>{name}</text></g>'
    fill = colour(intensity(box.node, analysis, heat) if heat else 0.0)
    middle = _n(box.x + box.width / 2)
    return (
        f'<g class="box">{about}<rect {place} fill="{fill}"/>'
        f'<text x="{middle}" y="{_n(box.y + 17)}" text-anchor="middle">'
        f"{_text(title(box.node, layers, TITLE_LENGTH))}</text>"
        f'<text class="size" x="{middle}" y="{_n(box.y + 33)}" text-anchor="middle">'
        f"{_text(shortened(subtitle(box.node, layers, heat), SUBTITLE_LENGTH))}</text></g>"
    )


def _text(text: str) -> str:
    """Escape a text for XML, without control characters."""
    return escape("".join(char if char >= " " or char == "\n" else "�" for char in text))


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")

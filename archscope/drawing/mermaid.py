"""A drawing in Mermaid's language, which GitHub and many wikis show."""

from __future__ import annotations

from html import escape

from archscope.analysis.bundle import Analysis
from archscope.drawing.collapsed import Shown, shown
from archscope.drawing.heat import share, size, title, warmth
from archscope.drawing.svg import COLD, WARM
from archscope.drawing.tree import Item

WARMTHS = 5


def mermaid(item: Item, analysis: Analysis, depth: int | None, heat: str | None = "macs") -> str:
    """Return a network as a flowchart, open blocks as subgraphs, those below `depth` as boxes."""
    view = shown(item, analysis.layers, depth)
    lines = [
        "flowchart TD",
        *_members(item, analysis, view, heat, "  "),
        *(f"  n{one} --> n{other}" for one, other in view.lines),
    ]
    if heat:
        lines += [
            f"  classDef heat{step} fill:{_colour(step / WARMTHS)},color:#1b1f24"
            for step in range(WARMTHS + 1)
        ]
    return "\n".join(lines) + "\n"


def _members(
    item: Item, analysis: Analysis, view: Shown, heat: str | None, indent: str
) -> list[str]:
    lines: list[str] = []
    for child in item.children:
        number = view.number[child.layers[0]]
        if child.name in view.open:
            lines += [
                f'{indent}subgraph block{number}_{child.name.count(".")}["{_text(child.label)}"]',
                *_members(child, analysis, view, heat, f"{indent}  "),
                f"{indent}end",
            ]
            continue
        label = f"{_text(title(child, analysis.layers))}<br/>{_text(size(child, analysis.layers))}"
        mark = f":::heat{round(WARMTHS * warmth(share(child, analysis, heat)))}" if heat else ""
        lines.append(f'{indent}n{number}["{label}"]{mark}')
    return lines


def _text(text: str) -> str:
    """Return a text that ends neither the label nor the line, in Mermaid's entities."""
    plain = escape(text, quote=True).replace("&#x27;", "#39;").replace("&quot;", "#quot;")
    return plain.replace("&lt;", "#lt;").replace("&gt;", "#gt;").replace("\n", " ")


def _colour(warm: float) -> str:
    mixed = (round(cold + (hot - cold) * warm) for cold, hot in zip(COLD, WARM, strict=True))
    return "#" + "".join(f"{one:02x}" for one in mixed)

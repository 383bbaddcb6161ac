"""A drawing in Graphviz's language, for those who lay it out with that."""

from __future__ import annotations

from archscope.analysis.bundle import Analysis
from archscope.drawing.collapsed import Shown, shown
from archscope.drawing.heat import share, size, title, warmth, words
from archscope.drawing.tree import Item


def dot(item: Item, analysis: Analysis, depth: int | None, heat: str | None = "macs") -> str:
    """Return a network as a digraph, open blocks as clusters, those below `depth` as boxes."""
    view = shown(item, analysis.layers, depth)
    lines = [
        f"digraph {_quote(analysis.name)} {{",
        '  node [shape=box, style="rounded,filled", fontname="sans-serif", colorscheme=oranges9];',
        *_members(item, analysis, view, heat, "  "),
        *(f"  n{one} -> n{other};" for one, other in view.lines),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _members(
    item: Item, analysis: Analysis, view: Shown, heat: str | None, indent: str
) -> list[str]:
    lines: list[str] = []
    for child in item.children:
        if child.name in view.open:
            lines += [
                f"{indent}subgraph {_quote(f'cluster_{child.name}')} {{",
                f"{indent}  label={_quote(child.label)}; style=dashed;",
                *_members(child, analysis, view, heat, f"{indent}  "),
                f"{indent}}}",
            ]
            continue
        label = f"{title(child, analysis.layers)}\n{size(child, analysis.layers)}"
        warm = round(5 * warmth(share(child, analysis, heat))) if heat else 0
        colour = str(warm) if warm else "white"
        about = words(child, analysis.layers)
        lines.append(
            f"{indent}n{view.number[child.layers[0]]} [label={_quote(label)},"
            f" fillcolor={colour}, tooltip={_quote(about)}];"
        )
    return lines


def _quote(text: str) -> str:
    body = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{body}"'

"""The Mermaid language, which GitHub and many wikis render."""

from __future__ import annotations

from html import escape

from archscope.analysis.result import Analysis
from archscope.drawing.folded import FoldedTree, fold_tree
from archscope.drawing.heat import Heat, colour, intensity
from archscope.drawing.labels import legend, subtitle, title
from archscope.drawing.overlay import Overlay
from archscope.drawing.tree import TreeNode, tree_of

SUFFIXES = (".mmd",)
STEPS = 5  # colours between white and orange


def render(analysis: Analysis, fold: int | None, heat: Heat | None) -> str:
    """Return a network as a flowchart with open blocks as subgraphs."""
    root = tree_of(analysis.layers, analysis.name)
    folded = fold_tree(root, analysis.layers, fold)
    lines = [
        "flowchart TD",
        *([f'  legend["{_text(legend(heat))}"]'] if isinstance(heat, Overlay) else []),
        *_members(root, analysis, folded, heat, "  "),
        *(f"  n{source} --> n{target}" for source, target in folded.edges),
    ]
    if heat:
        lines += [
            f"  classDef heat{step} fill:{colour(step / STEPS)},color:#1b1f24"
            for step in range(STEPS + 1)
        ]
    return "\n".join(lines) + "\n"


def _members(
    block: TreeNode, analysis: Analysis, folded: FoldedTree, heat: Heat | None, indent: str
) -> list[str]:
    lines: list[str] = []
    for child in block.children:
        number = folded.box_of[child.layers[0]]
        if child.name in folded.open:
            lines += [
                f'{indent}subgraph block{number}_{child.name.count(".")}["{_text(child.label)}"]',
                *_members(child, analysis, folded, heat, f"{indent}  "),
                f"{indent}end",
            ]
            continue
        lines_of_box = title(child, analysis.layers), subtitle(child, analysis.layers, heat)
        mark = f":::heat{round(STEPS * intensity(child, analysis, heat))}" if heat else ""
        lines.append(f'{indent}n{number}["{"<br/>".join(map(_text, lines_of_box))}"]{mark}')
    return lines


def _text(text: str) -> str:
    """Escape a text by Mermaid's entities, so that it ends neither the label nor the line."""
    plain = escape(text, quote=True).replace("&#x27;", "#39;").replace("&quot;", "#quot;")
    return plain.replace("&lt;", "#lt;").replace("&gt;", "#gt;").replace("\n", " ")

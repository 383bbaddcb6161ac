"""The DOT language of Graphviz, which does the layout itself."""

from __future__ import annotations

from archscope.analysis.result import Analysis
from archscope.drawing.folded import FoldedTree, fold_tree
from archscope.drawing.heat import Heat, intensity
from archscope.drawing.labels import legend, subtitle, title, tooltip
from archscope.drawing.overlay import Overlay
from archscope.drawing.tree import TreeNode, tree_of

SUFFIXES = (".dot", ".gv")


def render(analysis: Analysis, fold: int | None, heat: Heat | None) -> str:
    """Return a network as a digraph with open blocks as clusters."""
    root = tree_of(analysis.layers, analysis.name)
    folded = fold_tree(root, analysis.layers, fold)
    lines = [
        f"digraph {_quote(analysis.name)} {{",
        '  node [shape=box, style="rounded,filled", fontname="sans-serif", colorscheme=oranges9];',
        *([f"  label={_quote(legend(heat))}; labelloc=t;"] if isinstance(heat, Overlay) else []),
        *_members(root, analysis, folded, heat, "  "),
        *(f"  n{source} -> n{target};" for source, target in folded.edges),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _members(
    block: TreeNode, analysis: Analysis, folded: FoldedTree, heat: Heat | None, indent: str
) -> list[str]:
    lines: list[str] = []
    for child in block.children:
        if child.name in folded.open:
            lines += [
                f"{indent}subgraph {_quote(f'cluster_{child.name}')} {{",
                f"{indent}  label={_quote(child.label)}; style=dashed;",
                *_members(child, analysis, folded, heat, f"{indent}  "),
                f"{indent}}}",
            ]
            continue
        label = f"{title(child, analysis.layers)}\n{subtitle(child, analysis.layers, heat)}"
        step = round(5 * intensity(child, analysis, heat)) if heat else 0
        told = tooltip(child, analysis.layers, heat)
        lines.append(
            f"{indent}n{folded.box_of[child.layers[0]]} [label={_quote(label)},"
            f" fillcolor={step or 'white'}, tooltip={_quote(told)}];"
        )
    return lines


def _quote(text: str) -> str:
    body = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{body}"'

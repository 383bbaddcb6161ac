"""What a network has lost since it was another one, as values for the boxes of its drawing."""

from __future__ import annotations

from archscope.analysis.difference import origins
from archscope.analysis.result import Analysis, LayerReport
from archscope.drawing.heat import HEATS
from archscope.drawing.overlay import Overlay, Values
from archscope.drawing.tree import TreeNode, tree_of
from archscope.ir import Graph, Shape, text_of


def losses(old: Graph, new: Graph, before: Analysis, after: Analysis, heat: str) -> Overlay:
    """Return the share, in percent, that every layer and block has lost of one of `HEATS`.

    Layers whose output has another size say both sizes. What grew, or never had any, has no value;
    what is there in the old network alone is not part of the drawing, and counted in the title.
    """
    attribute = HEATS[heat]
    was = {layer.name: layer for layer in before.layers}
    known = origins(old, new)
    pairs = [(was.get(known.get(layer.name, "")), layer) for layer in after.layers]
    values: Values = {}
    _add_shares(tree_of(after.layers), pairs, attribute, values)
    sizes = {
        layer.name: _sizes(first.out, layer.out)
        for first, layer in pairs
        if first is not None and first.out != layer.out
    }
    whole = [sum(getattr(layer, attribute) for layer in each.layers) for each in (before, after)]
    title = f"{heat} gone since '{before.name}'"
    if 0 < whole[1] < whole[0]:
        title += f", {100 * (1 - whole[1] / whole[0]):.1f} % in all"
    gone = len(was.keys() - {first.name for first, _ in pairs if first is not None})
    if gone:
        title += f"; {gone} layers are not there any more"
    return Overlay(title, "%", values, span=(0.0, 100.0), sizes=sizes)


def _add_shares(
    node: TreeNode,
    pairs: list[tuple[LayerReport | None, LayerReport]],
    attribute: str,
    values: Values,
) -> None:
    for child in node.children:
        inside = [pairs[place] for place in child.layers]
        had = sum(getattr(first, attribute) for first, _ in inside if first is not None)
        has = sum(getattr(layer, attribute) for _, layer in inside)
        if has < had:
            values[child.name] = round(100 * (1 - has / had), 1)
        _add_shares(child, pairs, attribute, values)


def _sizes(old: Shape, new: Shape) -> str:
    """Return both sizes: 64 → 48x28x28 if the channels alone differ."""
    first = str(old[0]) if old[1:] == new[1:] else text_of(old)
    return f"{first} → {text_of(new)}"

"""The text in the box of a layer or block."""

from __future__ import annotations

from collections.abc import Sequence

from archscope.analysis.result import LayerReport
from archscope.drawing.heat import Heat, total
from archscope.drawing.overlay import Overlay
from archscope.drawing.tree import TreeNode
from archscope.ir import text_of
from archscope.units import format_bytes, format_count


def kind_of(node: TreeNode, layers: Sequence[LayerReport]) -> str:
    """Return the operator of a layer, or the number of layers of a block."""
    return f"{len(node.layers)} layers" if node.is_block else layers[node.layers[0]].op


def window_text(layer: LayerReport) -> str:
    """Return the window of a layer as figures write it: `3x3/2` for kernel 3 and stride 2."""
    stride = layer.stride if len({*layer.stride}) > 1 else layer.stride[:1]
    return text_of(layer.kernel) + (f"/{text_of(stride)}" if {*stride} - {1} else "")


def mark_text(layer: LayerReport) -> str:
    """Return what stands behind a layer's name: its window, and whether its weights are another's.

    The layer that owns shared weights has no mark.
    """
    return " ".join(filter(None, (window_text(layer), "shared" if layer.shares else "")))


def title(node: TreeNode, layers: Sequence[LayerReport], length: int = 1000) -> str:
    """Return the first line of a box: the name, and the mark of a layer or size of a block."""
    kind = kind_of(node, layers)
    if node.is_block and node.label != kind:
        return shortened(f"{node.label} ({kind})", length)
    mark = "" if node.is_block else mark_text(layers[node.layers[0]])
    tail = f" {mark}" if mark else ""
    return f"{shortened(node.label, length - len(tail))}{tail}"


def subtitle(node: TreeNode, layers: Sequence[LayerReport], heat: Heat | None = None) -> str:
    """Return the second line of a box: the output shape, and the value, macs or else params."""
    last = layers[node.layers[-1]]
    parts = [text_of(last.out)]
    if isinstance(heat, Overlay):
        parts = [heat.sizes.get(last.name, parts[0])]
        value = heat.value(node)
        return " · ".join(parts if value is None else [*parts, heat.text(value)])
    macs, params = (total(node, layers, attribute) for attribute in ("macs", "params"))
    if macs:
        parts.append(f"{format_count(macs)} macs")
    elif params:
        parts.append(f"{format_count(params)} params")
    return " · ".join(parts)


def tooltip(node: TreeNode, layers: Sequence[LayerReport], heat: Heat | None = None) -> str:
    """Return the full name, the shapes, all costs, and the user's value if there is one."""
    painted = ""
    if isinstance(heat, Overlay) and (value := heat.value(node)) is not None:
        painted = f"\n{heat.title}: {heat.text(value)}"
    macs, params, access = (
        total(node, layers, attribute) for attribute in ("macs", "params", "memory_access_bytes")
    )
    window = owner = ""
    if not node.is_block:
        (layer,) = (layers[place] for place in node.layers)
        window = f" {window_text(layer)}".rstrip()
        owner = f"\nthe weights of {layer.shares}" if layer.shares else ""
    shapes = ", ".join(text_of(shape) for shape in layers[node.layers[0]].ins)
    arrow = f"{shapes} -> " if shapes else ""
    return (
        f"{node.name}: {kind_of(node, layers)}{window}\n"
        f"{arrow}{text_of(layers[node.layers[-1]].out)}\n"
        f"{macs:,} macs, {params:,} params, {format_bytes(access)} memory access{owner}{painted}"
    )


def legend(overlay: Overlay) -> str:
    """Return a line that explains the colours of values."""
    low, high = map(overlay.text, overlay.ends)
    return f"{overlay.title}: {low} (pale) to {high} (orange); white has no value"


def shortened(text: str, length: int) -> str:
    """Cut out the middle of a text that is longer than `length`."""
    if len(text) <= length:
        return text
    front = (length - 1) // 3
    return f"{text[:front]}…{text[front + 1 - length :]}"

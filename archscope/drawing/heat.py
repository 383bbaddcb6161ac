"""The share of a layer or block in the whole network, and the colour that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from archscope.analysis.result import Analysis, LayerReport
from archscope.drawing.overlay import Overlay
from archscope.drawing.tree import TreeNode

Heat = str | Overlay
"""What boxes are coloured by: one of `HEATS`, or the user's own values."""

HEATS = {
    "macs": "macs",
    "params": "params",
    "memory": "memory_access_bytes",
}
"""The metrics that boxes can be coloured by: the name of the option's value, and the attribute."""

COLD, WARM = (255, 255, 255), (240, 142, 60)
"""White, and an orange on which black text is readable and that everyone can tell from white."""


def total(node: TreeNode, layers: Sequence[LayerReport], attribute: str) -> int:
    """Return the sum of an attribute over the layers of a node."""
    return sum(getattr(layers[place], attribute) for place in node.layers)


def share(node: TreeNode, analysis: Analysis, heat: str) -> float:
    """Return the share of a node in the whole network, from 0 to 1."""
    attribute = HEATS[heat]
    whole: int = getattr(analysis.totals, attribute)
    return total(node, analysis.layers, attribute) / whole if whole else 0.0


def intensity(node: TreeNode, analysis: Analysis, heat: Heat) -> float:
    """Return the square root of the share, as most shares are small, or that of a user's value."""
    if isinstance(heat, Overlay):
        return heat.intensity(node)
    return sqrt(share(node, analysis, heat))


def colour(intensity: float) -> str:
    """Return the hexadecimal colour of an intensity, from white at 0 to orange at 1."""
    mixed = (round(cold + (warm - cold) * intensity) for cold, warm in zip(COLD, WARM, strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)

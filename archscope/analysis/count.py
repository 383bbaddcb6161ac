"""Conventions of counting: what a number that someone else printed had in it.

The core is macs. A convention says, from the exact ledger of a node, what it adds up.
"""

from __future__ import annotations

from collections.abc import Callable

from archscope.analysis.cost import Cost


def macs(cost: Cost) -> int:
    """Count multiply-accumulates of convolutions and matrix products, without bias."""
    return cost.macs


def seed(cost: Cost) -> int:
    """Count (k * k * Cin + 1) * Cout * H * W: a bias is one more multiply-accumulate."""
    return cost.macs + cost.elementwise if cost.macs else 0


def strict(cost: Cost) -> int:
    """Count every operation: two for a multiply-accumulate, one for each of the other work."""
    return 2 * cost.macs + cost.elementwise


COUNTS: dict[str, Callable[[Cost], int]] = {"macs": macs, "seed": seed, "strict": strict}
"""Every convention by name."""

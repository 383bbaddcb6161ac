"""What holds a layer back: arithmetic, memory, or the call itself?

The roofline model of Williams, Waterman and Patterson 2009 (doi:10.1145/1498765.1498785), with
the cost of a call as a third floor: no layer can take less time than the arithmetic at the
machine's peak, the bytes at its bandwidth, or an empty call.
"""

from __future__ import annotations

from archscope.bench.roofline import Roofline

COMPUTE, MEMORY, OVERHEAD = BOUNDS = ("compute", "memory", "overhead")


def floors(roof: Roofline, macs: int, memory_access_bytes: int) -> dict[str, float]:
    """Return the least seconds that arithmetic, memory and call allow, by bound."""
    return {
        COMPUTE: macs / (roof.gmacs_per_second * 1e9),
        MEMORY: memory_access_bytes / (roof.gbytes_per_second * 1e9),
        OVERHEAD: roof.overhead_seconds,
    }


def bound(roof: Roofline, macs: int, memory_access_bytes: int) -> str:
    """Return which of the three floors is the highest."""
    least = floors(roof, macs, memory_access_bytes)
    return max(BOUNDS, key=lambda name: least[name])


def least_seconds(roof: Roofline, macs: int, memory_access_bytes: int) -> float:
    """Return the least seconds that the machine needs, by its roofline."""
    return max(floors(roof, macs, memory_access_bytes).values())

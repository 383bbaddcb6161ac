"""What limits a layer: arithmetic, memory bandwidth, or the overhead of the call.

The roofline model of Williams, Waterman and Patterson 2009 (doi:10.1145/1498765.1498785), with
the overhead of a call as a third lower bound: no layer takes less time than its arithmetic at
the machine's peak, its bytes at the bandwidth, or an empty call.
"""

from __future__ import annotations

from archscope.bench.roofline import Roofline

COMPUTE, MEMORY, OVERHEAD = BOUNDS = ("compute", "memory", "overhead")


def lower_bounds(roof: Roofline, macs: int, memory_access_bytes: int) -> dict[str, float]:
    """Return the least seconds that arithmetic, memory and call overhead allow, by bound."""
    return {
        COMPUTE: macs / (roof.gmacs_per_second * 1e9),
        MEMORY: memory_access_bytes / (roof.gbytes_per_second * 1e9),
        OVERHEAD: roof.overhead_seconds,
    }


def bottleneck_of(roof: Roofline, macs: int, memory_access_bytes: int) -> tuple[str, float]:
    """Return the largest of the three lower bounds: its name and its seconds."""
    return max(lower_bounds(roof, macs, memory_access_bytes).items(), key=lambda bound: bound[1])

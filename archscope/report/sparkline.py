"""Bars and sparklines of block characters."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

HEIGHTS = " ▁▂▃▄▅▆▇█"
WIDTHS = " ▏▎▍▌▋▊▉"
BAR = 10  # characters of the longest bar
LINE = 40  # characters of a sparkline


def bar(fraction: float) -> str:
    """Render a fraction as a bar of up to 10 characters; non-zero values always show."""
    eighths = round(8 * BAR * fraction) or (1 if fraction > 0 else 0)
    return "█" * (eighths // 8) + WIDTHS[eighths % 8].strip()


def sparkline(values: Sequence[float], length: int = LINE) -> str:
    """Render values as a line of up to `length` small bars; each bar shows its largest value."""
    most = max(values, default=0)
    if not most:
        return ""
    length = min(length, len(values))
    edges = [place * len(values) // length for place in range(length + 1)]
    peaks = [max(values[low:high]) for low, high in itertools.pairwise(edges)]
    return "".join(HEIGHTS[max(1, round(8 * peak / most)) if peak else 0] for peak in peaks)

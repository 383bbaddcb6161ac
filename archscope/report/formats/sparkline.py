"""Bars and lines made of letters."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

BARS = " ▁▂▃▄▅▆▇█"
BAR = 10  # letters of the longest bar
LINE = 40  # letters of a timeline


def bar(share: float) -> str:
    """Return a share of the whole as a bar of up to 10 letters; what is not 0 is seen."""
    eighths = round(8 * BAR * share) or (1 if share > 0 else 0)
    return "█" * (eighths // 8) + (" ▏▎▍▌▋▊▉"[eighths % 8].strip())


def spark(values: Sequence[float], letters: int = LINE) -> str:
    """Return values as a line of small bars, the largest of each letter's part."""
    most = max(values, default=0)
    if not most:
        return ""
    width = min(letters, len(values))
    cuts = [place * len(values) // width for place in range(width + 1)]
    heights = [max(values[low:high]) for low, high in itertools.pairwise(cuts)]
    return "".join(BARS[max(1, round(8 * height / most)) if height else 0] for height in heights)

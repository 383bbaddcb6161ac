"""Distinct names for networks shown together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def told_apart(names: Sequence[str], sources: Sequence[str]) -> list[str]:
    """Return names, replacing those that occur more than once by their sources.

    Names with the same source are numbered.
    """
    times = Counter(names)
    shown = [
        source if times[name] > 1 else name for name, source in zip(names, sources, strict=True)
    ]
    again = Counter(shown)
    seen: Counter[str] = Counter()
    for place, name in enumerate(shown):
        seen[name] += 1
        if again[name] > 1:
            shown[place] = f"{name} ({seen[name]})"
    return shown

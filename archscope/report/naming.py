"""Names of networks that stand beside each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def told_apart(names: Sequence[str], sources: Sequence[str]) -> list[str]:
    """Return names, in the place of those that occur more than once the sources they are from.

    What has the same source, too, is numbered.
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

"""Format numbers and names for the sentences of a report."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from archscope.report.pages.content import NetworkSection
from archscope.units import format_value

NAMED = 4  # names to list; further ones are counted


def written(value: float | None, kind: str) -> str:
    """Format a value for people; a dash if unknown."""
    if value is None:
        return "-"
    if not isfinite(value):
        return "no number"
    return format_value(value, kind)


def percent(share: float) -> str:
    """Format a share as tables do: `95.8 %`."""
    return written(share, "share")


def points(share: float) -> str:
    """Format a spread or an interval of shares in percentage points."""
    return f"{100 * share:.1f} points"


def lead(high: float, low: float) -> str:
    """Format the difference of two shares, after rounding both as in the tables."""
    return f"{round(100 * high, 1) - round(100 * low, 1):.1f} points"


def ratio(high: float, low: float) -> str:
    """Return how many times higher a value is than a lower one."""
    times = high / low if low else float("inf")
    if not isfinite(times):
        return "infinitely many times"
    return f"{times:.2f} times" if times < 10 else f"{times:,.0f} times"


def listed(texts: Sequence[str]) -> str:
    """List texts: `a, b and c`."""
    if len(texts) == 1:
        return texts[0]
    return f"{', '.join(texts[:-1])} and {texts[-1]}"


def names(networks: Sequence[NetworkSection]) -> str:
    """List networks by name, counting those beyond the first few."""
    if len(networks) == NAMED + 1:  # naming the last is as short as counting it
        return listed([network.name for network in networks])
    shown = [network.name for network in networks[:NAMED]]
    if len(networks) > NAMED:
        shown.append(f"{len(networks) - NAMED} more")
    return listed(shown)

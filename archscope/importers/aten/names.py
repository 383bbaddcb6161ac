"""Names of torch's operators."""

from __future__ import annotations


def name_of(target: str) -> str:
    """Return the name of an operator within its library: `relu` of `aten.relu.default`."""
    return target.partition(".")[2].partition(".")[0] or target

"""JSON: the data behind the tables."""

from __future__ import annotations

import msgspec

from archscope.report.table import CommandOutput


def render(output: CommandOutput, screen: bool = False) -> str:
    """Return the data as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(output.data()), indent=2).decode()

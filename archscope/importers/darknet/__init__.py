"""Imports darknet configurations (`.cfg`) by the rules of darknet's own parser."""

from __future__ import annotations

from archscope.importers.darknet.network import from_file

__all__ = ["from_file"]

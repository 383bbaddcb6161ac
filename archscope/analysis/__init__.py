"""Questions to a graph, one in each file; `analyze` asks them all."""

from __future__ import annotations

from archscope.analysis.bundle import Analysis, analyze

__all__ = ["Analysis", "analyze"]

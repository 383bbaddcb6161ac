"""archscope: exact, instant analysis of convolutional architectures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archscope.analysis import Analysis, analyze
from archscope.errors import ArchscopeError
from archscope.ir import Graph, Node
from archscope.sources import load

if TYPE_CHECKING:
    from archscope.linter import Finding, lint

__version__ = "0.1.0"

__all__ = [
    "Analysis", "ArchscopeError", "Finding", "Graph", "Node", "__version__", "analyze", "lint",
    "load",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Load the linter when it is asked for: most commands do without its rules."""
    if name in ("Finding", "lint"):
        from archscope import linter

        return getattr(linter, name)
    raise AttributeError(f"module 'archscope' has no attribute '{name}'")

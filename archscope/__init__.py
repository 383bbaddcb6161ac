"""archscope: exact, instant analysis of convolutional architectures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archscope.analysis import Analysis
from archscope.api import Comparison, analyze, compare, lint
from archscope.errors import ArchscopeError
from archscope.ir import Graph, Node
from archscope.sources import load

if TYPE_CHECKING:
    from archscope.linter import Finding

__version__ = "0.2.0"

__all__ = [
    "Analysis", "ArchscopeError", "Comparison", "Finding", "Graph", "Node", "__version__",
    "analyze", "compare", "lint", "load",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Load the linter on first use, as most commands do not need its rules."""
    if name == "Finding":
        from archscope.linter import Finding

        return Finding
    raise AttributeError(f"module 'archscope' has no attribute '{name}'")

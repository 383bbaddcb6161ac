"""archscope: exact, instant analysis of convolutional architectures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archscope.analysis import Analysis
from archscope.api import Comparison, analyze, compare, lint
from archscope.callable_package import callable_package
from archscope.errors import ArchscopeError
from archscope.ir import Graph, Node
from archscope.sources import load

if TYPE_CHECKING:
    from archscope.linter import Finding
    from archscope.workflows import build, report, search, train

__version__ = "0.2.0"

__all__ = [
    "Analysis", "ArchscopeError", "Comparison", "Finding", "Graph", "Node", "__version__",
    "analyze", "build", "compare", "lint", "load", "report", "search", "train",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Load what only some programs need on first use: the rules, and packages that load torch."""
    if name == "Finding":
        from archscope.linter import Finding

        return Finding
    if name in ("build", "report", "search", "train"):
        return callable_package(f"archscope.{name}")
    raise AttributeError(f"module 'archscope' has no attribute '{name}'")

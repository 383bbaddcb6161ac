"""archscope: exact, instant analysis of convolutional architectures."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archscope.analysis import Analysis
    from archscope.api import Comparison, analyze, compare, lint
    from archscope.errors import ArchscopeError
    from archscope.ir import Graph, Node
    from archscope.linter import Finding
    from archscope.sources import load
    from archscope.workflows import build, report, search, train

__version__ = "0.2.0"

__all__ = [
    "Analysis", "ArchscopeError", "Comparison", "Finding", "Graph", "Node", "__version__",
    "analyze", "build", "compare", "lint", "load", "report", "search", "train",
]  # fmt: skip

_MODULES = {
    "analysis": ("Analysis",), "api": ("Comparison", "analyze", "compare", "lint"),
    "errors": ("ArchscopeError",), "ir": ("Graph", "Node"), "linter": ("Finding",),
    "sources": ("load",),
}  # fmt: skip
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that a command imports only what it needs."""
    if name in _HOMES:
        value = getattr(import_module(f"archscope.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    if name in ("build", "report", "search", "train"):
        from archscope.callable_package import callable_package

        return callable_package(f"archscope.{name}")
    raise AttributeError(f"module 'archscope' has no attribute '{name}'")


def __dir__() -> list[str]:
    """Return the public names, also those not imported yet."""
    return sorted({*globals(), *__all__})

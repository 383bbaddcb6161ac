"""archscope: exact, instant analysis of convolutional architectures."""

from __future__ import annotations

from archscope.analysis import Analysis, analyze
from archscope.errors import ArchscopeError
from archscope.ir import Graph, Node
from archscope.spec import load

__version__ = "0.1.0"

__all__ = ["Analysis", "ArchscopeError", "Graph", "Node", "__version__", "analyze", "load"]

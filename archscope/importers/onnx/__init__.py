"""Imports ONNX files."""

from __future__ import annotations

from archscope.importers.onnx.graph_builder import from_file

__all__ = ["from_file"]

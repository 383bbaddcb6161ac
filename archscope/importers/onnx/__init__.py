"""Imports ONNX files."""

from __future__ import annotations

from archscope.importers.onnx.conversion import from_file

__all__ = ["from_file"]

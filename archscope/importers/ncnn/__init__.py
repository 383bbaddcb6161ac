"""Imports ncnn parameter files (`.param`) with the defaults of ncnn's own layers."""

from __future__ import annotations

from archscope.importers.ncnn.network import from_file

__all__ = ["from_file"]

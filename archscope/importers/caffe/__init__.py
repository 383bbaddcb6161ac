"""Imports Caffe definitions (`.prototxt`) of both generations of layers."""

from __future__ import annotations

from archscope.importers.caffe.network import from_file

__all__ = ["from_file"]

"""Imports TensorFlow Lite models (`.tflite`)."""

from __future__ import annotations

from archscope.importers.tflite.network import from_file

__all__ = ["from_file"]

"""Models of TensorFlow Lite (`.tflite`) -> Graph."""

from __future__ import annotations

from archscope.importers.tflite.network import from_file

__all__ = ["from_file"]

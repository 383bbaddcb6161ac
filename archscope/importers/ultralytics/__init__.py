"""Imports YOLO model files (`.yaml` with `backbone` and `head`): v5, v7, v8 and later."""

from __future__ import annotations

from pathlib import Path

from archscope.importers.formats import Imported, Inputs
from archscope.importers.ultralytics.recognition import is_model

__all__ = ["from_file", "is_model"]


def from_file(path: str | Path, input: Inputs = None) -> Imported:
    """Import a model file; loads `network.from_file`, which specs do not need."""
    from archscope.importers.ultralytics import network

    return network.from_file(path, input)

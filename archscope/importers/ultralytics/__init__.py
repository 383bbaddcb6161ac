"""Model files of YOLO (`.yaml` with `backbone` and `head`) -> Graph: v5, v7, v8 and later."""

from __future__ import annotations

from pathlib import Path

from archscope.importers.formats import Imported, Inputs
from archscope.importers.ultralytics.model_file import is_model

__all__ = ["from_file", "is_model"]


def from_file(path: str | Path, input: Inputs = None) -> Imported:
    """Return the network of a model file: `network.from_file`, which a spec does not need."""
    from archscope.importers.ultralytics import network

    return network.from_file(path, input)

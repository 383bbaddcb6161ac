"""Imports Keras models (`.keras`, or their configuration as `.json`)."""

from __future__ import annotations

from pathlib import Path

from archscope.importers.formats import Imported, Inputs
from archscope.importers.keras.config import is_model

__all__ = ["from_file", "is_model"]


def from_file(path: str | Path, input: Inputs = None) -> Imported:
    """Import a Keras model; loads `network.from_file`, which specs do not need."""
    from archscope.importers.keras import network

    return network.from_file(path, input)

"""Models of Keras (`.keras`, or their configuration as `.json`) -> Graph."""

from __future__ import annotations

from pathlib import Path

from archscope.importers.formats import Imported, Inputs
from archscope.importers.keras.config import is_model

__all__ = ["from_file", "is_model"]


def from_file(path: str | Path, input: Inputs = None) -> Imported:
    """Return the network of a model of Keras: `network.from_file`, which a spec does not need."""
    from archscope.importers.keras import network

    return network.from_file(path, input)

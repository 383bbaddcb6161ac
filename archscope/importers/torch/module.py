"""nn.Module -> Graph, through torch.export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from archscope.importers.imported import Imported
from archscope.importers.torch.program import Reader
from archscope.importers.torch.trace import Shapes, trace


def from_module(model: nn.Module, input: Any, name: str | None = None) -> Imported:
    """Return the graph of a module at inference, and its weights. Raises ArchscopeError.

    `input` is a shape without the batch, several of them, shapes by the names of forward's
    arguments, or tensors with the batch, in place of shapes.
    """
    program = trace(model, shapes_of(input))
    reader = Reader(program, model)
    return reader.imported(name or type(model).__name__)


def shapes_of(input: Any) -> Shapes:
    """Return shapes without the batch for tensors, or the shapes that were given."""
    if isinstance(input, torch.Tensor):
        return tuple(input.shape[1:])
    if isinstance(input, Mapping):
        return {name: shapes_of(one) for name, one in input.items()}  # type: ignore[misc]
    if isinstance(input, Sequence) and any(isinstance(one, torch.Tensor) for one in input):
        return tuple(shapes_of(one) for one in input)  # type: ignore[return-value]
    given: Shapes = input
    return given

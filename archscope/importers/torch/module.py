"""nn.Module -> Graph, through torch.export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from archscope.importers.imported import Imported
from archscope.importers.torch.program import ProgramImporter
from archscope.importers.torch.tracing import Shapes, trace_module


def from_module(model: nn.Module, input: Any, name: str | None = None) -> Imported:
    """Return the graph of a module at inference, and its weights. Raises ArchscopeError.

    `input` is a shape without the batch, several of them, shapes by the names of forward's
    arguments, or tensors with the batch, in place of shapes.
    """
    program = trace_module(model, shapes_of(input))
    return ProgramImporter(program, model).imported(name or type(model).__name__)


def shapes_of(input: Any) -> Shapes:
    """Return shapes without the batch for tensors, or the shapes that were given."""
    if isinstance(input, torch.Tensor):
        return tuple(input.shape[1:])
    if isinstance(input, Mapping):
        return {name: shapes_of(part) for name, part in input.items()}  # type: ignore[misc]
    if isinstance(input, Sequence) and any(isinstance(part, torch.Tensor) for part in input):
        return tuple(shapes_of(part) for part in input)  # type: ignore[return-value]
    shapes: Shapes = input
    return shapes

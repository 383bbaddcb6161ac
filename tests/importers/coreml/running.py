"""What a network of a file computes, and counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

import archscope
from archscope.build import build
from archscope.ir import Graph
from archscope.sources import imported
from archscope.weights import state_dict_of
from tests.importers.coreml.writer import numbers


def computed(path: Path, *shape: int) -> tuple[Graph, Tensor, Tensor]:
    """Return the graph of a file, an input, and what the built network makes of it."""
    found = imported(str(path))
    network = build(found.graph).eval()
    network.load_state_dict(state_dict_of(found.graph, found.weights()))
    x = torch.from_numpy(numbers(*shape, seed=1))
    with torch.no_grad():
        return found.graph, x, network(x)


def params(graph: Graph) -> int | None:
    """Return the number of params."""
    return archscope.analyze(graph).totals.params


def torch_of(array: Any) -> Tensor:
    """Return an array as a tensor."""
    return torch.from_numpy(numpy.ascontiguousarray(array, numpy.float32))

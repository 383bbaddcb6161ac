"""What a network of a file computes and counts, beside what it was written for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy
import torch
from torch import Tensor

import archscope
from archscope.build import build
from archscope.ir import Graph
from archscope.sources import imported
from archscope.weights import state_dict_of

Reference = Callable[[Tensor], Tensor]
Make = TypeVar("Make")


class Cases(dict[str, tuple[Make, Reference, int]], Generic[Make]):
    """How networks are written, what they compute, and their params, by name."""

    def of(self, params: int, reference: Reference) -> Callable[[Make], Make]:
        """Add a case under the name of the function that writes it."""

        def register(make: Make) -> Make:
            self[getattr(make, "__name__", "")] = make, reference, params
            return make

        return register


def numbers(*shape: int, seed: int = 0) -> Any:
    """Return random weights in single precision."""
    return numpy.random.default_rng(seed).normal(size=shape).astype(numpy.float32)


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

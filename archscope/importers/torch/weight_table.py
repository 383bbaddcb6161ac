"""Which weights the values of a program are computed from, and which layers own them."""

from __future__ import annotations

import torch

from archscope.importers.torch.aten import COPIES, FREE, RESHAPES, Cost, aten_cost
from archscope.importers.torch.batch import Batch
from archscope.ir import Op
from archscope.ops.foreign import Foreign, Recognised, Tensor


class WeightTable:
    """The parameters and buffers of a program, and the constants that are computed from them."""

    def __init__(self, program: torch.export.ExportedProgram, batch: Batch) -> None:
        self.batch = batch
        signature = program.graph_signature
        self.tensors = dict(program.state_dict)
        self.params = set(signature.inputs_to_parameters.values())
        self.buffers = set(signature.inputs_to_buffers.values())
        self.sources: dict[str, frozenset[str]] = {}  # weights and operators behind each constant
        self.costs: dict[str, Cost] = {}  # of operators on weights alone
        self.claimed: set[str] = set()  # weights and operators that some layer has
        self.owners: dict[tuple[str, ...], tuple[Op, str]] = {}

    def constant(self, name: str, foreign: Foreign) -> Tensor:
        """Return the result of an operator that no input decides."""
        tensors = foreign.tensors if not foreign.ins else ()
        if foreign.target in COPIES and tensors:
            return tensors[0]
        if foreign.target in RESHAPES and tensors and tensors[0].name in self.tensors:
            path, shape = tensors[0].name, tensors[0].shape
            if _long_axes(shape) == _long_axes(foreign.out):
                return Tensor(path, foreign.out, True)  # the same numbers along the same axes
        sources = frozenset().union(*(self.sources[tensor.name] for tensor in tensors))
        cost = FREE if foreign.ins else aten_cost(foreign)
        if self.batch.alike and self.batch.without(foreign.out) != foreign.out:
            cost = cost.per_image(self.batch.size)
        if cost != FREE:
            self.costs[name] = cost
            sources |= {name}
        self.sources[name] = sources
        return Tensor(name, foreign.out, True)

    def claim(self, foreign: Foreign) -> frozenset[str]:
        """Return the sources of an operator's constants that no layer had before."""
        read = (self.sources[tensor.name] for tensor in foreign.tensors if tensor.constant)
        new = frozenset().union(*read) - self.claimed
        self.claimed |= new
        return new

    def fit(self, found: Recognised) -> bool:
        """Return whether a layer can have its weights: they exist, and no other kind has them."""
        paths = paths_of(found)
        if not all(path in self.tensors for path in paths):
            return False
        if paths not in self.owners:
            return not self.claimed.intersection(paths)
        return self.owners[paths][0] == found.op

    def own(self, key: str, op: Op, paths: tuple[str, ...]) -> str | None:
        """Return the layer that has the weights already, or note that this one has them now."""
        if paths in self.owners:
            return self.owners[paths][1]
        self.owners[paths] = op, key
        self.claimed.update(paths)
        return None


def paths_of(found: Recognised) -> tuple[str, ...]:
    """Return the paths of a layer's weights."""
    return tuple(weight.name for weight in found.weights.values())


def _long_axes(shape: tuple[int, ...]) -> list[int]:
    return [size for size in shape if size != 1]

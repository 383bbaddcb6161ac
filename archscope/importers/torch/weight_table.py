"""Which weights the values of a program are computed from, and which layers own them."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from msgspec import structs
from torch import fx

from archscope.importers.torch.aten import (
    COPIES,
    FREE,
    RESHAPES,
    VIEWS,
    Cost,
    aten_cost,
    name_of,
)
from archscope.importers.torch.batch import Batch
from archscope.importers.torch.computed import FILLS, ComputedConstants
from archscope.ir import Op
from archscope.ops.foreign import Foreign, Recognised, Tensor

FEW = 1 << 10
"""Numbers in a constant whose values operators are told."""

LARGEST = 1 << 26
"""Numbers in a constant that is computed."""


class WeightTable:
    """The parameters and buffers of a program, and the constants that are computed from them."""

    def __init__(self, program: torch.export.ExportedProgram, batch: Batch) -> None:
        self.batch = batch
        signature = program.graph_signature
        self.tensors: dict[str, Any] = {**program.constants, **program.state_dict}
        self.params = set(signature.inputs_to_parameters.values())
        self.buffers = set(signature.inputs_to_buffers.values())
        self.sources: dict[str, frozenset[str]] = {}  # weights and operators behind each constant
        self.costs: dict[str, Cost] = {}  # of operators on weights alone
        self.claimed: set[str] = set()  # weights and operators that some layer has
        self.owners: dict[tuple[str, ...], tuple[Op, str]] = {}
        self.computed = ComputedConstants(batch)
        self.new_params: dict[str, int] = {}  # of layers whose weights are computed
        self.folded: dict[str, frozenset[str]] = {}  # weights that are functions of parameters
        self.moved: set[str] = set()  # constants that are a part of a weight in another order

    def placeholder(self, node: fx.Node, path: str, shape: tuple[int, ...]) -> Tensor:
        """Return a weight or a constant of the program."""
        weight = path in self.params or path in self.buffers
        self.sources[path] = frozenset({path}) if weight else frozenset()
        tensor = self.tensors[path]
        self.computed.known[node] = tensor
        small = tensor.numel() <= FEW and tensor.device.type != "meta"
        known = small and (not weight or not tensor.is_floating_point())
        value = _nested(tensor.tolist()) if known else None
        return Tensor(path, shape, True, value, path in self.params)

    def constant(self, node: fx.Node, foreign: Foreign) -> Tensor:
        """Return the result of an operator that no input decides."""
        tensors = foreign.tensors if not foreign.ins else ()
        if foreign.target in COPIES and tensors:
            return tensors[0]
        if foreign.target in RESHAPES and tensors and tensors[0].name in self.tensors:
            first, shape = tensors[0], tensors[0].shape
            if _long_axes(shape) == _long_axes(foreign.out):  # the same numbers along the same axes
                return structs.replace(first, shape=foreign.out)
        if foreign.target == "aten.expand.default" and self._is_for_each_image(foreign):
            return tensors[0]
        name = self.computed.name(node, foreign)
        if name in self.sources:  # computed before
            return self.computed.results[name]
        if self._only_moves(foreign):
            self.moved.add(name)
        sources = frozenset().union(*(self.sources[tensor.name] for tensor in tensors))
        cost = FREE if foreign.ins else aten_cost(foreign)
        if self.batch.alike and self.batch.without(foreign.out) != foreign.out:
            cost = cost.per_image(self.batch.size)
        if cost != FREE:
            self.costs[name] = cost
            sources |= {name}
        self.sources[name] = sources
        learned = bool((sources & self.params) - self.claimed)
        shape, size = foreign.out, self.batch.size
        if self.batch.alike and shape[:1] == (size,) and not foreign.ins:
            shape = (1, *shape[1:])  # it is the same for all images, or `value` says no
        result = Tensor(name, shape, True, _fill(foreign), learned, foreign)
        self.computed.results[name] = result
        return result

    def _only_moves(self, foreign: Foreign) -> bool:
        """Return whether an operator gives a part of a weight, each number at most once."""
        if name_of(foreign.target) not in VIEWS | {"reshape", "flatten", "contiguous", "clone"}:
            return False
        tensors = foreign.tensors
        if foreign.ins or len(tensors) != 1 or prod(foreign.out) > prod(tensors[0].shape):
            return False
        return tensors[0].name in self.tensors or tensors[0].name in self.moved

    def _is_for_each_image(self, foreign: Foreign) -> bool:
        """Return whether a constant is repeated for each image, and not otherwise."""
        shape, out = foreign.tensors[0].shape, foreign.out
        return self.batch.alike and shape[:1] == (1,) and out == (self.batch.size, *shape[1:])

    def claim(self, foreign: Foreign) -> frozenset[str]:
        """Return the sources of an operator's constants that no layer had before."""
        read = (self.sources[tensor.name] for tensor in foreign.tensors if tensor.constant)
        new = frozenset().union(*read) - self.claimed
        self.claimed |= new
        return new

    def fit(self, found: Recognised) -> bool:
        """Return whether a layer can have its weights: they exist, and no other kind has them."""
        if not all(map(self._exists, found.weights.values())):
            return False
        paths = paths_of(found)
        if not self._are_learned(found):
            return False
        if paths not in self.owners:
            return not self.claimed.intersection(paths)
        return self.owners[paths][0] == found.op

    def _are_learned(self, found: Recognised) -> bool:
        """Return whether the weights of a layer are parameters where it learns them."""
        ins = tuple(self.batch.without(tensor.shape) for tensor in found.inputs)
        learned = sum(prod(weight.shape) for weight in found.weights.values() if weight.learned)
        return found.op.params(*ins) == learned

    def _exists(self, weight: Tensor) -> bool:
        """Return whether there is a weight, having computed it if need be.

        What is computed of parameters stands for them, unless products are computed, which would
        be left out. The layer counts the parameters, not the numbers that are computed.
        """
        name = weight.name
        if name in self.tensors:
            return True
        if any(self.costs[s].macs != 0 for s in self.sources[name] if s in self.costs):
            return False
        params = self.sources[name] & self.params
        small = prod(self.batch.without(weight.shape)) <= LARGEST
        value = self.computed.value(name) if small else None
        if value is None:
            return False
        self.tensors[name] = value
        if params:
            self.folded[name] = params
        return True

    def own(self, key: str, op: Op, paths: tuple[str, ...]) -> str | None:
        """Return the layer that has the weights already, or note that this one has them now."""
        if paths in self.owners:
            return self.owners[paths][1]
        self.owners[paths] = op, key
        if any(path in self.folded for path in paths):
            read = {source for path in paths for source in self.folded.get(path, (path,))}
            new = (read & self.params) - self.claimed
            self.new_params[key] = sum(self.tensors[path].numel() for path in new)
        self.claimed.update(paths)
        for path in paths:
            self.claimed.update(self.folded.get(path, ()))
        return None


def _nested(values: Any) -> Any:
    return tuple(map(_nested, values)) if isinstance(values, list) else values


def _fill(foreign: Foreign) -> float | None:
    """Return the number that a constant has everywhere, None if it has several."""
    name = name_of(foreign.target)
    fill = "value" if name == "fill" else FILLS.get(name)
    number = foreign.get(fill) if isinstance(fill, str) else fill
    number = number.value if isinstance(number, Tensor) else number
    return number if isinstance(number, int | float) else None


def paths_of(found: Recognised) -> tuple[str, ...]:
    """Return the paths of a layer's weights."""
    return tuple(weight.name for weight in found.weights.values())


def _long_axes(shape: tuple[int, ...]) -> list[int]:
    return [size for size in shape if size != 1]

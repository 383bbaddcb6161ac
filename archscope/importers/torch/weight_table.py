"""Track the weights that values of a program are computed from, and the layers that own them."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from msgspec import Struct, structs
from torch import fx

from archscope.importers.aten.batch import Batch
from archscope.importers.aten.names import name_of
from archscope.importers.torch.aten import COPIES, FREE, RESHAPES, VIEWS, Cost, aten_cost
from archscope.importers.torch.computed import FILLS, ComputedConstants
from archscope.ir import Shape
from archscope.ops.foreign import Foreign, Recognised, Tensor

FEW = 1 << 10
"""The maximum size of constants whose values are passed to operators."""

MOST_PLACES = 1 << 16
"""The maximum size of those of whole numbers: the places that an operator selects."""

LARGEST = 1 << 26
"""The maximum size of computed constants."""


class Left(Struct, frozen=True):
    """The part of a parameter that no layer has yet, and the first layer that reads it."""

    key: str
    params: int


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
        self.claimed: set[str] = set()  # weights and operators owned by layers
        self.owners: dict[tuple[str, ...], dict[object, str]] = {}  # layers by kinds of weights
        self.computed = ComputedConstants(batch, self.tensors.keys())
        self.new_params: dict[str, int] = {}  # of layers whose weights are computed or copies
        self.stored: dict[str, int] = {}  # bytes of layers that have a part of complex numbers
        self.macs: dict[str, int] = {}  # of the products that compute weights of layers
        self.folded: dict[str, frozenset[str]] = {}  # weights computed from parameters
        self.left: dict[str, Left] = {}  # of parameters that layers with computed weights read
        self.copied: set[str] = set()  # parameters of which several layers have a copy each
        self.moved: set[str] = set()  # constants that are a part of a weight in another order

    def placeholder(self, node: fx.Node, path: str, shape: tuple[int, ...]) -> Tensor:
        """Return a weight or a constant of the program."""
        weight = path in self.params or path in self.buffers
        self.sources[path] = frozenset({path}) if weight else frozenset()
        tensor = self.tensors[path]
        self.computed.known[node] = tensor
        most = MOST_PLACES if tensor.dtype == torch.int64 else FEW
        small = tensor.numel() <= most and tensor.device.type != "meta"
        known = small and (not weight or not tensor.is_floating_point())
        value = _nested(tensor.tolist()) if known else None
        return Tensor(path, shape, True, value, path in self.params)

    def constant(self, node: fx.Node, foreign: Foreign) -> Tensor:
        """Return the result of an operator that depends on no input."""
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
        learned = bool(sources & self.params)
        shape, size = foreign.out, self.batch.size
        if self.batch.alike and shape[:1] == (size,) and not foreign.ins:
            shape = (1, *shape[1:])  # the same for all images, otherwise `value` returns None
        value = _fill(foreign)
        if value is None and len(tensors) == 1 and name_of(foreign.target) in VIEWS:
            whole = tensors[0].value  # a part of what one number fills
            value = whole if isinstance(whole, int | float) and tensors[0].shape else None
        kind = node.meta["val"].dtype if value is None and not foreign.ins else None
        if kind == torch.int64 and 0 < prod(shape) <= MOST_PLACES:  # indices, which operators read
            numbers = self.computed.value(name)
            real = numbers is not None and numbers.device.type != "meta"
            value = _nested(numbers.tolist()) if numbers is not None and real else None
        result = Tensor(name, shape, True, value, learned, foreign)
        self.computed.results[name] = result
        return result

    def changed(self, node: fx.Node, tensor: Tensor, change: fx.Node, written: Tensor) -> Tensor:
        """Return a constant after a part of it was written in place."""
        name = self.computed.changed(node, change)
        sources = self.sources[tensor.name] | self.sources[written.name]
        self.sources[name] = sources
        return Tensor(name, tensor.shape, True, None, bool(sources & self.params))

    def _only_moves(self, foreign: Foreign) -> bool:
        """Return whether an operator returns a part of a weight without repetition."""
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
        """Return the sources of an operator's constants that no earlier layer has."""
        read = (self.sources[tensor.name] for tensor in foreign.tensors if tensor.constant)
        new = frozenset().union(*read) - self.claimed
        self.claimed |= new
        return new

    def fit(self, found: Recognised) -> bool:
        """Return whether the weights of a layer exist, and are learned if the layer learns."""
        if not all(map(self._exists, found.weights.values())):
            return False
        learned = sum(prod(weight.shape) for weight in found.weights.values() if weight.learned)
        return found.op.params(*self._ins(found)) == learned

    def _ins(self, found: Recognised) -> tuple[Shape, ...]:
        return tuple(self.batch.without(tensor.shape) for tensor in found.inputs)

    def _exists(self, weight: Tensor) -> bool:
        """Return whether a weight exists, and compute it if necessary.

        A computed weight replaces its parameters. The layer counts the parameters, not the computed
        values, and the macs of computing them, which must be known.
        """
        name = weight.name
        if name in self.tensors:
            return True
        if any(self.costs[source].macs is None for source in self._products(name)):
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

    def _new(self, path: str, key: str) -> int:
        """Return how many params of a weight no earlier layer has.

        If layers have parts of a parameter, the rest of it counts at the first of them.
        """
        count, part = 0, self.tensors[path].numel()
        for source in sorted(self.folded.get(path, (path,))):
            if source not in self.params:
                continue
            whole = self.tensors[source].numel()
            is_part = path in self.moved and part < whole
            left = self.left.get(source) or Left(key, 0 if source in self.claimed else whole)
            if source in self.claimed and not is_part:
                self.copied.add(source)
            taken = min(left.params, part) if is_part else left.params
            self.left[source] = Left(left.key, left.params - taken)
            count += taken
        return count

    def finish(self) -> None:
        """Count the rest of parameters that layers have parts of."""
        for left in self.left.values():
            self.new_params[left.key] += left.params

    def _products(self, name: str) -> set[str]:
        """Return the operators with macs behind a constant that no earlier layer has."""
        new = self.sources.get(name, frozenset()) - self.claimed
        return {source for source in new if source in self.costs and self.costs[source].macs != 0}

    def own(self, key: str, found: Recognised) -> str | None:
        """Return the layer that already has the weights, or record this one as their owner.

        A layer that needs weights of an earlier one in another form has a copy of them.
        """
        paths = paths_of(found)
        known, kind = self.owners.setdefault(paths, {}), found.op.weights_key(*self._ins(found))
        if kind in known:
            return known[kind]
        known[kind] = key
        read = {source for path in paths for source in self.folded.get(path, (path,))}
        if read & self.claimed or any(path in self.folded for path in paths):
            self.new_params[key] = sum(self._new(path, key) for path in dict.fromkeys(paths))
        if any(self.tensors[source].is_complex() for source in read):
            new = (path for path in dict.fromkeys(paths) if path not in self.claimed)
            self.stored[key] = sum(self.tensors[path].nbytes for path in new)
        products = set[str]().union(*map(self._products, paths))
        self.macs[key] = sum(self.costs[source].macs or 0 for source in products)
        self.claimed |= {*paths, *read, *products}
        return None


def _nested(values: Any) -> Any:
    return tuple(map(_nested, values)) if isinstance(values, list) else values


def _fill(foreign: Foreign) -> float | None:
    """Return the number that fills a constant, None if it has several values."""
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

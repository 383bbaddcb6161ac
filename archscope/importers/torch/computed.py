"""Compute the values of constants that a program derives from weights, buffers and numbers."""

from __future__ import annotations

from collections.abc import Collection
from operator import getitem
from typing import Any

import torch
from torch import fx

from archscope.importers.aten.batch import Batch
from archscope.importers.aten.names import name_of
from archscope.importers.torch.functional import memory, written
from archscope.ops.foreign import Foreign, Tensor

FILLS = {
    "zeros": 0, "zeros_like": 0, "new_zeros": 0, "ones": 1, "ones_like": 1, "new_ones": 1,
    "full": "fill_value", "full_like": "fill_value", "new_full": "fill_value",
    "scalar_tensor": "s", "empty": None, "empty_like": None, "new_empty": None,
}  # fmt: skip
"""Operators that fill a tensor with a value: the value, or the argument that holds it, if known."""


class ComputedConstants:
    """Constants that a program computes, and their values on demand."""

    def __init__(self, batch: Batch, taken: Collection[str] = ()) -> None:
        self.batch, self.taken = batch, taken  # names of weights, buffers and constants
        self.known: dict[fx.Node, Any] = {}  # weights, buffers and constants of the program
        self.nodes: dict[str, fx.Node] = {}
        self.until: dict[str, fx.Node] = {}  # the last change of those that are changed in place
        self.names: dict[tuple[str, str], str] = {}  # by what is computed of what
        self.results: dict[str, Tensor] = {}

    def name(self, node: fx.Node, foreign: Foreign) -> str:
        """Return the name of a constant: that of the first node that computes the same value."""
        own = node.name
        while own in self.taken:  # a parameter is called like an operator: `exp`, `t`
            own += "_"
        self.nodes.setdefault(own, node)
        draws = any(word in foreign.target for word in ("rand", "bernoulli", "empty", "dropout"))
        read = {word: _without_origin(value) for word, value in foreign.args.items()}
        key = (foreign.target, repr((read, foreign.out)))
        known = isinstance(node.target, torch._ops.OpOverload) or node.target is getitem
        if draws or not known or written(node) or foreign.ins or not foreign.tensors:
            return own  # tensors without inputs may be filled later
        return self.names.setdefault(key, own)

    def changed(self, node: fx.Node, change: fx.Node) -> str:
        """Return a new name of a constant, after a change in place."""
        name = f"{node.name}:{change.name}"
        self.nodes[name], self.until[name] = node, change
        return name

    def value(self, name: str) -> torch.Tensor | None:
        """Return the values of a constant for one image, None if they cannot be computed.

        What depends on the batch must be the same for each image.
        """
        node = self.nodes.get(name)
        if node is None:
            return None
        try:
            value = self._computed(node, 1, self.until.get(name))
            of_batch = any(map(self._is_of_batch, node.meta["val"].shape))
            if self.batch.alike and of_batch and value.device.type != "meta":
                both = self._computed(node, 2, self.until.get(name))
                axis = next(a for a, n in enumerate(node.meta["val"].shape) if self._is_of_batch(n))
                if not _are_close(both, torch.cat([value, value], dim=axis)):
                    return None
        except Exception:  # a part depends on the input, is random, or does not fit into memory
            return None
        return value.detach().clone() if isinstance(value, torch.Tensor) else None

    def _is_of_batch(self, size: Any) -> bool:
        return isinstance(size, int) and size > 0 and size % self.batch.size == 0

    def _computed(self, target: fx.Node, images: int, until: fx.Node | None) -> Any:
        """Return the value of a node for some images; in-place writes are repeated on copies."""
        values = dict(self.known)
        with torch.no_grad():
            for node in self._needed(target, until or target):
                if node in values:
                    continue
                if node.op != "call_function":
                    raise KeyError(node.name)
                if name_of(str(node.target)) in FILLS:
                    values[node] = self._filled(node, images)
                    continue
                args, kwargs = fx.node.map_aggregate(
                    (node.args, node.kwargs), lambda part: self._argument(part, values, images)
                )
                values[node] = node.target(*args, **kwargs)  # type: ignore[operator]
        return values[target]

    def _argument(self, part: Any, values: dict[fx.Node, Any], images: int) -> Any:
        if isinstance(part, fx.Node):
            return values[part]
        if self.batch.alike and self._is_of_batch(part):
            return part // self.batch.size * images
        return part

    def _filled(self, node: fx.Node, images: int) -> torch.Tensor:
        """Return a tensor of one number, which may have its kind from a value of the input."""
        fill, kind = FILLS[name_of(str(node.target))], node.meta["val"]
        place = {"full": 1, "new_full": 2, "full_like": 1, "scalar_tensor": 0}
        if fill is None:
            raise KeyError(node.name)
        number: Any = fill
        if isinstance(fill, str):
            at = place[name_of(str(node.target))]
            number = node.args[at] if len(node.args) > at else node.kwargs[fill]
        shape = [self._argument(int(size), {}, images) for size in kind.shape]
        return torch.full(shape, number, dtype=kind.dtype)

    def _needed(self, target: fx.Node, until: fx.Node) -> list[fx.Node]:
        """Return what a node is computed from, in order, with all that writes into it before."""
        before = []
        for node in target.graph.nodes:
            before.append(node)
            if node is until:
                break
        needed, owners = set(), set()

        def need(node: fx.Node) -> None:
            needed.add(node)
            owners.add(_owner(node))
            if node in self.known or name_of(str(node.target)) in FILLS:
                return
            for source in node.all_input_nodes:
                needed.add(source)
                owners.add(_owner(source))

        need(target)
        for node in reversed(before):
            if node in needed or any(_owner(value) in owners for value in written(node)):
                if any(_owner(value) in self.known for value in written(node)):
                    raise ValueError("a weight is changed")
                need(node)
        return [node for node in before if node in needed]


def _are_close(left: torch.Tensor, right: torch.Tensor) -> bool:
    """Return whether values are equal up to the rounding of sums in another order."""
    if torch.equal(left, right):
        return True
    return left.is_floating_point() and torch.allclose(left, right, 1e-4, 1e-6, equal_nan=True)


def other_names(node: fx.Node) -> list[fx.Node]:
    """Return the nodes with the memory of a node, the owner of the memory first."""
    owner = _owner(node)
    found = [owner]
    for name in found:
        found += (user for user in name.users if _owner(user) is owner and user not in found)
    return found


def _owner(node: fx.Node) -> fx.Node:
    """Return the first node with the memory of a node."""
    while True:
        source = node.args[0] if node.target is getitem else None
        source = source or next((value for value, _ in memory(node)), None)
        if not isinstance(source, fx.Node):
            return node
        node = source


def _without_origin(value: Any) -> Any:
    """Return an argument by the names of its tensors."""
    if isinstance(value, tuple | list):
        return tuple(map(_without_origin, value))
    return (value.name, value.shape) if isinstance(value, Tensor) else value

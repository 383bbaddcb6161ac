"""Follow tensors that several batches are joined to, one after the other, as by `cat([a, b], 0)`.

Siamese networks, optical flow and test-time augmentation run all their images through a layer in
this way, and split its result. For one image, the layer is applied to each of them in turn.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

CATS = {torch.cat, torch.concat, torch.concatenate}
PIECES = {"chunk": 2, "split": 2, "split_with_sizes": 2, "tensor_split": 2}
"""Functions that cut a tensor into consecutive pieces, with the index of the axis argument."""
SHAPES = {"view", "reshape", "unflatten"}
"""Functions whose numbers are sizes, including those of the batch."""
IN_ORDER = {*SHAPES, "flatten", "repeat_interleave"}
"""Functions that may give each image another number of rows."""

Known = Mapping[int, tuple[Tensor, Sequence[Tensor]]]
"""The batches of joined tensors by their id, with the tensor itself, so that it is kept."""


class SomeImagesError(Exception):
    """A part of the images is taken out of the batch."""


class JoinedBatches:
    """The joined tensors of a trace, with the batches that each of them consists of.

    `leads` returns whether the first axis of a value has the images of a batch, and `run` calls a
    function as a part of the trace.
    """

    def __init__(self, leads: Callable[[Any], bool], run: Callable[..., Any]) -> None:
        self.leads, self.run = leads, run
        self.known: dict[int, tuple[Tensor, Sequence[Tensor]]] = {}
        self.pieces: dict[int, tuple[Tensor, set[int]]] = {}  # copies of batches, and their memory
        self.stale: dict[int, Tensor] = {}  # what a change of another tensor would have changed

    def result(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Return the result of a function that joins batches or reads joined ones, None of others.

        It is also None where it cannot be computed for each batch by itself. Raises SomeImagesError
        if a tensor is read after another one was changed that has the same memory in torch.
        """
        if self._is_stale((args, kwargs)):
            if memory_of(func(*args, **kwargs)):  # not only its sizes
                raise SomeImagesError
            return None
        name = getattr(func, "__name__", "")
        if func in CATS and not (args[1] if len(args) > 1 else kwargs.get("dim", 0)):
            return self._concatenated(args[0])
        if name == "repeat" and self.leads(args[0]):
            return self._repeated(args[0], *args[1:])
        if not self.known:
            return None
        try:
            if is_in_place(func, name, args, kwargs):
                return self._changed(func, args, kwargs)
            given = self._given((args, kwargs))
            if not given or len({len(parts) for _, parts in given}) > 1 or "out" in kwargs:
                return None
            found = None
            if given[0][0] is args[0]:
                found = self._taken_apart(func, name, args, kwargs)
            return self._of_each(func, name, args, kwargs) if found is None else found
        except Exception:  # the function cannot be applied to one batch
            return None

    def check_returned(self, values: Any) -> None:
        """Raise SomeImagesError if a result of the network is one that may not be read either."""
        if self._is_stale(values):
            raise SomeImagesError

    def _is_stale(self, values: Any) -> bool:
        return bool(self.stale) and not self.stale.keys().isdisjoint(memory_of(values))

    def _given(self, values: Any) -> list[tuple[Tensor, Sequence[Tensor]]]:
        return [self.known[id(leaf)] for leaf in tree_leaves(values) if id(leaf) in self.known]

    def _join(self, *parts: Tensor) -> Tensor:
        if len(parts) == 1:
            return parts[0]
        whole = torch.cat(parts)
        self.known[id(whole)] = whole, parts
        return whole

    def _concatenated(self, tensors: Sequence[Tensor]) -> Tensor | None:
        """Return batches of the same shape joined along their first axis."""
        if len(tensors) < 2 or not all(map(self.leads, tensors)):
            return None
        parts = [part for tensor in tensors for part in self._batches(tensor)]
        return self._join(*parts) if len({tuple(part.shape) for part in parts}) == 1 else None

    def _repeated(self, x: Tensor, *sizes: Any) -> Tensor | None:
        """Return a batch that is joined to itself."""
        times, *rest = map(int, sizes[0] if isinstance(sizes[0], list | tuple) else sizes)
        if times < 2 or len(rest) + 1 != x.dim() or any(size != 1 for size in rest):
            return None
        return self._join(*(*self._batches(x),) * times)

    def _batches(self, x: Tensor) -> Sequence[Tensor]:
        return self.known[id(x)][1] if id(x) in self.known else (x,)

    def _taken_apart(self, func: Callable[..., Any], name: str, args: Any, kwargs: Any) -> Any:
        """Return some of the batches, or all along a new axis, if that is what a function does."""
        _, parts = self.known[id(args[0])]
        rows = len(parts[0])
        if name == "__getitem__":
            return self._sliced(parts, args[1])
        if name in SHAPES:
            shape = func(*args, **kwargs).shape
            if tuple(shape[:2]) != (len(parts), rows):
                return None
            return self.run(torch.stack, [part.reshape(shape[1:]) for part in parts])
        place = PIECES.get(name)
        if place is None or (args[place] if len(args) > place else kwargs.get("dim", 0)):
            return None
        sizes = [len(piece) for piece in func(*args, **kwargs)]
        if any(size % rows for size in sizes):
            return None
        left = iter(parts)
        return tuple(self._piece([next(left) for _ in range(size // rows)]) for size in sizes)

    def _piece(self, parts: Sequence[Tensor]) -> Tensor:
        """Return some of the batches of a joined tensor, as a tensor with memory of its own."""
        piece = self._join(*parts) if len(parts) > 1 else parts[0].clone()
        self.pieces |= dict.fromkeys(memory_of(piece), (piece, memory_of(parts)))
        return piece

    def _sliced(self, parts: Sequence[Tensor], key: Any) -> Tensor | None:
        """Return a slice of whole batches, None for any other part of a joined tensor."""
        first, *rest = key if isinstance(key, tuple) else (key,)
        if not isinstance(first, slice):
            return None
        rows = len(parts[0])
        start, stop, step = first.indices(rows * len(parts))
        if step != 1 or start % rows or stop % rows or start >= stop:
            return None
        chosen = parts[start // rows : stop // rows]
        return self._piece([part[(slice(None), *rest)] if rest else part for part in chosen])

    def _of_each(self, func: Callable[..., Any], name: str, args: Any, kwargs: Any) -> Any:
        """Return the joined results of a function on each batch."""
        count = len(self._given((args, kwargs))[0][1])
        results = []
        for place in range(count):
            own, words = _of_batch(self.known, (args, kwargs), place, name)
            results.append(self.run(func, *own, **words))
        rows = {len(parts[0]) for _, parts in self._given((args, kwargs))}
        for result in tree_leaves(results):
            if not self.leads(result) or (name not in IN_ORDER and len(result) not in rows):
                return None
        return tree_map(self._join, *results)

    def _changed(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Return a joined tensor that a function changes in place, as it does each batch.

        What is known of others with the same memory is dropped.
        """
        known = self.known
        self._forget(args[0])
        if id(args[0]) not in known:
            return None
        whole, parts = known[id(args[0])]
        parts = [part.clone() for part in parts]
        for place, part in enumerate(parts):
            (_, *own), words = _of_batch(known, (args, kwargs), place)
            self.run(func, part, *own, **words)
        whole.copy_(torch.cat(parts))
        self.known[id(whole)] = whole, parts
        return whole

    def _forget(self, x: Tensor) -> None:
        """Drop what is known of tensors with the memory of one that changes."""
        own, (_, parts) = memory_of(x), self.known.get(id(x), (x, ()))
        taken = [self.pieces[key][1] for key in own & self.pieces.keys()]
        memory = own.union(memory_of(parts), *taken)
        gone = {key for key, found in self.known.items() if memory & memory_of(found)}
        if id(x) in gone or taken:
            others = [self.known[key][0] for key in gone]
            others += [piece for piece, of in self.pieces.values() if memory & of]
            for other in others:
                self.stale |= dict.fromkeys(memory_of(other) - own, other)
        self.known = {key: found for key, found in self.known.items() if key not in gone}


def memory_of(values: Any) -> set[int]:
    """Return the memory of all tensors in a value."""
    tensors = (leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor))
    return {tensor.untyped_storage()._cdata for tensor in tensors}


def is_in_place(func: Callable[..., Any], name: str, args: Any, kwargs: Any) -> bool:
    """Return whether a function changes its first argument."""
    if name == "__setitem__" or (name.endswith("_") and not name.endswith("__")):
        return True
    try:
        return bool(inspect.signature(func).bind(*args, **kwargs).arguments.get("inplace"))
    except (TypeError, ValueError):  # a function of C, which has its own name if it is in place
        return False


def _of_batch(known: Known, values: Any, place: int, name: str = "") -> Any:
    """Return the arguments of a function, with the batch at a place instead of joined tensors."""
    whole, parts = next(known[id(x)] for x in tree_leaves(values) if id(x) in known)
    count = len(parts)

    def part_of(value: Any) -> Any:
        if id(value) in known:
            return known[id(value)][1][place]
        if isinstance(value, Tensor) and value.dim() and len(value) == len(whole):
            return value.chunk(count)[place]
        if name in SHAPES and type(value) is int and value % len(whole) == 0:
            return value // count
        return value

    return tree_map(part_of, values)

"""Follow rows that a sequence is merged to step by step, (T, N, C) to (T * N, C).

Text recognition such as CRNN applies linear layers and batch norms to them. The rows of one image
do not follow each other, so the same is computed on rows that do: (N, T, C) to (N * T, C).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from archscope.importers.torch.joined_batches import SHAPES, is_in_place

MERGING = {*SHAPES, "flatten"}
"""Functions that may merge the first two axes."""


class RowsOfSteps:
    """The merged sequences of a trace, each with the same rows image by image.

    `leads` returns whether the first axis of a value has the `images` of a batch, and `run` calls
    a function as a part of the trace.
    """

    def __init__(self, images: int, leads: Callable[[Any], bool], run: Callable[..., Any]) -> None:
        self.images, self.leads, self.run = images, leads, run
        self.known: dict[int, tuple[Tensor, Tensor]] = {}  # with the tensor itself

    def result(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Return the result of a function that merges steps or reads merged ones, else None."""
        name = getattr(func, "__name__", "")
        try:
            if name in MERGING and id(args[0]) not in self.known:
                return self._merged(func, args, kwargs)
            if not self.known:
                return None
            if is_in_place(func, name, args, kwargs):
                return self._changed(func, args, kwargs)
            given = [leaf for leaf in tree_leaves((args, kwargs)) if id(leaf) in self.known]
            if not given:
                return None
            parted = self._parted(func, args, kwargs) if name in SHAPES else None
            return self._of_rows(func, args, kwargs, given[0]) if parted is None else parted
        except Exception:  # the function cannot be applied to them, or torch reports it
            return None

    def _merged(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Tensor | None:
        """Return the rows of a sequence, None if a reshape does something else."""
        x = args[0]
        if x.dim() < 2 or x.shape[1] != self.images or self.leads(x):
            return None
        merged: Tensor = func(*args, **kwargs)
        if tuple(merged.shape) != (x.shape[0] * self.images, *x.shape[2:]):
            return None
        self.known[id(merged)] = merged, self.run(torch.flatten, x.transpose(0, 1), 0, 1)
        return merged

    def _parted(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Return rows as a sequence again, None if a reshape does something else."""
        shape = func(*args, **kwargs).shape
        rows = self.known[id(args[0])][1]
        if shape[0] * self.images != len(rows) or shape[1] != self.images:
            return None
        return self.run(torch.reshape, rows, (shape[1], shape[0], *shape[2:])).transpose(0, 1)

    def _changed(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Tensor | None:
        """Return rows that a function without other tensors changes in place.

        What is known of all others is dropped, as they may share memory with them.
        """
        known, self.known = self.known, {}
        others = tree_leaves((args[1:], kwargs))
        if id(args[0]) not in known or any(isinstance(leaf, Tensor) for leaf in others):
            return None
        whole, rows = known[id(args[0])]
        rows = rows.clone()
        self.run(func, rows, *args[1:], **kwargs)
        whole.copy_(self._by_step(rows))
        self.known = {id(whole): (whole, rows)}
        return whole

    def _by_step(self, rows: Tensor) -> Tensor:
        """Return rows in the order of the steps."""
        apart = torch.unflatten(rows, 0, (self.images, -1))
        merged = apart.transpose(0, 1).flatten(0, 1)
        self.known[id(merged)] = merged, rows
        return merged

    def _of_rows(self, func: Callable[..., Any], args: Any, kwargs: Any, whole: Tensor) -> Any:
        """Return the result of a function on each row, None if it is no function of rows."""
        for leaf in tree_leaves((args, kwargs)):
            rows = isinstance(leaf, Tensor) and leaf.dim() and len(leaf) == len(whole)
            if rows and id(leaf) not in self.known:
                return None  # in the other order

        def by_image(leaf: Any) -> Any:
            return self.known[id(leaf)][1] if id(leaf) in self.known else leaf

        own, words = tree_map(by_image, (args, kwargs))
        result = self.run(func, *own, **words)
        if not all(self.leads(x) and len(x) == len(whole) for x in tree_leaves(result)):
            return None
        return tree_map(self._by_step, result)

"""Turn a user's description of a module's inputs into the arguments of its `forward`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from msgspec import Struct
from torch import nn
from torch.utils._pytree import tree_leaves, tree_map

from archscope.errors import OptionError
from archscope.ir import Shape, text_of


class Given(Struct, frozen=True):
    """A tensor argument: its sizes, and the axis of the batch, if any."""

    shape: Shape  # without the batch
    axis: int | None = 0
    dtype: torch.dtype | None = None  # if different from that of the module

    def sizes(self, batch: int) -> tuple[int, ...]:
        """Return the shape with the batch."""
        if self.axis is None:
            return self.shape
        return (*self.shape[: self.axis], batch, *self.shape[self.axis :])


class Arguments(Struct, frozen=True):
    """Positional and keyword arguments: tensors as `Given`, in tuples, lists and dicts."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def given(self) -> list[Given]:
        """The tensors in order."""
        return [part for part in tree_leaves((self.args, self.kwargs)) if isinstance(part, Given)]

    def tensors(self, batch: int, **place: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments for a batch; `place` has the device and dtype of the module.

        Tensors are filled with ones, which are also valid indices.
        """

        def tensor(part: Any) -> Any:
            if not isinstance(part, Given):
                return part
            dtype = {"dtype": part.dtype} if part.dtype else {}
            return torch.ones(part.sizes(batch), **{**place, **dtype})

        return tree_map(tensor, self.args), tree_map(tensor, self.kwargs)


def arguments_of(model: nn.Module, input: Any) -> Arguments:
    """Return the arguments for the `input` of `from_module`. Raises OptionError.

    Names of the arguments of `forward` mean these; any other dict is an argument itself, and so is
    a list of more than `forward` takes. The batch is the first axis of the first tensor; in other
    tensors it is the first axis of that size.
    """
    tensors = (part for part in tree_leaves(input) if isinstance(part, torch.Tensor))
    batch = next((tensor.shape[0] for tensor in tensors if tensor.dim()), None)
    tree = tree_map(lambda part: _given(part, batch), input, is_leaf=_is_shape)
    if not any(isinstance(part, Given) for part in tree_leaves(tree)):
        raise OptionError(
            "expected a shape such as (3, 224, 224), a tensor, or a tuple, list or dict of"
            f" these, got {input!r:.80}"
        )
    if isinstance(tree, Given):
        return Arguments((tree,), {})
    names = _names(model)
    if isinstance(tree, Mapping):
        by_name = names is None or not names.isdisjoint(tree)
        return Arguments((), dict(tree)) if by_name else Arguments((tree,), {})
    if names is not None and len(tree) > len(names):
        return Arguments((tree,), {})
    return Arguments(tuple(tree), {})


def _names(model: nn.Module) -> set[str] | None:
    """Return the names of the arguments of `forward`, None if it accepts any."""
    parameters = inspect.signature(model.forward).parameters.values()
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        return None
    return {parameter.name for parameter in parameters}


def _is_shape(part: Any) -> bool:
    return isinstance(part, tuple | list) and bool(part) and all(type(n) is int for n in part)


def _given(part: Any, batch: int | None) -> Any:
    """Return a tensor or a shape as `Given`; other values stay as they are."""
    if _is_shape(part):
        return Given(tuple(part))
    if not isinstance(part, torch.Tensor):
        return part
    shape = tuple(part.shape)
    axis = next((axis for axis, size in enumerate(shape) if size == batch), None)
    dtype = None if part.is_floating_point() else part.dtype
    return Given(shape if axis is None else shape[:axis] + shape[axis + 1 :], axis, dtype)


def listed(arguments: Arguments) -> str:
    """Return the shapes without the batch, for messages."""
    return ", ".join(text_of(part.shape) for part in arguments.given)

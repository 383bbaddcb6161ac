"""Functions of torch that select by a mask, expressed by arithmetic and operators of ours.

They depend on whether the mask is data or a constant: a fill by a constant mask is a product and a
sum, one by a mask that the network computes is an operator.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from archscope.importers.torch.spelled_products import IsData

LARGE = 1e30
"""Numbers beyond these count as infinite, as in masks of attention."""


def _masked_fill(is_data: IsData, x: Tensor, mask: Tensor, value: Any) -> Any:
    number = value.item() if isinstance(value, Tensor) and not value.dim() else value
    if not isinstance(number, int | float):
        raise NotImplementedError
    if not is_data(mask):
        filler = torch.zeros(mask.shape, dtype=x.dtype).masked_fill(mask, number)
        return (x * ~mask if abs(number) < LARGE else x) + filler
    raise NotImplementedError  # an operator of ours


def _masked_fill_in_place(is_data: IsData, x: Tensor, mask: Tensor, value: Any) -> Any:
    return x.copy_(_masked_fill(is_data, x, mask, value))


def _set(is_data: IsData, x: Tensor, key: Any, value: Any) -> None:
    """Set the elements that a mask chooses to a number, or places along an axis to values."""
    if isinstance(key, tuple) and isinstance(value, Tensor) and is_data(value):
        _put(x, key, value)
        return
    number = value.item() if isinstance(value, Tensor) and not value.dim() else value
    chosen = isinstance(key, Tensor) and key.dtype == torch.bool
    if not chosen or not isinstance(number, int | float) or key.dim() > x.dim():
        raise NotImplementedError
    mask = key.reshape(*key.shape, *(1,) * (x.dim() - key.dim()))
    if is_data(mask):
        x.masked_fill_(mask, number)
    else:
        _masked_fill_in_place(is_data, x, mask, number)


def _put(x: Tensor, key: tuple[Any, ...], value: Tensor) -> None:
    """Set listed places along one axis: they are selected from the tensor joined with the values.

    Raises NotImplementedError for any other key.
    """
    lists = [axis for axis, part in enumerate(key) if isinstance(part, list)]
    rest = [part for part in key if not isinstance(part, list)]
    if len(lists) != 1 or any(part != slice(None) for part in rest):
        raise NotImplementedError
    (axis,) = lists
    size = x.shape[axis]
    if any(not -size <= place < size for place in key[axis]):
        raise NotImplementedError  # torch's own function reports it
    order = {place: place for place in range(size)}
    order |= {place % size: size + at for at, place in enumerate(key[axis])}
    shape = (*x.shape[:axis], len(key[axis]), *x.shape[axis + 1 :])
    both = torch.cat([x, value.expand(shape)], axis)
    x.copy_(both.index_select(axis, torch.tensor([*order.values()])))


def _where(is_data: IsData, condition: Tensor, input: Any, other: Any) -> Any:
    """Select between a tensor and a number by arithmetic; torch's own needs two tensors."""
    numbers = [isinstance(part, int | float) for part in (input, other)]
    if not is_data(condition) and is_data(input) and is_data(other):
        return input * condition + other * ~condition
    if sum(numbers) == 2:
        return condition * (input - other) + other
    if sum(numbers) != 1:
        raise NotImplementedError
    x, mask, number = (input, ~condition, other) if numbers[1] else (other, condition, input)
    if is_data(mask):
        return x.masked_fill(mask, number)
    return _masked_fill(is_data, x, mask, number)


MASKS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.masked_fill: _masked_fill, torch.Tensor.masked_fill: _masked_fill, torch.where: _where,
    torch.Tensor.masked_fill_: _masked_fill_in_place, torch.Tensor.__setitem__: _set,
    torch.Tensor.where: lambda is_data, x, condition, other: _where(is_data, condition, x, other),
}  # fmt: skip
"""The functions and their expressions, which raise NotImplementedError for unsupported cases."""

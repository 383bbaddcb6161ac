"""Functions of torch that are spelled in others, for which there are operators of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def _scaled(x: Any, factor: Any) -> Any:
    return x if type(factor) in (int, float) and factor == 1 else x * factor


def _add(x: Tensor, other: Any, *, alpha: Any = 1) -> Any:
    return x + _scaled(other, alpha)


def _sub(x: Tensor, other: Any, *, alpha: Any = 1) -> Any:
    return x - _scaled(other, alpha)


def _addcmul(x: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Any:
    return x + _scaled(tensor1 * tensor2, value)


def _addcdiv(x: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Any:
    return x + _scaled(tensor1 / tensor2, value)


def _lerp(input: Tensor, end: Tensor, weight: Any) -> Any:
    return input + (end - input) * weight


def _celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Any:
    return functional.elu(input / alpha) * alpha


def _log_sigmoid(input: Tensor) -> Any:
    return -functional.softplus(-input)


def _softshrink(input: Tensor, lambd: float = 0.5) -> Any:
    return input - input.clamp(-lambd, lambd)


def _hardshrink(input: Tensor, lambd: float = 0.5) -> Any:
    return input * (input.abs() > lambd)


def _threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Any:
    mask = input > threshold
    return input * mask if value == 0 else input * mask + value * ~mask


def _masked_fill(x: Tensor, mask: Tensor, value: Any) -> Any:
    number = value.item() if isinstance(value, Tensor) and not value.dim() else value
    if not isinstance(number, int | float) or abs(number) > 1e30:
        raise NotImplementedError
    kept = x * ~mask
    return kept if number == 0 else kept + mask * number


def _where(condition: Tensor, input: Any, other: Any) -> Any:
    """Choose between a tensor and a number by arithmetic; torch's own takes two tensors."""
    numbers = [isinstance(part, int | float) and abs(part) < 1e30 for part in (input, other)]
    if sum(numbers) != 1:
        raise NotImplementedError
    if numbers[1]:
        return _masked_fill(input, ~condition, other)
    return _masked_fill(other, condition, input)


def _layer_norm(
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Any:
    """Normalise all of an image together, as a group norm of a single group."""
    if input.dim() < 3 or tuple(normalized_shape) != tuple(input.shape[1:]):
        raise NotImplementedError
    out = functional.group_norm(input, 1, None, None, eps)
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


def _lp_pool(
    input: Tensor, norm_type: Any, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Any:
    """Sum powers by a mean; torch's own form guards it by signs."""
    if norm_type not in (2, 4) or ceil_mode:
        raise NotImplementedError
    pool = {3: functional.avg_pool1d, 4: functional.avg_pool2d}.get(input.dim())
    if pool is None:
        raise NotImplementedError
    sizes = (kernel_size,) * (input.dim() - 2) if isinstance(kernel_size, int) else kernel_size
    taps = 1
    for size in sizes:
        taps *= size
    return (pool(input**norm_type, kernel_size, stride) * taps) ** (1 / norm_type)


SPELLED: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.addcmul: _addcmul, torch.Tensor.addcmul: _addcmul,
    torch.addcdiv: _addcdiv, torch.Tensor.addcdiv: _addcdiv,
    torch.lerp: _lerp, torch.Tensor.lerp: _lerp,
    functional.celu: _celu, functional.logsigmoid: _log_sigmoid,
    functional.softshrink: _softshrink, functional.hardshrink: _hardshrink,
    functional.threshold: _threshold, functional.layer_norm: _layer_norm,
    torch.masked_fill: _masked_fill, torch.Tensor.masked_fill: _masked_fill,
    torch.where: _where, functional.lp_pool1d: _lp_pool, functional.lp_pool2d: _lp_pool,
}  # fmt: skip
"""The functions and their spellings, which raise NotImplementedError for what they do not spell."""


def spelled(func: Callable[..., Any], args: Any, kwargs: Any) -> Callable[..., Any] | None:
    """Return what a function is spelled as, None if it is an operator itself."""
    if func in (torch.add, torch.Tensor.add, torch.sub, torch.Tensor.sub):
        several = isinstance(kwargs.get("alpha"), int | float) and kwargs["alpha"] != 1
        tensors = all(isinstance(part, Tensor) for part in args[:2]) and len(args) == 2
        found = _add if "add" in func.__name__ else _sub
        return found if several and tensors else None
    return SPELLED.get(func)

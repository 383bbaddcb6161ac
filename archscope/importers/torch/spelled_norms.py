"""Express norms with only a scale or a shift, or over whole images, by plainer ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.nn import functional


def _shaped(values: Tensor, x: Tensor) -> Tensor:
    """Reshape a value per channel so that it broadcasts over positions."""
    return values.view(1, -1, *(1 for _ in x.shape[2:]))


def _scaled_and_shifted(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """Return channels times factors, or plus shifts, if only one of them is there."""
    if (weight is None) == (bias is None):
        raise NotImplementedError
    return x * _shaped(weight, x) if weight is not None else x + _shaped(bias, x)  # type: ignore[arg-type]


def _batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    if (weight is None) == (bias is None):
        raise NotImplementedError
    kept = (running_mean, running_var, None, None, training, momentum, eps)
    return _scaled_and_shifted(functional.batch_norm(input, *kept), weight, bias)


def _instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    if (weight is None) == (bias is None) or not use_input_stats:
        raise NotImplementedError
    return _scaled_and_shifted(functional.instance_norm(input, eps=eps), weight, bias)


def _group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Any:
    if (weight is None) == (bias is None):
        raise NotImplementedError
    plain = functional.group_norm(input, num_groups, eps=eps)
    return _scaled_and_shifted(plain, weight, bias)


def _layer_norm(
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Any:
    """Normalise all of an image together, as a group norm of a single group."""
    if weight is None and bias is not None:
        return functional.layer_norm(input, normalized_shape, eps=eps) + bias
    if input.dim() < 3 or tuple(normalized_shape) != tuple(input.shape[1:]):
        raise NotImplementedError
    out = functional.group_norm(input, 1, None, None, eps)
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


NORMS: dict[Callable[..., Any], Callable[..., Any]] = {
    functional.batch_norm: _batch_norm, functional.instance_norm: _instance_norm,
    functional.group_norm: _group_norm, functional.layer_norm: _layer_norm,
}  # fmt: skip
"""The norms and their spellings, which raise NotImplementedError for what is an operator itself."""

"""Express layers on parts of images that are in the batch axis with an additional axis.

Windows, frames and rows are folded into the batch, (N * parts, C, ...), so that a torch layer
processes each of them separately. For one image they are an additional axis, (N, C, parts, ...),
along which kernels have size 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from archscope.importers.torch.spelled_kernels import own_kernels


def _apart(x: Tensor, batch: int, most: int = 4) -> Tensor:
    """Return (N * parts, C, ...) as (N, C, parts, ...).

    Raises NotImplementedError for tensors without parts, or with more than `most` axes.
    """
    if not 3 <= x.dim() <= most or x.shape[0] == batch or x.shape[0] % batch:
        raise NotImplementedError
    return torch.unflatten(x, 0, (batch, -1)).transpose(1, 2)


def _folded(x: Tensor) -> Tensor:
    """Return (N, C, parts, ...) as (N * parts, C, ...)."""
    return x.transpose(1, 2).flatten(0, 1)


def _more(value: Any, first: int | None, x: Tensor) -> tuple[Any, ...]:
    """Return a number for each spatial axis of a map, after that of the parts."""
    if isinstance(value, str):
        raise NotImplementedError
    values = (value,) if isinstance(value, int) else tuple(value)
    return (first, *(values * (x.dim() - 2) if len(values) == 1 else values))


def _conv(
    batch: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    if input.shape[0] == 1:
        return own_kernels(batch, input, weight, bias, stride, padding, dilation, groups)
    more = functional.conv2d if input.dim() == 3 else functional.conv3d
    words = {
        "stride": _more(stride, 1, input),
        "padding": _more(padding, 0, input),
        "dilation": _more(dilation, 1, input),
    }
    x = _apart(input, batch)
    return _folded(more(x, weight.unsqueeze(2), bias, groups=groups, **words))


def _conv_transpose(
    batch: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    x = _apart(input, batch)
    more: Any = functional.conv_transpose2d if input.dim() == 3 else functional.conv_transpose3d
    words = {
        "stride": _more(stride, 1, input),
        "padding": _more(padding, 0, input),
        "output_padding": _more(output_padding, 0, input),
        "dilation": _more(dilation, 1, input),
    }
    return _folded(more(x, weight.unsqueeze(2), bias, groups=groups, **words))


def _batch_norm(batch: int, input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return _folded(functional.batch_norm(_apart(input, batch), *args, **kwargs))


def _group_norm(
    batch: int,
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise the groups of all parts of an image as separate groups."""
    parts, rest = divmod(input.shape[0], batch)
    if rest or parts < 2:
        raise NotImplementedError
    whole = input.reshape(batch, parts * input.shape[1], *input.shape[2:])
    out = functional.group_norm(whole, parts * num_groups, eps=eps).reshape(input.shape)
    each = (1, -1, *(1 for _ in input.shape[2:]))
    out = out if weight is None else out * weight.view(each)
    return out if bias is None else out + bias.view(each)


def _instance_norm(
    batch: int,
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    if not use_input_stats:
        raise NotImplementedError
    return _group_norm(batch, input, input.shape[1], weight, bias, eps)


def _prelu(batch: int, input: Tensor, weight: Tensor) -> Tensor:
    return _folded(functional.prelu(_apart(input, batch), weight))


def _pad(
    batch: int, input: Tensor, pad: Any, mode: str = "constant", value: float | None = None
) -> Tensor:
    if len(pad) > 2 * (input.dim() - 2):
        raise NotImplementedError
    if mode != "constant":
        pad = (*pad, *(0,) * (2 * (input.dim() - 1) - len(pad)))
    return _folded(functional.pad(_apart(input, batch), pad, mode, value))


def _max_pool(
    batch: int,
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:
    if return_indices:
        raise NotImplementedError
    pool: Any = functional.max_pool2d if input.dim() == 3 else functional.max_pool3d
    words = {
        "stride": _more(kernel_size if stride is None else stride, 1, input),
        "padding": _more(padding, 0, input),
        "dilation": _more(dilation, 1, input),
    }
    x, kernel = _apart(input, batch), _more(kernel_size, 1, input)
    return _folded(pool(x, kernel, ceil_mode=ceil_mode, **words))


def _avg_pool(
    batch: int,
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    pool = functional.avg_pool2d if input.dim() == 3 else functional.avg_pool3d
    words: dict[str, Any] = {
        "stride": _more(kernel_size if stride is None else stride, 1, input),
        "padding": _more(padding, 0, input),
        "ceil_mode": ceil_mode,
        "count_include_pad": count_include_pad,
    }
    return _folded(pool(_apart(input, batch), _more(kernel_size, 1, input), **words))


def _adaptive_avg_pool(batch: int, input: Tensor, output_size: Any) -> Tensor:
    pool = functional.adaptive_avg_pool2d if input.dim() == 3 else functional.adaptive_avg_pool3d
    x = _apart(input, batch)
    return _folded(pool(x, _more(output_size, x.shape[2], input)))


def _adaptive_max_pool(
    batch: int, input: Tensor, output_size: Any, return_indices: bool = False
) -> Tensor:
    if return_indices:
        raise NotImplementedError
    pool: Any = (
        functional.adaptive_max_pool2d if input.dim() == 3 else functional.adaptive_max_pool3d
    )
    x = _apart(input, batch)
    return _folded(pool(x, _more(output_size, x.shape[2], input)))


def _interpolate(
    batch: int,
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    **words: Any,
) -> Tensor:
    """Resize all channels of an image's parts alike: they are channels of one map."""
    parts, rest = divmod(input.shape[0], batch)
    if rest or parts < 2:
        raise NotImplementedError
    whole = input.reshape(batch, parts * input.shape[1], *input.shape[2:])
    out = functional.interpolate(whole, size, scale_factor, mode, align_corners, **words)
    return out.reshape(*input.shape[:2], *out.shape[2:])


def _pixel_shuffle(batch: int, input: Tensor, upscale_factor: int) -> Tensor:
    parts, rest = divmod(input.shape[0], batch)
    if rest or parts < 2:
        raise NotImplementedError
    whole = input.reshape(batch, parts * input.shape[1], *input.shape[2:])
    out = torch.pixel_shuffle(whole, upscale_factor)
    return out.reshape(input.shape[0], -1, *out.shape[2:])


def _repeat_interleave(
    batch: int, input: Tensor, repeats: Any, dim: int | None = None, **words: Any
) -> Tensor:
    """Repeat each image, as queries for each of its windows."""
    if not isinstance(repeats, int) or dim is None or input.shape[dim] % batch:
        raise NotImplementedError
    if repeats == 1:
        return input
    axis = dim % input.dim()
    sizes = [-1] * (input.dim() + 1)
    sizes[axis + 1] = repeats
    return input.unsqueeze(axis + 1).expand(sizes).flatten(axis, axis + 1)


FOLDED: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.conv1d: _conv, torch.conv2d: _conv, torch.conv_transpose1d: _conv_transpose,
    torch.conv_transpose2d: _conv_transpose, functional.batch_norm: _batch_norm,
    functional.instance_norm: _instance_norm, functional.interpolate: _interpolate,
    torch.pixel_shuffle: _pixel_shuffle,
    functional.group_norm: _group_norm, functional.prelu: _prelu, functional.pad: _pad,
    functional.max_pool1d: _max_pool, functional.max_pool2d: _max_pool,
    functional.avg_pool1d: _avg_pool, functional.avg_pool2d: _avg_pool,
    functional.adaptive_avg_pool1d: _adaptive_avg_pool,
    functional.adaptive_avg_pool2d: _adaptive_avg_pool,
    functional.adaptive_max_pool1d: _adaptive_max_pool,
    functional.adaptive_max_pool2d: _adaptive_max_pool,
    torch.repeat_interleave: _repeat_interleave,
    torch.Tensor.repeat_interleave: _repeat_interleave,
}  # fmt: skip
"""The functions and their spellings, which take the batch first.

They raise NotImplementedError where no parts are folded into it.
"""

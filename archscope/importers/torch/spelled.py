"""Functions of torch expressed by others for which there are operators of ours."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from archscope.importers.torch.spelled_masks import MASKS
from archscope.importers.torch.spelled_norms import NORMS
from archscope.importers.torch.spelled_products import PRODUCTS, IsData


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


def _clamp(input: Tensor, min: Any = None, max: Any = None) -> Any:
    """Limit values by tensors."""
    if not isinstance(min, Tensor) and not isinstance(max, Tensor):
        raise NotImplementedError
    x = input
    if min is not None:
        x = torch.maximum(x, min) if isinstance(min, Tensor) else x.clamp(min=min)
    if max is not None:
        x = torch.minimum(x, max) if isinstance(max, Tensor) else x.clamp(max=max)
    return x


def _clamp_max(input: Tensor, max: Any) -> Any:
    return _clamp(input, None, max)


def _sinc(input: Tensor) -> Any:
    """Return sin(pi x) / (pi x), and 1 at 0."""
    at_zero = input == 0
    x = (input + at_zero) * torch.pi
    return x.sin() / x * ~at_zero + at_zero


def _isnan(input: Tensor) -> Any:
    """Compare with itself what is no number; infinity, less itself, would not be one either."""
    near = input.clamp(-1, 1)
    return near != near


def _quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, **words: Any
) -> Any:
    """Interpolate between two of the sorted values."""
    if not isinstance(q, float) or dim is None or words.get("interpolation", "linear") != "linear":
        raise NotImplementedError
    place = q * (input.shape[dim] - 1)
    below = int(place)
    values = input.sort(dim)[0]
    found = values.narrow(dim, below, 1)
    if place > below:
        above = values.narrow(dim, below + 1, 1)
        found = found + (above - found) * (place - below)
    return found if keepdim else found.squeeze(dim)


def _embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    """Reduce the vectors of bags of the same size."""
    if input.dim() != 2 or padding_idx is not None or max_norm is not None:
        raise NotImplementedError
    vectors = functional.embedding(input, weight)
    if per_sample_weights is not None:
        vectors = vectors * per_sample_weights.unsqueeze(-1)
    return vectors.amax(1) if mode == "max" else getattr(vectors, mode)(1)


def _expand(input: Tensor, *sizes: Any) -> Any:
    """Add axes before those of the input one by one."""
    shape = tuple(sizes[0]) if isinstance(sizes[0], list | tuple) else sizes
    more = len(shape) - input.dim()
    if more < 1:
        raise NotImplementedError
    return input[(None,) * more].expand(shape)


def _diff(input: Tensor, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Any:
    if n != 1 or prepend is not None or append is not None:
        raise NotImplementedError
    size = input.shape[dim] - 1
    return input.narrow(dim, 1, size) - input.narrow(dim, 0, size)


def _rot90(input: Tensor, k: int = 1, dims: Any = (0, 1)) -> Any:
    first, second = dims
    if k % 4 == 0:
        return input
    if k % 4 == 2:
        return input.flip((first, second))
    return input.transpose(first, second).flip(first if k % 4 == 1 else second)


def _tril(input: Tensor, diagonal: int = 0) -> Any:
    return input * torch.ones(input.shape[-2:], dtype=input.dtype).tril(diagonal)


def _triu(input: Tensor, diagonal: int = 0) -> Any:
    return input * torch.ones(input.shape[-2:], dtype=input.dtype).triu(diagonal)


def _hypot(input: Tensor, other: Tensor) -> Any:
    return (input * input + other * other).sqrt()


def _logit(input: Tensor, eps: float | None = None) -> Any:
    x = input if eps is None else input.clamp(eps, 1 - eps)
    return torch.log(x / (1 - x))


def _var_mean(input: Tensor, dim: Any = None, **words: Any) -> Any:
    if dim is None:
        raise NotImplementedError
    return input.var(dim, **words), input.mean(dim, keepdim=words.get("keepdim", False))


def _std_mean(input: Tensor, dim: Any = None, **words: Any) -> Any:
    if dim is None:
        raise NotImplementedError
    return input.std(dim, **words), input.mean(dim, keepdim=words.get("keepdim", False))


def _rrelu(
    input: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Any:
    if training:
        raise NotImplementedError
    return functional.leaky_relu(input, (lower + upper) / 2)


def _affine_grid(theta: Tensor, size: Any, align_corners: bool | None = None) -> Any:
    """Compute the coordinates of a plane by sums and products, separately for each axis."""
    if len(size) != 4 or theta.dim() != 3:
        raise NotImplementedError
    y, x = (
        torch.linspace(-1, 1, steps) * (1 if align_corners else (steps - 1) / steps)
        for steps in map(int, size[2:])
    )
    along, across, shift = (part.unsqueeze(-1) for part in torch.split(theta, 1, 2))
    return (along * x + across * y.unsqueeze(1) + shift).permute(0, 2, 3, 1)


def _softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Any:
    if threshold == 20:
        raise NotImplementedError
    return torch.where(input * beta > threshold, input, functional.softplus(input, beta))


def _index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Any:
    if not isinstance(value, int | float):
        raise NotImplementedError
    axis = dim % input.dim()
    there = torch.zeros(input.shape[axis]).index_fill(0, index, 1.0)
    there = there.view(-1, *(1,) * (input.dim() - axis - 1))
    return input * (1 - there) + there * value


def _diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    if (offset, dim1, dim2) != (0, -2, -1):
        raise NotImplementedError
    return input.unsqueeze(-1) * torch.eye(input.shape[-1])


def _cross(input: Tensor, other: Tensor, dim: int = -1) -> Any:
    if input.shape[dim] != 3:
        raise NotImplementedError
    first, second = torch.tensor([1, 2, 0]), torch.tensor([2, 0, 1])
    ahead = input.index_select(dim, first) * other.index_select(dim, second)
    return ahead - input.index_select(dim, second) * other.index_select(dim, first)


def _logaddexp(input: Tensor, other: Tensor) -> Any:
    larger = torch.maximum(input, other)
    return larger + torch.log1p(torch.exp(torch.minimum(input, other) - larger))


def _aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Any:
    if dim is None:
        raise NotImplementedError
    return input.amin(dim, keepdim), input.amax(dim, keepdim)


def _rounded_quotient(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """Return a rounded quotient; that of integers is an integer, which may be an index."""
    if rounding_mode is None:
        raise NotImplementedError
    rounded = (torch.floor if rounding_mode == "floor" else torch.trunc)(input / other)
    kind = torch.result_type(input, other)
    return rounded if kind.is_floating_point else rounded.to(kind)


def _floor_divide(input: Any, other: Any) -> Any:
    return _rounded_quotient(input, other, rounding_mode="floor")


def _remainder(input: Any, other: Any) -> Any:
    return input - _floor_divide(input, other) * other


def _fmod(input: Any, other: Any) -> Any:
    return input - _rounded_quotient(input, other, rounding_mode="trunc") * other


def _any(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    if dim is None or input.dtype != torch.bool:
        raise NotImplementedError
    return input.float().amax(dim, keepdim) > 0


def _all(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    if dim is None or input.dtype != torch.bool:
        raise NotImplementedError
    return input.float().amin(dim, keepdim) > 0


WINDOW = 16
"""Windows of up to this many positions are expressed as slices."""


def _windows(x: Tensor, dimension: int, size: int, step: int) -> Any:
    """Cut an axis into windows: by a reshape if they are adjacent, else by slices."""
    dim = dimension % x.dim()
    count = (x.shape[dim] - size) // step + 1
    if size == step:
        whole = x if count * size == x.shape[dim] else x.narrow(dim, 0, count * size)
        return torch.unflatten(whole, dim, (count, size)).movedim(dim + 1, -1)
    if size > WINDOW:
        raise NotImplementedError
    before = (slice(None),) * dim
    parts = [x[(*before, slice(j, j + (count - 1) * step + 1, step))] for j in range(size)]
    return torch.stack(parts, -1)


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
    **NORMS,
    torch.addcmul: _addcmul, torch.Tensor.addcmul: _addcmul,
    torch.addcdiv: _addcdiv, torch.Tensor.addcdiv: _addcdiv,
    torch.lerp: _lerp, torch.Tensor.lerp: _lerp,
    functional.celu: _celu, functional.logsigmoid: _log_sigmoid,
    functional.softshrink: _softshrink, functional.hardshrink: _hardshrink,
    functional.threshold: _threshold, functional.rrelu: _rrelu,
    functional.lp_pool1d: _lp_pool, functional.lp_pool2d: _lp_pool,
    torch.clamp: _clamp, torch.Tensor.clamp: _clamp, torch.clip: _clamp,
    torch.Tensor.clip: _clamp, torch.clamp_min: _clamp, torch.Tensor.clamp_min: _clamp,
    torch.clamp_max: _clamp_max, torch.Tensor.clamp_max: _clamp_max,
    torch.isnan: _isnan, torch.Tensor.isnan: _isnan,
    torch.sinc: _sinc, torch.Tensor.sinc: _sinc, torch.special.sinc: _sinc,
    torch.quantile: _quantile, torch.Tensor.quantile: _quantile,
    functional.embedding_bag: _embedding_bag, torch.Tensor.expand: _expand,
    torch.diff: _diff, torch.Tensor.diff: _diff, torch.rot90: _rot90, torch.Tensor.rot90: _rot90,
    torch.tril: _tril, torch.Tensor.tril: _tril, torch.triu: _triu, torch.Tensor.triu: _triu,
    torch.hypot: _hypot, torch.Tensor.hypot: _hypot, torch.logit: _logit,
    torch.Tensor.logit: _logit, torch.special.logit: _logit, torch.var_mean: _var_mean,
    torch.std_mean: _std_mean, torch.Tensor.unfold: _windows,
    functional.affine_grid: _affine_grid, torch.cross: _cross, torch.linalg.cross: _cross,
    functional.softplus: _softplus, torch.index_fill: _index_fill,
    torch.Tensor.index_fill: _index_fill, torch.logaddexp: _logaddexp,
    torch.aminmax: _aminmax, torch.Tensor.aminmax: _aminmax,
    torch.diag_embed: _diag_embed, torch.Tensor.diag_embed: _diag_embed,
    torch.div: _rounded_quotient, torch.Tensor.div: _rounded_quotient,
    torch.divide: _rounded_quotient, torch.Tensor.divide: _rounded_quotient,
    torch.floor_divide: _floor_divide, torch.Tensor.floor_divide: _floor_divide,
    torch.Tensor.__floordiv__: _floor_divide,
    torch.remainder: _remainder, torch.Tensor.remainder: _remainder,
    torch.Tensor.__mod__: _remainder, torch.fmod: _fmod, torch.Tensor.fmod: _fmod,
    torch.any: _any, torch.Tensor.any: _any, torch.all: _all, torch.Tensor.all: _all,
}  # fmt: skip
"""The functions and their expressions, which raise NotImplementedError for unsupported cases."""

BY_DATA: dict[Callable[..., Any], Callable[..., Any]] = {**PRODUCTS, **MASKS}
"""Those whose spelling depends on what is data, which they take a function for first."""


def spelled(
    func: Callable[..., Any], args: Any, kwargs: Any, is_data: IsData
) -> Callable[..., Any] | None:
    """Return the expression of a function, None if it is itself an operator."""
    if func in (torch.add, torch.Tensor.add, torch.sub, torch.Tensor.sub):
        several = isinstance(kwargs.get("alpha"), int | float) and kwargs["alpha"] != 1
        tensors = all(isinstance(part, Tensor) for part in args[:2]) and len(args) == 2
        found = _add if "add" in func.__name__ else _sub
        return found if several and tensors else None
    if func in BY_DATA:
        return partial(BY_DATA[func], is_data)
    return SPELLED.get(func)

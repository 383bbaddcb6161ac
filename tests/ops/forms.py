"""Operators spelled out in elementary arithmetic.

Torch computes an operator in kernels of its own. `FORMS` has the textbook form of those that are
no elementary arithmetic themselves; each takes the module, for its weights and geometry, and the
inputs. A new operator needs a form only if its module runs kernels that `Work` of
`archscope/contracts/op_work.py` does not know.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from archscope.ir import Example
from tests.ops import axis_forms


def per_axis(value: Any, rank: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple) else (value,) * rank


def windows(module: Any, x: Tensor, out: Tensor, fill: float) -> Tensor:
    """Return what each output of a pooling module reads, along the last axis."""
    rank = x.ndim - 2
    x = functional.pad(x, getattr(module, "pad", ()), value=fill)
    kernel = per_axis(getattr(module, "kernel_size", None) or module.kernel, rank)
    stride = per_axis(module.stride, rank)
    padding = per_axis(getattr(module, "padding", 0), rank)
    dilation = per_axis(getattr(module, "dilation", 1), rank)
    over = max(kernel) * max(dilation)  # a last window may reach beyond the input
    x = functional.pad(x, tuple(n for p in reversed(padding) for n in (p, p + over)), value=fill)
    for axis, size in enumerate(out.shape[2:]):
        places = [
            start * stride[axis] + tap * dilation[axis]
            for start in range(size)
            for tap in range(kernel[axis])
        ]
        x = x.index_select(axis + 2, torch.tensor(places))
        x = x.unflatten(axis + 2, (size, kernel[axis])).movedim(axis + 3, -1)
    return x.flatten(2 + rank)


def maxpool_indices(module: Any, out: Tensor, x: Tensor) -> Tensor:
    """Return the place in the map of the largest value that each output reads."""
    largest = windows(module, x, out, -torch.inf).argmax(-1, keepdim=True)
    places = torch.arange(x[0, 0].numel()).view(1, 1, *x.shape[2:])
    read = windows(module, places, out, -1)
    return read.expand(*out.shape, -1).gather(-1, largest)[..., 0]


def cells(x: Tensor, out: Tensor, reduce: Callable[[Tensor], Tensor]) -> Tensor:
    """Reduce the window of each output of an adaptive pool."""
    results = []
    for place in product(*map(range, out.shape[2:])):
        window = x
        for axis, (at, size) in enumerate(zip(place, out.shape[2:], strict=True), start=2):
            whole = x.shape[axis]
            first, last = at * whole // size, -(-(at + 1) * whole // size)
            window = window.narrow(axis, first, last - first)
        results.append(reduce(window.flatten(2)))
    return torch.stack(results, dim=-1).view_as(out)


def standardised(x: Tensor, dims: tuple[int, ...], eps: float) -> Tensor:
    centred = x - x.mean(dims, keepdim=True)
    return centred / ((centred * centred).mean(dims, keepdim=True) + eps).sqrt()


def affine(module: Any, x: Tensor) -> Tensor:
    if module.weight is None:
        return x
    shape = (-1, *(1,) * (x.ndim - 2))
    scaled = x * module.weight.view(shape)
    return scaled if module.bias is None else scaled + module.bias.view(shape)


def batchnorm(module: Any, out: Tensor, x: Tensor) -> Tensor:
    """At inference the statistics, scale and shift are constants: one factor and one shift."""
    factor = (module.running_var.numpy() + module.eps) ** -0.5
    if module.affine:
        factor = factor * module.weight.detach().numpy()
    shift = -module.running_mean.numpy() * factor
    if module.affine:
        shift = shift + module.bias.detach().numpy()
    shape = (-1, *(1,) * (x.ndim - 2))
    return x * torch.tensor(factor).view(shape) + torch.tensor(shift).view(shape)


def frozen_batchnorm(module: Any, out: Tensor, x: Tensor) -> Tensor:
    module.affine = True
    module.weight, module.bias = module.weight.detach(), module.bias.detach()
    return batchnorm(module, out, x)


def weight_norm(module: Any, out: Tensor, x: Tensor) -> Tensor:
    v, g = module.weight_v, module.weight_g
    axes = tuple(range(1, v.dim()))
    weight = v * (g / (v * v).sum(axes, keepdim=True).sqrt())
    if v.dim() == 2:
        return functional.linear(x, weight, module.bias)
    return module._conv_forward(x, weight, module.bias)


def prototypes(module: Any, out: Tensor, x: Tensor) -> Tensor:
    difference = x[:, None] - module.weight
    if module.norm == 1:
        return difference.abs().sum(-1)
    return (difference * difference).sum(-1).sqrt()


def groupnorm(module: Any, out: Tensor, x: Tensor) -> Tensor:
    groups = x.view(x.shape[0], module.num_groups, -1)
    return affine(module, standardised(groups, (2,), module.eps).view_as(x))


def lrn(module: Any, out: Tensor, x: Tensor) -> Tensor:
    before = module.size // 2
    squares = functional.pad((x * x).movedim(1, -1), (before, module.size - 1 - before))
    mean = squares.unfold(-1, module.size, 1).mean(-1).movedim(-1, 1)
    return x / (mean * module.alpha + module.k) ** module.beta


def avgpool(module: Any, out: Tensor, x: Tensor) -> Tensor:
    sums = windows(module, x, out, 0.0).sum(-1)
    return sums / torch.tensor(held(module, x, out)).view(out.shape[2:])


def held(module: Any, x: Tensor, out: Tensor) -> list[float]:
    """Return how many values each window holds, without those beyond the padding."""
    rank = x.ndim - 2
    kernel, stride = per_axis(module.kernel_size, rank), per_axis(module.stride, rank)
    pads = [(p, p) for p in per_axis(getattr(module, "padding", 0), rank)]
    if hasattr(module, "pad"):  # in torch's order, last axis first
        pads = [*zip(module.pad[::2], module.pad[1::2], strict=True)][::-1]
    padded = getattr(module, "count_include_pad", False)
    counts = [1.0]
    for size, length, k, s, (p, behind) in zip(
        x.shape[2:], out.shape[2:], kernel, stride, pads, strict=True
    ):
        first, last = (-p, size + behind) if padded else (0, size)
        along = [min(u * s - p + k, last) - max(u * s - p, first) for u in range(length)]
        counts = [count * own for count in counts for own in along]
    return counts


def lp_pool(module: Any, out: Tensor, x: Tensor) -> Tensor:
    powers = x ** float(module.norm_type)
    sums = windows(module, powers, out, 0.0).sum(-1)
    if module.ceil_mode:  # torch multiplies the mean of what a window holds by its size
        taps = prod(per_axis(module.kernel_size, x.ndim - 2))
        ratios = torch.tensor([taps / count for count in held(module, x, out)])
        sums = sums * ratios.view(out.shape[2:])
    return sums ** (1 / module.norm_type)


def stochastic_pool(module: Any, out: Tensor, x: Tensor) -> Tensor:
    taps = windows(module, x, out, 0.0)
    return (taps / taps.sum(-1, keepdim=True) * taps).sum(-1)


def _probabilities(scores: Tensor) -> Tensor:
    powers = (scores - scores.amax(-1, keepdim=True)).exp()
    return powers / powers.sum(-1, keepdim=True)


def attention(module: Any, out: Tensor, *parts: Tensor) -> Tensor:
    heads, keys = module.heads, module.key_heads
    if len(parts) == 1:
        width = parts[0].shape[1] // (heads + 2 * keys)
        parts = parts[0].split([width * heads, width * keys, width * keys], dim=1)
    q, k, v = (part.flatten(2) for part in parts)
    q, k, v = q.unflatten(1, (heads, -1)), k.unflatten(1, (keys, -1)), v.unflatten(1, (keys, -1))
    k, v = (part.repeat_interleave(heads // keys, dim=1) for part in (k, v))
    scores = q.transpose(-2, -1) @ k * (module.scale or q.shape[2] ** -0.5)
    if module.causal:
        scores = scores + torch.full(scores.shape[-2:], -torch.inf).triu(1)
    return (_probabilities(scores) @ v.transpose(-2, -1)).transpose(-2, -1).reshape(out.shape)


def sdpa(module: Any, out: Tensor, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    scores = q @ k.transpose(-2, -1) * (module.scale or q.shape[-1] ** -0.5)
    if module.mask is not None:
        scores = scores + module.mask
    if module.causal:
        scores = scores + torch.full(scores.shape[-2:], -torch.inf).triu(1)
    return _probabilities(scores) @ v


def window_attention(module: Any, out: Tensor, x: Tensor) -> Tensor:
    axes = tuple(range(2, x.dim()))
    windows = module._windows(x.roll([-step for step in module.shift], axes))
    q, k, v = windows.unflatten(-1, (3, module.heads, -1)).permute(3, 0, 1, 4, 2, 5).unbind(0)
    scores = q @ k.transpose(-2, -1) * (module.scale or q.shape[-1] ** -0.5)
    table = module.relative_position_bias_table
    if table is not None:
        scores = scores + table[module.relative_position_index].permute(2, 0, 1)
    if any(module.shift):
        scores = scores + torch.zeros_like(scores).masked_fill(module.apart, -torch.inf)
    mixed = (_probabilities(scores) @ v).transpose(2, 3).flatten(3)
    return module._map(mixed).roll(module.shift, axes)


def recurrent(module: Any, out: Tensor, x: Tensor, *first: Tensor) -> Tensor:
    if x.dim() > 3:  # each row is a sequence of its own
        each = x.movedim(1, -2)
        result = recurrent(module, out, each.reshape(-1, *each.shape[-2:]))
        return result.reshape(*each.shape[:-2], *result.shape[1:]).movedim(x.dim() - 2, 1)
    sequence, bias = x.unbind(2), module.bias
    for layer in range(module.num_layers):
        ends, cells = [], []
        given = [part.chunk(1 + module.bidirectional, dim=1) for part in first]
        for end in ("", "_reverse")[: 1 + module.bidirectional]:
            held = [
                getattr(module, f"{word}_l{layer}{end}")
                for word in ("weight_ih", "weight_hh", *(("bias_ih", "bias_hh") if bias else ()))
            ]
            steps = sequence[::-1] if end else sequence
            states, cell = _states(module, steps, held, [part[bool(end)] for part in given])
            cells.append(cell)
            ends.append(states[::-1] if end else states)
        sequence = [torch.cat(both, dim=1) for both in zip(*ends, strict=True)]
    if module.result == "sequence":
        return torch.stack(sequence, dim=2)
    if module.result == "sequence_and_cell":
        return torch.stack([*sequence, torch.cat(cells, dim=1)], dim=2)
    return torch.cat([end[0] if place else end[-1] for place, end in enumerate(ends)], dim=1)


def _states(
    module: Any, steps: Any, held: list[Tensor], first: list[Tensor]
) -> tuple[list[Tensor], Tensor]:
    """Return the state after each step of a direction of a recurrent layer, and the last cell."""
    zeros = steps[0].new_empty(len(steps[0]), module.hidden_size).fill_(0)
    state, cell = (*first, zeros, zeros)[:2]
    states = []
    for x in steps:
        a, b = x @ held[0].T, state @ held[1].T
        if module.bias:
            a, b = a + held[2], b + held[3]
        state, cell = _step(module.mode, a, b, state, cell)
        states.append(state)
    return states, cell


def _step(mode: str, a: Tensor, b: Tensor, state: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Return the next state and cell by the products of the input and of the state."""
    if mode == "LSTM":
        i, f, g, o = (a + b).chunk(4, dim=1)
        cell = _sigmoid(f) * cell + _sigmoid(i) * g.tanh()
        return _sigmoid(o) * cell.tanh(), cell
    if mode == "GRU":
        (r, z, n), (hr, hz, hn) = a.chunk(3, dim=1), b.chunk(3, dim=1)
        new, keep = (n + _sigmoid(r + hr) * hn).tanh(), _sigmoid(z + hz)
        return new - keep * new + keep * state, cell
    return (a + b).clamp_min(0) if mode == "RNN_RELU" else (a + b).tanh(), cell


def cell(module: Any, out: Tensor, x: Tensor, *states: Tensor) -> Tensor:
    zeros = x.new_empty(len(x), module.hidden_size).fill_(0)
    state, memory = (*states, zeros, zeros)[:2]
    a, b = x @ module.weight_ih.T, state @ module.weight_hh.T
    if module.bias:
        a, b = a + module.bias_ih, b + module.bias_hh
    kind = type(module).__name__.removesuffix("Cell")
    kind += "_RELU" if getattr(module, "nonlinearity", "") == "relu" else ""
    state, memory = _step(kind, a, b, state, memory)
    return torch.cat([state, memory], dim=1) if kind == "LSTM" else state


def _sigmoid(x: Tensor) -> Tensor:
    return ((-x).exp() + 1).reciprocal()


def distance(module: Any, out: Tensor, a: Tensor, b: Tensor) -> Tensor:
    difference = a - b
    if module.metric == "manhattan":
        return difference.abs().sum(1, keepdim=True)
    return (difference * difference).sum(1, keepdim=True).sqrt()


def unary(module: Any, out: Tensor, x: Tensor) -> Tensor:
    if module.function == "mish":
        return x * (x.exp() + 1).log().tanh()
    if module.function == "selu":
        scale, alpha = 1.0507009873554805, 1.6732632423543772
        return torch.where(x > 0, x * scale, (x.exp() - 1) * (scale * alpha))
    return module(x)


def leaky(x: Tensor, slope: Any) -> Tensor:
    return torch.where(x > 0, x, x * slope)


def hard(x: Tensor) -> Tensor:
    return (x + 3).clamp_min(0).clamp_max(6)


Form = Callable[..., Tensor]

FORMS: dict[str, Form] = {
    "relu": lambda module, out, x: x.clamp_min(0),
    "relu6": lambda module, out, x: x.clamp_min(0).clamp_max(6),
    "leaky_relu": lambda module, out, x: leaky(x, module.negative_slope),
    "prelu": lambda module, out, x: leaky(x, module.weight.view(-1, *(1,) * (x.ndim - 2))),
    "silu": lambda module, out, x: x * ((-x).exp() + 1).reciprocal(),
    "hardswish": lambda module, out, x: x * hard(x) / 6,
    "hardsigmoid": lambda module, out, x: hard(x) / 6,
    "sigmoid": lambda module, out, x: ((-x).exp() + 1).reciprocal(),
    "batchnorm": batchnorm,
    "layernorm": lambda module, out, x: affine(module, standardised(x, (1,), module.eps)),
    "groupnorm": groupnorm,
    "rmsnorm": axis_forms.rms,
    "lrn": lrn,
    "maxpool": lambda module, out, x: windows(module, x, out, -torch.inf).amax(-1),
    "maxpool_indices": maxpool_indices,
    "avgpool": avgpool,
    "lp_pool": lp_pool,
    "stochastic_pool": stochastic_pool,
    "adaptive_avgpool": lambda module, out, x: cells(x, out, lambda taps: taps.mean(-1)),
    "adaptive_maxpool": lambda module, out, x: cells(x, out, lambda taps: taps.amax(-1)),
    "global_maxpool": lambda module, out, x: x.flatten(2).amax(-1).view_as(out),
    "distance": distance,
    "dot_product_attention": attention,
    "window_attention": window_attention,
    "scaled_dot_product_attention": sdpa,
    **dict.fromkeys(("lstm", "gru", "rnn"), recurrent),
    **dict.fromkeys(("lstm_cell", "gru_cell", "rnn_cell"), cell),
    "unary": unary,
    "frozen_batchnorm": frozen_batchnorm,
    "weight_norm_conv": weight_norm,
    "weight_norm_linear": weight_norm,
    "prototypes": prototypes,
    "reduce": axis_forms.reduced,
    "softmax": axis_forms.softmax,
    "log_softmax": axis_forms.log_softmax,
    "glu": axis_forms.glu,
    "normalize": axis_forms.normalize,
    "cosine_similarity": axis_forms.cosine_similarity,
    "elu": axis_forms.elu,
    "gelu": axis_forms.gelu,
    "softplus": axis_forms.softplus,
    "pad": axis_forms.pad,
    "fold": axis_forms.fold,
    "upsample": axis_forms.upsample,
    "grid_sample": axis_forms.grid_sample,
    "one_hot": axis_forms.one_hot,
}
"""The form of each operator whose module is no elementary arithmetic."""

NON_NEGATIVE = {"lp_pool", "stochastic_pool"}
"""Operators whose form holds for inputs that are not negative, as behind a ReLU."""


def _statistics(case: Example) -> int:
    groups = getattr(case.op, "groups", prod(case.ins[0][1:]))
    return -2 * int(groups)


def _attention_rows(case: Example) -> int:
    """Return the queries of all heads."""
    return 2 * int(getattr(case.op, "heads", 1)) * prod(case.ins[0][1:])


UNCOUNTED: dict[str, tuple[str, Callable[[Example], int]]] = {
    "layernorm": ("eps and root of the deviation, once a position", _statistics),
    "groupnorm": ("eps and root of the deviation, once a group", _statistics),
    "softmax": (
        "maximum and sum are counted once for each value, the first of a position with them",
        lambda case: 2 * prod(case.ins[0]) // case.ins[0][getattr(case.op, "axis", 0)],
    ),
    "log_softmax": (
        "as of softmax, and a logarithm once a position",
        lambda case: prod(case.ins[0]) // case.ins[0][getattr(case.op, "axis", 0)],
    ),
    "dot_product_attention": ("as of softmax", _attention_rows),
    "window_attention": ("as of softmax", _attention_rows),
    "scaled_dot_product_attention": ("as of softmax", lambda case: 2 * prod(case.ins[0][:-1])),
    "lp_pool": (
        "torch's correction of windows that reach beyond the input is no part of the norm",
        lambda case: -int(getattr(case.op, "ceil", 0)) * prod(case.op.shape(*case.ins)),
    ),
    "distance": (
        "the root of a Euclidean distance is counted for a Manhattan one, too",
        lambda case: int(getattr(case.op, "metric", "") == "manhattan"),
    ),
}
"""By how much, and why, an operator states another number than its form has."""

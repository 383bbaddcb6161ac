"""Ordinary ways of writing a layer in PyTorch, each as a small network.

Every form stands between two convolutions or behind one, as it does in networks.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

SHAPE = (3, 8, 12)
"""The input of every form."""


class Ordinary(nn.Module):
    """A convolution, a form on its 8 channels of 8x12, and a convolution where it fits."""

    def __init__(self, form: Callable[..., Tensor], *parts: nn.Module, last: int = 0) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.form = form
        self.parts = nn.ModuleList(parts)
        self.last = nn.Conv2d(last, 4, 1) if last else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(self.form(self.first(x), *self.parts))
        return out


class Held(nn.Module):
    """A parameter or buffer, and a function of the input and of it."""

    def __init__(
        self, combine: Callable[[Tensor, Tensor], Tensor], *size: int, fixed: bool = False
    ) -> None:
        super().__init__()
        self.combine = combine
        values = torch.rand(size) + 0.5
        self.held: Tensor
        if fixed:
            self.register_buffer("held", values)
        else:
            self.held = nn.Parameter(values)

    def forward(self, x: Tensor) -> Tensor:
        return self.combine(x, self.held)


class GeM(nn.Module):
    """Generalised mean pooling, Radenovic et al. 2018."""

    def __init__(self) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.ones(1) * 3)

    def forward(self, x: Tensor) -> Tensor:
        powers = x.clamp(min=1e-6).pow(self.p)
        return functional.adaptive_avg_pool2d(powers, 1).pow(1.0 / self.p)


class Standardised(nn.Conv2d):
    """Weight standardisation, Qiao et al. 2019."""

    def forward(self, x: Tensor) -> Tensor:
        w = self.weight
        w = w - w.mean(dim=(1, 2, 3), keepdim=True)
        w = w / (w.std(dim=(1, 2, 3), keepdim=True) + 1e-5)
        return functional.conv2d(x, w, self.bias, self.stride, self.padding)


class Frozen(nn.Module):
    """Batch norm with fixed statistics and affine numbers, as detectors have it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        for name in ("weight", "bias", "running_mean", "running_var"):
            self.register_buffer(name, torch.rand(channels) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        scale = self.weight * (self.running_var + 1e-5).rsqrt()
        bias = self.bias - self.running_mean * scale
        return x * scale.reshape(1, -1, 1, 1) + bias.reshape(1, -1, 1, 1)


def _edit_channel(x: Tensor) -> Tensor:
    y = x.clone()
    y[:, 0] = y[:, 0] * 2
    return y


def _edit_range(x: Tensor) -> Tensor:
    y = x.clone()
    y[:, 2:4] = y[:, 2:4].sigmoid()
    return y


def _fill_parts(x: Tensor) -> Tensor:
    y = x.clone()
    y[:, 0] = 0
    y[:, :, 2:4] = 1.5
    return y


def _two_way(x: Tensor) -> Tensor:
    a, b = x.unbind(1)[:2]
    return torch.stack([a, b], 1)


def _old_weight_norm() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, and in use
        module: nn.Module = nn.utils.weight_norm(nn.Conv2d(8, 8, 3))
        return module


def _attend(x: Tensor) -> Tensor:
    return x * torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1).sum(1, keepdim=True)


FORMS: dict[str, nn.Module] = {
    # constants and two tensors
    "plus_constant": Ordinary(lambda x: x + 0.5, last=8),
    "minus_constant": Ordinary(lambda x: x - 0.5, last=8),
    "complement": Ordinary(lambda x: 1 - x.sigmoid(), last=8),
    "negation": Ordinary(lambda x: -x, last=8),
    "times_constant": Ordinary(lambda x: x * 0.3, last=8),
    "over_constant": Ordinary(lambda x: x / 3, last=8),
    "constant_over": Ordinary(lambda x: 2 / (x.abs() + 1), last=8),
    "floor_of_min": Ordinary(lambda x: torch.maximum(x, -x), last=8),
    "minimum": Ordinary(lambda x: torch.min(x, x.square()), last=8),
    "difference": Ordinary(lambda x: x - x.mean((2, 3), keepdim=True), last=8),
    "quotient": Ordinary(lambda x: x / (x.abs().sum(1, keepdim=True) + 1), last=8),
    "broadcast_sum": Ordinary(lambda x: x + x.mean(1, keepdim=True), last=8),
    "channel_sum": Ordinary(
        lambda x, c: x + c(x.mean((2, 3), keepdim=True)), nn.Conv2d(8, 8, 1), last=8
    ),
    "sum_with_alpha": Ordinary(lambda x: torch.add(x, x.relu(), alpha=2), last=8),
    "addcmul": Ordinary(lambda x: torch.addcmul(x, x.relu(), x.sigmoid(), value=0.5), last=8),
    "lerp": Ordinary(lambda x: torch.lerp(x, x.relu(), 0.3), last=8),
    # functions of each value
    "abs": Ordinary(lambda x: x.abs(), last=8),
    "sqrt": Ordinary(lambda x: (x.relu() + 0.1).sqrt(), last=8),
    "rsqrt": Ordinary(lambda x: torch.rsqrt(x * x + 1), last=8),
    "exp": Ordinary(lambda x: x.exp(), last=8),
    "log": Ordinary(lambda x: torch.log(x.abs() + 1), last=8),
    "square": Ordinary(lambda x: x**2, last=8),
    "cube": Ordinary(lambda x: x.pow(3), last=8),
    "root": Ordinary(lambda x: (x.relu() + 0.1) ** 0.5, last=8),
    "clamp": Ordinary(lambda x: x.clamp(-0.5, 0.5), last=8),
    "clamp_min": Ordinary(lambda x: x.clamp(min=0.1), last=8),
    "hardtanh": Ordinary(lambda x: functional.hardtanh(x, -2, 2), last=8),
    "mish": Ordinary(lambda x: functional.mish(x), last=8),
    "elu_alpha": Ordinary(lambda x: functional.elu(x, 0.5), last=8),
    "celu": Ordinary(lambda x: functional.celu(x, 0.5), last=8),
    "selu": Ordinary(lambda x: functional.selu(x), last=8),
    "gelu_tanh": Ordinary(lambda x: functional.gelu(x, approximate="tanh"), last=8),
    "softplus_beta": Ordinary(lambda x: functional.softplus(x, 2), last=8),
    "log_sigmoid": Ordinary(lambda x: functional.logsigmoid(x), last=8),
    "square_relu": Ordinary(lambda x: functional.relu(x) ** 2, last=8),
    "sine": Ordinary(lambda x: torch.sin(3 * x), last=8),
    "leaky_mask": Ordinary(lambda x: torch.where(x > 0, x, 0.1 * x), last=8),
    "mask": Ordinary(lambda x: x * (x > 0.1), last=8),
    "masked_fill": Ordinary(lambda x: x.masked_fill(x < 0, 0.0), last=8),
    "softshrink": Ordinary(lambda x: functional.softshrink(x, 0.2), last=8),
    "hardshrink": Ordinary(lambda x: functional.hardshrink(x, 0.2), last=8),
    "tanhshrink": Ordinary(lambda x: functional.tanhshrink(x), last=8),
    "threshold": Ordinary(lambda x: functional.threshold(x, 0.1, 0.0), last=8),
    "softmin": Ordinary(lambda x: functional.softmin(x, 1), last=8),
    # learned and fixed tensors
    "layer_scale": Ordinary(lambda x, p: p(x), Held(lambda x, p: x * p.view(-1, 1, 1), 8), last=8),
    "learned_scalar": Ordinary(lambda x, p: p(x), Held(lambda x, p: p * x, 1), last=8),
    "scalar_0d": Ordinary(lambda x, p: p(x), Held(lambda x, p: p * x), last=8),
    "gated_scalar": Ordinary(
        lambda x, p: p(x), Held(lambda x, p: x + p.sigmoid() * x.relu()), last=8
    ),
    "position": Ordinary(lambda x, p: p(x), Held(lambda x, p: x + p, 1, 8, 8, 12), last=8),
    "row_position": Ordinary(
        lambda x, p: p(x), Held(lambda x, p: x + p[None, None, :, None], 8), last=8
    ),
    "learned_bias": Ordinary(lambda x, p: p(x), Held(lambda x, p: x - p, 8, 1, 1), last=8),
    "mean_and_std": Ordinary(
        lambda x, a, b: b(a(x)),
        Held(lambda x, p: x - p, 1, 8, 1, 1, fixed=True),
        Held(lambda x, p: x / p, 1, 8, 1, 1, fixed=True),
        last=8,
    ),
    "computed_buffer": Ordinary(
        lambda x, p: p(x), Held(lambda x, p: x * p.exp(), 8, 1, 1, fixed=True), last=8
    ),
    "literal_tensor": Ordinary(
        lambda x: x * torch.tensor([1.0, 2.0]).repeat(4).view(8, 1, 1), last=8
    ),
    "coordinates": Ordinary(lambda x: x + torch.linspace(-1, 1, 12), last=8),
    "coord_conv": Ordinary(
        lambda x: torch.cat([x, torch.linspace(-1, 1, 12).expand(x.shape[0], 1, 8, 12)], 1), last=9
    ),
    "fixed_kernel": Ordinary(
        lambda x, p: p(x),
        Held(
            lambda x, p: functional.conv2d(x, p.expand(8, 1, 3, 3), padding=1, groups=8),
            3,
            3,
            fixed=True,
        ),
        last=8,
    ),
    "gem": Ordinary(lambda x, p: p(x), GeM(), last=8),
    # reductions
    "sum_space": Ordinary(lambda x: x.sum((2, 3))),
    "sum_space_kept": Ordinary(lambda x: x.sum((2, 3), keepdim=True), last=8),
    "mean_channels": Ordinary(lambda x: x.mean(1, keepdim=True), last=1),
    "mean_channels_gone": Ordinary(lambda x: x.mean(1)),
    "max_channels": Ordinary(lambda x: x.max(1, keepdim=True)[0], last=1),
    "max_channels_gone": Ordinary(lambda x: x.max(dim=1).values),
    "amax_space": Ordinary(lambda x: x.amax((2, 3))),
    "amin_space": Ordinary(lambda x: x.amin((2, 3), keepdim=True), last=8),
    "std_space": Ordinary(lambda x: x.std((2, 3))),
    "var_space": Ordinary(lambda x: x.var((2, 3), keepdim=True, unbiased=False), last=8),
    "mean_width": Ordinary(lambda x: x.mean(3)),
    "mean_width_kept": Ordinary(lambda x: x.mean(3, keepdim=True), last=8),
    "mean_height_kept": Ordinary(lambda x: x.mean(-2, keepdim=True), last=8),
    "norm_channels": Ordinary(lambda x: x.norm(dim=1, keepdim=True), last=1),
    "logsumexp": Ordinary(lambda x: torch.logsumexp(x, (2, 3))),
    "spatial_attention": Ordinary(_attend, last=8),
    # pads, crops, slices
    "zero_pad": Ordinary(lambda x: functional.pad(x, (1, 2, 0, 1)).relu(), last=8),
    "pad_value": Ordinary(lambda x: functional.pad(x, (1, 1, 1, 1), value=3.0), last=8),
    "negative_pad": Ordinary(lambda x: functional.pad(x, (-1, 1, -2, 0)), last=8),
    "channel_pad": Ordinary(lambda x: functional.pad(x, (0, 0, 0, 0, 2, 2)), last=12),
    "reflect": Ordinary(
        lambda x, c: c(x), nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect"), last=8
    ),
    "replicate": Ordinary(lambda x, c: c(x), nn.ReplicationPad2d((1, 0, 2, 1)), last=8),
    "circular": Ordinary(
        lambda x, c: c(x), nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular"), last=8
    ),
    "reflection_pad": Ordinary(lambda x, c: c(x), nn.ReflectionPad2d(2), last=8),
    "zeros_behind": Ordinary(lambda x: torch.cat([x, torch.zeros_like(x)], 1), last=16),
    "crop": Ordinary(lambda x: x[:, :, 1:-1, 2:], last=8),
    "center_crop": Ordinary(lambda x: x[..., 2:6, 2:10], last=8),
    "subsample": Ordinary(lambda x: x[:, :, ::2, ::2], last=8),
    "strided_channels": Ordinary(lambda x: x[:, ::2], last=4),
    "narrow": Ordinary(lambda x: x.narrow(2, 1, 4), last=8),
    "focus": Ordinary(
        lambda x: torch.cat(
            [x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]], 1
        ),
        last=32,
    ),
    "roll": Ordinary(lambda x: torch.roll(x, (1, -2), (2, 3)), last=8),
    "channel_roll": Ordinary(lambda x: torch.roll(x, 1, 1), last=8),
    "flip": Ordinary(lambda x: x.flip(3), last=8),
    "flip_both": Ordinary(lambda x: torch.flip(x, (2, 3)), last=8),
    "select": Ordinary(lambda x: x[:, 0]),
    "select_row": Ordinary(lambda x: x[:, :, 0]),
    "index_channels": Ordinary(lambda x: x[:, [2, 0, 1]], last=3),
    # stacking, splitting, layout
    "stack": Ordinary(lambda x: torch.stack([x, x.relu()], 1).flatten(1, 2), last=16),
    "stack_sum": Ordinary(lambda x: torch.stack([x, x.relu()], 1).sum(1), last=8),
    "stack_max": Ordinary(lambda x: torch.stack([x, x.square()], -1).max(-1)[0], last=8),
    "unbind": Ordinary(_two_way, last=2),
    "chunk": Ordinary(lambda x: torch.mul(*x.chunk(2, 1)), last=4),
    "split_sizes": Ordinary(lambda x: torch.cat(x.split([3, 5], 1)[::-1], 1), last=8),
    "split_space": Ordinary(lambda x: torch.cat(x.split([3, 5], 2)[::-1], 2), last=8),
    "cat_space": Ordinary(lambda x: torch.cat([x, x.relu()], 3), last=8),
    "permute": Ordinary(lambda x: x.permute(0, 2, 3, 1)),
    "transpose": Ordinary(lambda x: x.transpose(2, 3), last=8),
    "tokens": Ordinary(lambda x: x.flatten(2).transpose(1, 2)),
    "expand": Ordinary(lambda x: x.mean(1, keepdim=True).expand(-1, 8, -1, -1), last=8),
    "expand_space": Ordinary(lambda x: x.mean((2, 3), keepdim=True).expand(-1, -1, 8, 12), last=8),
    "repeat": Ordinary(lambda x: x.repeat(1, 2, 1, 1), last=16),
    "tile": Ordinary(lambda x: torch.tile(x, (1, 1, 2, 1)), last=8),
    "repeat_interleave": Ordinary(lambda x: x.repeat_interleave(2, 1), last=16),
    "repeat_rows": Ordinary(lambda x: x.repeat_interleave(2, dim=2), last=8),
    "pixel_shuffle": Ordinary(lambda x: functional.pixel_shuffle(x, 2), last=2),
    "pixel_unshuffle": Ordinary(lambda x: functional.pixel_unshuffle(x, 2), last=32),
    "depth_to_space_by_hand": Ordinary(
        lambda x: (
            x.view(x.shape[0], 2, 2, 2, 8, 12)
            .permute(0, 3, 4, 1, 5, 2)
            .reshape(x.shape[0], 2, 16, 24)
        ),
        last=2,
    ),
    "unflatten": Ordinary(lambda x: x.unflatten(1, (2, 4)).sum(1), last=4),
    "view": Ordinary(lambda x: x.view(x.shape[0], -1, 4, 12), last=16),
    "group_mean": Ordinary(lambda x: x.view(x.shape[0], 2, 4, 8, 12).mean(2), last=2),
    "squeeze_gate": Ordinary(
        lambda x, c: x * c(x.mean((2, 3))).sigmoid()[:, :, None, None], nn.Linear(8, 8), last=8
    ),
    "eca": Ordinary(
        lambda x, c: x * c(x.mean((2, 3)).unsqueeze(1)).sigmoid().view(x.shape[0], 8, 1, 1),
        nn.Conv1d(1, 1, 3, padding=1),
        last=8,
    ),
    "unfold": Ordinary(lambda x: functional.unfold(x, 3, padding=1)),
    # heads and norms
    "glu": Ordinary(lambda x: functional.glu(x, 1), last=4),
    "glu_width": Ordinary(lambda x: functional.glu(x, 3), last=8),
    "softmax_space": Ordinary(lambda x: x.flatten(2).softmax(-1)),
    "softmax_width": Ordinary(lambda x: x.softmax(3), last=8),
    "log_softmax": Ordinary(lambda x: x.log_softmax(1), last=8),
    "log_softmax_flat": Ordinary(lambda x: x.mean((2, 3)).log_softmax(-1)),
    "normalize": Ordinary(lambda x: functional.normalize(x, dim=1), last=8),
    "normalize_flat": Ordinary(lambda x: functional.normalize(x.mean((2, 3)))),
    "lrn": Ordinary(lambda x, c: c(x), nn.LocalResponseNorm(3), last=8),
    "frozen": Ordinary(lambda x, c: c(x), Frozen(8), last=8),
    "instance_stats": Ordinary(lambda x, b: b(x), nn.InstanceNorm2d(8, affine=True), last=8),
    "layernorm_chw": Ordinary(lambda x, b: b(x), nn.LayerNorm([8, 8, 12]), last=8),
    "layernorm_width": Ordinary(lambda x, b: b(x), nn.LayerNorm(12), last=8),
    "batch_norm_no_bias": Ordinary(
        lambda x, p: p(x),
        Held(lambda x, p: functional.batch_norm(x, torch.zeros(8), torch.ones(8), p, None), 8),
        last=8,
    ),
    "rms_by_hand": Ordinary(
        lambda x: x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-6), last=8
    ),
    "grn": Ordinary(
        lambda x: (
            x
            * (
                x.norm(dim=(2, 3), keepdim=True)
                / (x.norm(dim=(2, 3), keepdim=True).mean(1, keepdim=True) + 1e-6)
            )
        ),
        last=8,
    ),
    "weight_norm": Ordinary(
        lambda x, c: c(x), parametrizations.weight_norm(nn.Conv2d(8, 8, 3)), last=8
    ),
    "weight_norm_old": Ordinary(lambda x, c: c(x), _old_weight_norm(), last=8),
    "spectral_norm": Ordinary(
        lambda x, c: c(x), parametrizations.spectral_norm(nn.Conv2d(8, 8, 3)), last=8
    ),
    "standardised": Ordinary(lambda x, c: c(x), Standardised(8, 8, 3), last=8),
    "orthogonal": Ordinary(
        lambda x, c: c(x.mean((2, 3))), parametrizations.orthogonal(nn.Linear(8, 8))
    ),
    "pairwise": Ordinary(lambda x: functional.pairwise_distance(x.mean((2, 3)), x.amax((2, 3)))),
    "cosine": Ordinary(lambda x: functional.cosine_similarity(x, x.relu(), 1)),
    "cosine_head": Ordinary(
        lambda x, p: p(functional.normalize(x.mean((2, 3)))),
        Held(lambda x, p: functional.linear(x, functional.normalize(p)), 5, 8),
    ),
    "cdist": Ordinary(lambda x, p: p(x.mean((2, 3))), Held(lambda x, p: torch.cdist(x, p), 5, 8)),
    # resizing and pooling
    "bicubic": Ordinary(
        lambda x: functional.interpolate(x, scale_factor=2, mode="bicubic"), last=8
    ),
    "align_corners": Ordinary(
        lambda x: functional.interpolate(x, size=(16, 20), mode="bilinear", align_corners=True),
        last=8,
    ),
    "bicubic_corners": Ordinary(
        lambda x: functional.interpolate(x, scale_factor=2, mode="bicubic", align_corners=True),
        last=8,
    ),
    "factor": Ordinary(lambda x: functional.interpolate(x, scale_factor=1.3), last=8),
    "factor_linear": Ordinary(
        lambda x: functional.interpolate(x, scale_factor=1.3, mode="bilinear"), last=8
    ),
    "half": Ordinary(
        lambda x: functional.interpolate(x, scale_factor=0.5, mode="bilinear"), last=8
    ),
    "nearest_exact": Ordinary(
        lambda x: functional.interpolate(x, size=(5, 5), mode="nearest-exact"), last=8
    ),
    "antialias": Ordinary(
        lambda x: functional.interpolate(x, size=(3, 5), mode="bilinear", antialias=True), last=8
    ),
    "like_other": Ordinary(
        lambda x: functional.interpolate(
            functional.max_pool2d(x, 2), size=x.shape[2:], mode="bilinear"
        ),
        last=8,
    ),
    "adaptive_row": Ordinary(lambda x: functional.adaptive_avg_pool2d(x, (None, 1)), last=8),
    "adaptive_max": Ordinary(lambda x: functional.adaptive_max_pool2d(x, (2, 3)), last=8),
    "adaptive_indices": Ordinary(
        lambda x: functional.adaptive_max_pool2d(x, 2, return_indices=True)[0], last=8
    ),
    "adaptive_3d": Ordinary(
        lambda x: functional.adaptive_avg_pool3d(x.unsqueeze(1), (4, 2, 2)).flatten(1)
    ),
    "avgpool_divisor": Ordinary(lambda x: functional.avg_pool2d(x, 2, divisor_override=3), last=8),
    "global_by_kernel": Ordinary(lambda x: functional.avg_pool2d(x, x.shape[2:]).flatten(1)),
    "pool_indices": Ordinary(lambda x: functional.max_pool2d(x, 2, return_indices=True)[0], last=8),
    "lp_pool": Ordinary(lambda x: functional.lp_pool2d(x.relu(), 2, 2), last=8),
    "edit_channel": Ordinary(_edit_channel, last=8),
    "edit_range": Ordinary(_edit_range, last=8),
    "fill_parts": Ordinary(_fill_parts, last=8),
}

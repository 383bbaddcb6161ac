"""Functions of values in order, at places, up to places, and by comparison."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.importers.torch.ordinary_forms import Ordinary


def unpooled(x: Tensor, *window: Any) -> Tensor:
    """Put the squares of maxima back to their places."""
    most, at = functional.max_pool2d(x, *window, return_indices=True)
    return functional.max_unpool2d(most.square(), at, *window, output_size=x.shape[2:])


def whole_quotients(x: Tensor) -> Tensor:
    """Divide whole numbers by one whose reciprocal, rounded, is too small."""
    whole = (x * 1000).round().floor()
    return (whole * 41 / 41).floor()


PLACES: dict[str, nn.Module] = {
    "antialias": Ordinary(
        lambda x: functional.interpolate(x, size=(3, 5), mode="bilinear", antialias=True), last=8
    ),
    "antialias_cubic": Ordinary(
        lambda x: functional.interpolate(x, size=(5, 17), mode="bicubic", antialias=True), last=8
    ),
    "cumsum": Ordinary(lambda x: x.cumsum(2), last=8),
    "cumsum_c": Ordinary(lambda x: torch.cumsum(x, dim=1), last=8),
    "cumprod": Ordinary(lambda x: x.sigmoid().cumprod(3), last=8),
    "integral": Ordinary(lambda x: x.cumsum(2).cumsum(3) / 10, last=8),
    "sort": Ordinary(lambda x: x.sort(1)[0], last=8),
    "sort_desc": Ordinary(lambda x: torch.sort(x.flatten(2), dim=-1, descending=True).values),
    "msort": Ordinary(lambda x: x.flatten(1).sort().values),
    "topk": Ordinary(lambda x: x.flatten(2).topk(5)[0]),
    "topk_c": Ordinary(lambda x: x.topk(3, dim=1).values, last=3),
    "topk_mean": Ordinary(lambda x: x.flatten(2).topk(4, -1)[0].mean(-1)),
    "kthvalue": Ordinary(lambda x: x.kthvalue(3, dim=1, keepdim=True)[0], last=1),
    "median": Ordinary(lambda x: x.median(1, keepdim=True)[0], last=1),
    "median_space": Ordinary(lambda x: x.flatten(2).median(-1).values),
    "argmax": Ordinary(lambda x: x.argmax(1)),
    "argmin_keep": Ordinary(lambda x: x.argmin(1, keepdim=True)),
    "argsort": Ordinary(lambda x: x.argsort(1, descending=True)),
    "argmax_float": Ordinary(lambda x: x.argmax(1).float() / 7),
    "soft_argmax": Ordinary(lambda x: (x.flatten(2).softmax(-1) * torch.arange(96.0)).sum(-1)),
    "gather": Ordinary(lambda x: x.gather(1, x.argmax(1, keepdim=True)), last=1),
    "gather_topk": Ordinary(
        lambda x: torch.gather(
            x.flatten(2), 2, x.mean(1).flatten(1).topk(4, dim=1)[1].unsqueeze(1).expand(-1, 8, -1)
        )
    ),
    "take_along": Ordinary(lambda x: torch.take_along_dim(x, x.argsort(dim=2), dim=2), last=8),
    "one_hot": Ordinary(
        lambda x: functional.one_hot(x.argmax(1), 8).permute(0, 3, 1, 2).float() * x, last=8
    ),
    "hard_mask": Ordinary(
        lambda x: x * torch.zeros_like(x).scatter_(1, x.topk(3, 1)[1], 1.0), last=8
    ),
    "prod": Ordinary(lambda x: x.prod(1, keepdim=True), last=1),
    "prod_space": Ordinary(lambda x: (x + 1).flatten(2)[..., :5].prod(2)),
    "sign": Ordinary(lambda x: x.sign() * x.abs().sqrt(), last=8),
    "round": Ordinary(lambda x: (x * 7.3).round() / 4, last=8),
    "floor": Ordinary(lambda x: torch.floor(x * 5.1), last=8),
    "ceil": Ordinary(lambda x: torch.ceil(x * 5.1), last=8),
    "trunc": Ordinary(lambda x: torch.trunc(x * 5.1), last=8),
    "frac": Ordinary(lambda x: torch.frac(x * 5.1), last=8),
    "fmod": Ordinary(lambda x: torch.fmod(x, 0.37), last=8),
    "remainder": Ordinary(lambda x: x % 0.37, last=8),
    "floor_div": Ordinary(lambda x: x // 0.37, last=8),
    "rounded_div": Ordinary(
        lambda x: torch.div(x, 0.37, rounding_mode="floor") - x.div(2, rounding_mode="trunc"),
        last=8,
    ),
    "places_of_peaks": Ordinary(  # rows and columns of the largest values, as in CenterNet
        lambda x: (
            torch.gather(x[:, 1].flatten(1), 1, (peaks := x.flatten(1).topk(5)[1]) % 96)
            + (peaks % 96 // 12) * 0.1
            - torch.fmod(peaks, 12) * torch.div(peaks, 96, rounding_mode="floor")
        )
    ),
    "quotient": Ordinary(whole_quotients, last=8),
    "ste": Ordinary(lambda x: x + (torch.round(x) - x).detach(), last=8),
    "tan": Ordinary(lambda x: torch.tan(x * 0.3), last=8),
    "atan": Ordinary(lambda x: torch.atan(x), last=8),
    "sinh": Ordinary(lambda x: torch.sinh(x), last=8),
    "cosh": Ordinary(lambda x: torch.cosh(x), last=8),
    "asinh": Ordinary(lambda x: torch.asinh(x), last=8),
    "log10": Ordinary(lambda x: torch.log10(x.abs() + 1), last=8),
    "exp2": Ordinary(lambda x: torch.exp2(x), last=8),
    "erfc": Ordinary(lambda x: torch.erfc(x), last=8),
    "nan_to_num": Ordinary(lambda x: torch.nan_to_num(x), last=8),
    "logaddexp": Ordinary(lambda x: torch.logaddexp(x, x.relu()), last=8),
    "softplus_thr": Ordinary(lambda x: functional.softplus(x, 1, 2), last=8),
    "cumsum_pos": Ordinary(lambda x: x + (x > 0).float().cumsum(2), last=8),
    "where_two": Ordinary(lambda x: torch.where(x > x.mean(1, keepdim=True), x, x * 0.1), last=8),
    "where_num": Ordinary(lambda x: torch.where(x > 0, 1.0, -1.0), last=8),
    "masked_inf": Ordinary(lambda x: x.flatten(2).masked_fill(x.flatten(2) < 0, -1e9).softmax(-1)),
    "any_mask": Ordinary(lambda x: x * (x > 0).any(1, keepdim=True), last=8),
    "all_mask": Ordinary(lambda x: x * (x > -3).all(dim=1, keepdim=True), last=8),
    "cross": Ordinary(lambda x: torch.cross(x[:, :3], x[:, 3:6], dim=1), last=3),
    "std_all": Ordinary(lambda x: x / (x.std(dim=(1, 2, 3), keepdim=True) + 1), last=8),
    "max_all": Ordinary(
        lambda x: x / x.flatten(1).max(1)[0].view(-1, 1, 1, 1).clamp(min=1), last=8
    ),
    "minmax": Ordinary(
        lambda x: (
            (x - x.amin((2, 3), keepdim=True))
            / (x.amax((2, 3), keepdim=True) - x.amin((2, 3), keepdim=True) + 1e-6)
        ),
        last=8,
    ),
    "aminmax": Ordinary(lambda x: torch.aminmax(x, dim=1, keepdim=True)[1], last=1),
    "outer": Ordinary(lambda x: x.mean(3).unsqueeze(3) * x.mean(2).unsqueeze(2), last=8),
    "strip": Ordinary(
        lambda x: functional.interpolate(
            functional.adaptive_avg_pool2d(x, (None, 1)),
            (8, 12),
            mode="bilinear",
            align_corners=True,
        ),
        last=8,
    ),
    "ppm": Ordinary(
        lambda x: torch.cat(
            [x]
            + [
                functional.interpolate(
                    functional.adaptive_avg_pool2d(x, s),
                    x.shape[2:],
                    mode="bilinear",
                    align_corners=False,
                )
                for s in (1, 2, 3)
            ],
            1,
        ),
        last=32,
    ),
    "sobel": Ordinary(
        lambda x: functional.conv2d(
            x,
            torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]).expand(8, 1, 3, 3),
            padding=1,
            groups=8,
        ),
        last=8,
    ),
    "haar": Ordinary(
        lambda x: (
            torch.cat([x[..., ::2, :] + x[..., 1::2, :], x[..., ::2, :] - x[..., 1::2, :]], 1) / 2
        ),
        last=16,
    ),
    "maxpool_nms": Ordinary(lambda x: x * (functional.max_pool2d(x, 3, 1, 1) == x).float(), last=8),
    "local_std": Ordinary(
        lambda x: (
            (functional.avg_pool2d(x * x, 3, 1, 1) - functional.avg_pool2d(x, 3, 1, 1) ** 2)
            .clamp(min=0)
            .sqrt()
        ),
        last=8,
    ),
    "global_std": Ordinary(lambda x: torch.cat([x.mean((2, 3)), x.std((2, 3))], 1)),
    "minibatch_free": Ordinary(
        lambda x: torch.cat(
            [x, x.std(1, keepdim=True).mean((2, 3), keepdim=True).expand(-1, 1, 8, 12)], 1
        ),
        last=9,
    ),
    "swap": Ordinary(lambda x: torch.cat([x[:, 4:], x[:, :4]], 1), last=8),
    "ladder": Ordinary(lambda x, a: a(x) + a(a(x)), nn.Conv2d(8, 8, 3, padding=1), last=8),
    "stack_diff": Ordinary(
        lambda x: torch.stack([x[:, i] - x[:, i - 1] for i in range(1, 8)], 1), last=7
    ),
    "channel_last_lin": Ordinary(
        lambda x, m: m(x.movedim(1, -1)).movedim(-1, 1), nn.Linear(8, 5), last=5
    ),
    "softmax2d": Ordinary(lambda x, m: m(x), nn.Softmax2d(), last=8),
    "kron": Ordinary(
        lambda x: torch.einsum("nc,nd->ncd", x.mean((2, 3)), x.amax((2, 3))).flatten(1)
    ),
    "trace": Ordinary(lambda x: torch.diagonal(x[..., :8], dim1=2, dim2=3).sum(-1)),
    "diag_embed": Ordinary(lambda x: torch.diag_embed(x.mean((2, 3))) @ x.flatten(2)),
    "unfold3": Ordinary(
        lambda x: functional.unfold(x, 3).view(x.shape[0], 8, 9, 6, 10).median(2)[0], last=8
    ),
    "index_put": Ordinary(lambda x: x.index_fill(1, torch.tensor([1, 3]), 0), last=8),
    "index_copy": Ordinary(lambda x: x.index_select(1, torch.tensor([3, 1])), last=2),
    "einsum_of_heads": Ordinary(
        lambda x: torch.einsum("bhij,bhjd->bdhi", torch.einsum("bhid,bhjd->bhij", x, x), x)
    ),
    "einsum_of_merged_heads": Ordinary(
        lambda x: torch.einsum("bid,bjd->bij", x.flatten(0, 1), x.flatten(0, 1)).view(-1, 8, 8, 8),
        last=8,
    ),
    "data": Ordinary(  # as in shortcuts that are padded with zeros
        lambda x: x + torch.cat([x[:, :5].data, torch.zeros(len(x), 3, *x.shape[2:])], 1), last=8
    ),
    "unpool": Ordinary(lambda x: unpooled(x, 2, 2), last=8),
    "unpool_overlaps": Ordinary(lambda x: unpooled(x, 3, 2, 1), last=8),
    "unpool_wide": Ordinary(lambda x: unpooled(x, (2, 3), (2, 3)), last=8),
    "stack_of_one": Ordinary(lambda x: torch.stack([x], 2).mean(2), last=8),
    "stack_of_one_first": Ordinary(lambda x: torch.stack([x]).mean(0), last=8),
    "many_places": Ordinary(
        lambda x: x.repeat(1, 150, 1, 1).index_select(1, torch.arange(1200).flip(0))[:, :8], last=8
    ),
    "adv_index": Ordinary(
        lambda x: x[:, :, torch.tensor([0, 2])[:, None], torch.tensor([1, 3, 5])], last=8
    ),
    "table_of_places": Ordinary(
        lambda x: x[:, torch.tensor([[0, 3], [5, 1], [2, 2]])].mean(2), last=3
    ),
    "table_of_rows": Ordinary(lambda x: x[:, :, torch.tensor([[0, 3], [-1, 1]])].amax(3), last=8),
    "upper_triangle": Ordinary(
        lambda x: x[..., :8].flatten(2)[:, :, torch.ones(8, 8).triu().view(64).nonzero()]
    ),
    "places_of_a_mask": Ordinary(
        lambda x: (
            x[:, :, *torch.where(torch.eye(8, 12) > 0)]
            + x.flatten(2)[..., torch.nonzero(torch.eye(8, 12).flatten(), as_tuple=True)[0]]
        )
    ),
    "none_index": Ordinary(lambda x: (x[:, None] * x[:, :, None]).mean(2), last=8),
    "neg_step": Ordinary(lambda x: x[..., torch.arange(11, -1, -1)], last=8),
    "pad_replicate3": Ordinary(lambda x: functional.pad(x, (1, 1, 2, 2), mode="replicate"), last=8),
    "lerp_t": Ordinary(lambda x: torch.lerp(x, x.relu(), x.sigmoid()), last=8),
    "gru_conv": Ordinary(
        lambda x, a: (1 - a(x).sigmoid()) * x + a(x).sigmoid() * a(x.tanh()).tanh(),
        nn.Conv2d(8, 8, 3, padding=1),
        last=8,
    ),
    "instance_by_hand": Ordinary(
        lambda x: (
            (x - x.mean((2, 3), keepdim=True))
            / torch.sqrt(x.var((2, 3), keepdim=True, unbiased=False) + 1e-5)
        ),
        last=8,
    ),
    "sum_list": Ordinary(lambda x: sum([x, x.relu(), x.tanh()]), last=8),
    "reduce_mul": Ordinary(
        lambda x: torch.prod(torch.stack([x, x.sigmoid(), x.tanh()]), 0), last=8
    ),
    "stack0_mean": Ordinary(lambda x: torch.stack([x, x.relu()]).mean(0), last=8),
    "stack0_max": Ordinary(lambda x: torch.stack([x, x.relu()]).max(0)[0], last=8),
}

"""More ordinary ways of writing a layer: products in any layout, attention, parts of images.

Those of `ordinary_forms.py` are of one value, of two, or along an axis.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.importers.torch.ordinary_forms import Held, Ordinary


def tokens(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """torch's attention module on the positions of a map, or on two views of them."""

    def __init__(self, kind: str = "self", first: bool = True, **words: bool | int) -> None:
        super().__init__()
        self.mix = nn.MultiheadAttention(8, 2, batch_first=first, **words)
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        t = tokens(x) if self.mix.batch_first else x.flatten(2).permute(2, 0, 1)
        few = t[:, :5] if self.mix.batch_first else t[:5]
        size = t.shape[1]
        out: Tensor
        match self.kind:
            case "keys":
                out = self.mix(t, few, few)[0]
            case "queries":
                out = self.mix(few, t, t, need_weights=False)[0]
            case "three":
                out = self.mix(t, t.relu(), t.sigmoid())[0]
            case "causal":
                mask = nn.Transformer.generate_square_subsequent_mask(size)
                out = self.mix(t, t, t, attn_mask=mask, is_causal=True)[0]
            case "masked keys":
                mask = torch.ones(size, 5, dtype=torch.bool).triu(1)
                out = self.mix(t, few, few, attn_mask=mask)[0]
            case "weights":
                out, weights = self.mix(t, t, t)
                return out.sum(1) + weights.mean((1, 2)).unsqueeze(1)
            case _:
                out = self.mix(t, t, t)[0]
        return out if self.mix.batch_first else out.transpose(0, 1)


class RelativePosition(nn.Module):
    """Attention whose mask is a product of the queries and a table, Shaw et al. 2018."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)
        self.table = nn.Parameter(torch.rand(8, 8, 4))

    def forward(self, x: Tensor) -> Tensor:
        t = x.mean(3).transpose(1, 2)
        n, positions, channels = t.shape
        q, k, v = self.qkv(t).view(n, positions, 3, 2, 4).permute(2, 0, 3, 1, 4)
        mask = torch.einsum("bhlc,lkc->bhlk", q, self.table)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return mixed.transpose(1, 2).reshape(n, positions, channels)


class Rows(nn.Module):
    """Convolutions along the columns of a map, each of which stands in the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(8, 8, 3, padding=1, bias=False), nn.BatchNorm1d(8), nn.PReLU(8),
            nn.AvgPool1d(3, 1, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        y = self.layers(x.permute(0, 3, 1, 2).reshape(n * w, c, h))
        out: Tensor = y.view(n, w, c, h).permute(0, 2, 3, 1)
        return out


class Windows(nn.Module):
    """Convolutions in windows, which stand in the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ZeroPad2d((1, 0, 1, 0)), nn.Conv2d(8, 16, 2, groups=2), nn.BatchNorm2d(16),
            nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        y = x.view(n, c, 2, h // 2, 3, w // 3).permute(0, 2, 4, 1, 3, 5)
        y = self.layers(y.reshape(-1, c, h // 2, w // 3))
        y = y.view(n, 2, 3, 16, h // 4, w // 6).permute(0, 3, 1, 4, 2, 5)
        return y.reshape(n, 16, h // 2, w // 2)


class Frames(nn.Module):
    """A network on each frame of a clip, and a recurrent one on what it gives."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(2, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
            nn.Flatten(), nn.Linear(4, 6),
        )  # fmt: skip
        self.over_time = nn.GRU(6, 5, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        n = x.shape[0]
        features = self.trunk(x.view(n * 4, 2, 8, 12)).view(n, 4, 6)
        out: Tensor = self.over_time(features)[0][:, -1]
        return out


class Steps(nn.Module):
    """A recurrent cell in a loop of Python, from zeros."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor) -> Tensor:
        rows = x.mean(3).transpose(1, 2)
        state = x.new_zeros(x.shape[0], 6)
        pair = isinstance(self.cell, nn.LSTMCell)
        states = (state, state) if pair else state
        outputs = []
        for place in range(3):
            states = self.cell(rows[:, place], states)
            outputs.append(states[0] if pair else states)
        return torch.stack([*outputs, states[1]] if pair else outputs, 1)


def _global_queries(x: Tensor) -> Tensor:
    """Queries of the whole image for each of its windows, Hatamizadeh et al. 2023."""
    n = x.shape[0]
    queries = tokens(functional.adaptive_avg_pool2d(x, 2)).repeat_interleave(24, 0)
    windows = x.view(n, 8, 4, 2, 6, 2).permute(0, 2, 4, 3, 5, 1).reshape(-1, 4, 8)
    scores = (queries @ windows.transpose(-1, -2)).softmax(-1)
    return scores.matmul(windows).view(n, 24, 4, 8)


class Bilinear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.form = nn.Bilinear(8, 8, 5)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.form(x.mean((2, 3)), x.amax((2, 3)))
        return out


def _masked_scores(x: Tensor) -> Tensor:
    return x.flatten(2).masked_fill(torch.arange(96) > 50, float("-inf")).softmax(-1)


FURTHER: dict[str, nn.Module] = {
    # products with weights
    "matmul_right": Ordinary(lambda x, p: p(x), Held(lambda x, p: x @ p, 12, 5), last=8),
    "matmul_left": Ordinary(lambda x, p: p(x), Held(lambda x, p: p @ x, 5, 8), last=8),
    "matmul_vector": Ordinary(lambda x, p: p(x), Held(lambda x, p: x @ p, 12)),
    "matmul_each": Ordinary(lambda x, p: p(x), Held(lambda x, p: x @ p, 8, 12, 5), last=8),
    "matmul_each_left": Ordinary(
        lambda x, p: p(x), Held(lambda x, p: p @ x, 1, 8, 5, 8), last=8
    ),
    "addmm": Ordinary(
        lambda x, p: p(x.mean((2, 3))), Held(lambda x, p: torch.addmm(p[0], x, p), 8, 8)
    ),
    "baddbmm": Ordinary(
        lambda x, p: p(x),
        Held(
            lambda x, p: torch.baddbmm(
                p.expand(x.shape[0], -1, -1), x.mean(1), x.mean(1).transpose(1, 2)
            ),
            8,
            8,
        ),
    ),
    "bilinear": Ordinary(lambda x, b: b(x), Bilinear()),
    "cdist_both": Ordinary(lambda x: torch.cdist(x.flatten(2), x.flatten(2).relu())),
    "einsum_channels": Ordinary(
        lambda x, p: p(x), Held(lambda x, p: torch.einsum("nchw,cd->ndhw", x, p), 8, 5), last=5
    ),
    "einsum_two_axes": Ordinary(
        lambda x, p: p(x), Held(lambda x, p: torch.einsum("nchw,chk->nwk", x, p), 8, 8, 3)
    ),
    "einsum_vector": Ordinary(
        lambda x, p: p(x), Held(lambda x, p: torch.einsum("nchw,c->nhw", x, p), 8)
    ),
    "einsum_swapped": Ordinary(
        lambda x, p: p(x), Held(lambda x, p: torch.einsum("dkc,ncw->nkdw", p, x.mean(2)), 3, 4, 8)
    ),
    "einsum_together": Ordinary(
        lambda x, p: p(x), Held(lambda x, p: torch.einsum("nchw,hkc->nhwk", x, p), 8, 5, 8)
    ),
    "einsum_ellipsis": Ordinary(
        lambda x, p: p(x), Held(lambda x, p: torch.einsum("...w,wv->...v", x, p), 12, 5), last=8
    ),
    "einsum_dots_of_two": Ordinary(lambda x: torch.einsum("...hw,...hv->...wv", x, x.relu())),
    "einsum_sum": Ordinary(lambda x: torch.einsum("nchw->nc", x)),
    "einsum_implicit": Ordinary(
        lambda x, p: p(x), Held(lambda x, p: torch.einsum("abcd,bz", x, p), 8, 5)
    ),
    "einsum_permuted": Ordinary(lambda x: torch.einsum("nchw->nhwc", x)),
    # attention
    "mha_keys": Ordinary(lambda x, m: m(x), Attention("keys")),
    "mha_queries": Ordinary(lambda x, m: m(x), Attention("queries")),
    "mha_three": Ordinary(lambda x, m: m(x), Attention("three")),
    "mha_causal": Ordinary(lambda x, m: m(x), Attention("causal")),
    "mha_masked_keys": Ordinary(lambda x, m: m(x), Attention("masked keys", bias=False)),
    "mha_weights": Ordinary(lambda x, m: m(x), Attention("weights")),
    "mha_other_sizes": Ordinary(lambda x, m: m(x), Attention("keys", kdim=8, vdim=8)),
    "mha_more_keys": Ordinary(lambda x, m: m(x), Attention(add_bias_kv=True)),
    "mha_zero_key": Ordinary(lambda x, m: m(x), Attention(add_zero_attn=True)),
    "mha_positions_first": Ordinary(lambda x, m: m(x), Attention("keys", first=False)),
    "decoder": Ordinary(
        lambda x, d: d(tokens(x)[:, :5], tokens(x)),
        nn.TransformerDecoderLayer(8, 2, 16, batch_first=True),
    ),
    "relative_position": Ordinary(lambda x, m: m(x), RelativePosition()),
    "masked_scores": Ordinary(_masked_scores),
    "global_queries": Ordinary(_global_queries),
    # parts of images in the batch
    "rows": Ordinary(lambda x, m: m(x), Rows(), last=8),
    "linear_in_windows": Ordinary(
        lambda x, m: m(
            x.permute(0, 2, 3, 1).reshape(-1, 2, 4, 3, 4, 8).transpose(2, 3)
        ).transpose(2, 3).reshape(-1, 8, 12, 8).permute(0, 3, 1, 2),
        nn.Linear(8, 8),
        last=8,
    ),
    "vectors_normed": Ordinary(
        lambda x, m: (
            m(x.flatten(2).transpose(1, 2).flatten(0, 1))
            .reshape(x.shape[0], -1, 8)
            .transpose(1, 2)
            .reshape(x.shape)
        ),
        nn.BatchNorm1d(8),
        last=8,
    ),
    "rows_padded_and_expanded": Ordinary(
        lambda x: (
            functional.pad(x.reshape(-1, 12), (0, 3))
            .unsqueeze(1)
            .expand(-1, 2, -1)
            .reshape(x.shape[0], 8, 16, 15)
        ),
        last=8,
    ),
    "windows": Ordinary(lambda x, m: m(x), Windows(), last=16),
    "frames": Ordinary(lambda x, m: m(x), Frames()),
    # recurrent cells
    "lstm_cell": Ordinary(lambda x, c: c(x), Steps(nn.LSTMCell(8, 6))),
    "gru_cell": Ordinary(lambda x, c: c(x), Steps(nn.GRUCell(8, 6))),
    "rnn_cell": Ordinary(lambda x, c: c(x), Steps(nn.RNNCell(8, 6, nonlinearity="relu"))),
    "rnn_cell_once": Ordinary(lambda x, c: c(x.mean((2, 3))), nn.RNNCell(8, 6, bias=False)),
    # norms that learn a half
    "batch_norm_no_weight": Ordinary(
        lambda x, p: p(x),
        Held(lambda x, p: functional.batch_norm(x, torch.zeros(8), torch.ones(8), None, p), 8),
        last=8,
    ),
    "group_norm_no_bias": Ordinary(
        lambda x, p: p(x), Held(lambda x, p: functional.group_norm(x, 2, p), 8), last=8
    ),
    "instance_norm_no_bias": Ordinary(
        lambda x, p: p(x), Held(lambda x, p: functional.instance_norm(x, weight=p), 8), last=8
    ),
    "layer_norm_no_bias": Ordinary(lambda x, n: n(tokens(x)), nn.LayerNorm(8, bias=False)),
    "layer_norm_no_weight": Ordinary(
        lambda x, p: p(x), Held(lambda x, p: functional.layer_norm(x, (12,), None, p), 12), last=8
    ),
    "rms_norm": Ordinary(lambda x, n: n(tokens(x)), nn.RMSNorm(8)),
    "rms_norm_flat": Ordinary(
        lambda x, n: n(x.mean((2, 3))), nn.RMSNorm(8, eps=1e-6, elementwise_affine=False)
    ),
    # parts, order and choice
    "tensor_split": Ordinary(lambda x: torch.cat(x.tensor_split(3, 1)[::-1], 1), last=8),
    "tensor_split_at": Ordinary(lambda x: torch.cat(x.tensor_split((2, 3), 1)[::-1], 1), last=8),
    "uneven_chunks": Ordinary(lambda x: torch.cat(x.chunk(3, 1)[::-1], 1), last=8),
    "patches": Ordinary(lambda x: x.unfold(2, 4, 4).unfold(3, 5, 5).flatten(2)),
    "maximum_padded_by_hand": Ordinary(
        lambda x: functional.max_pool2d(
            functional.pad(x, (0, 1, 0, 1), value=float("-inf")), 3, 2
        ),
        last=8,
    ),
    "infinity_around": Ordinary(
        lambda x: functional.pad(x, (2, 2), value=float("-inf")).sigmoid(), last=8
    ),
    "unfold_strided": Ordinary(lambda x, u: u(x), nn.Unfold((2, 3), stride=2, padding=1)),
    "unfold_and_fold": Ordinary(
        lambda x: functional.fold(functional.unfold(x, 3, padding=1), (8, 12), 3, padding=1),
        last=8,
    ),
    "unfold_as_convolution": Ordinary(
        lambda x, c: c(functional.unfold(x, 3, padding=1).transpose(1, 2)), nn.Linear(72, 5)
    ),
    "overlapping": Ordinary(lambda x: x.unfold(3, 3, 2).amax(-1), last=8),
    "rot90": Ordinary(lambda x: torch.rot90(x, 1, (2, 3)), last=8),
    "rot270": Ordinary(lambda x: torch.rot90(x, -1, (2, 3)), last=8),
    "diff": Ordinary(lambda x: torch.diff(x, dim=3), last=8),
    "tril": Ordinary(lambda x: x.tril(), last=8),
    "where_fixed": Ordinary(
        lambda x: torch.where(torch.arange(12) % 2 == 0, x, torch.zeros_like(x)), last=8
    ),
    "where_infinity": Ordinary(
        lambda x: torch.where(
            torch.arange(96) > 50, torch.full_like(x.flatten(2), float("-inf")), x.flatten(2)
        ).softmax(-1)
    ),
    "conv_learns_bias": Ordinary(
        lambda x, p: p(x),
        Held(lambda x, p: functional.conv2d(x, torch.eye(8)[:, :, None, None], p), 8),
        last=8,
    ),
    # arithmetic
    "rrelu": Ordinary(lambda x, c: c(x), nn.RReLU(), last=8),
    "logit": Ordinary(lambda x: torch.logit(x.sigmoid()), last=8),
    "hypot": Ordinary(lambda x: torch.hypot(x, x.relu()), last=8),
    "var_mean": Ordinary(lambda x: torch.cat(torch.var_mean(x, (2, 3)), 1)),
    "feature_alpha_dropout": Ordinary(lambda x, d: d(x), nn.FeatureAlphaDropout(0.3), last=8),
}  # fmt: skip

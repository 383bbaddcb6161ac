"""Layers with constant weights, and layers on the rows of a map.

Fourier features, transforms to frequencies and inverse wavelets hold constants; recurrent layers
and attention with positions read each row of a map as a sequence of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.importers.torch.ordinary_forms import Held, Ordinary


def tokens(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2)


class Rows(nn.Module):
    """A recurrent layer along each row of a map, whose last state is a column."""

    def __init__(self, layer: nn.GRU | nn.LSTM | nn.RNN, last: bool = False) -> None:
        super().__init__()
        self.layer, self.of_last = layer, last

    def forward(self, x: Tensor) -> Tensor:
        images, channels, height, width = x.shape
        if self.layer.batch_first:
            sequence, state = self.layer(x.permute(0, 2, 3, 1).reshape(-1, width, channels))
            out = sequence.reshape(images, height, width, -1)
        else:
            sequence, state = self.layer(x.permute(3, 0, 2, 1).reshape(width, -1, channels))
            out = sequence.reshape(width, images, height, -1).permute(1, 2, 0, 3)
        if not self.of_last:
            return out.permute(0, 3, 1, 2)
        state = state[0] if isinstance(state, tuple) else state
        result: Tensor = state.permute(1, 0, 2).reshape(images, height, -1)
        return result


class ByPlaces(nn.Module):
    """Queries in heads, times a matrix for each of their rows, as in the encoder of SAM."""

    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.rand(15, 4))

    def forward(self, x: Tensor) -> Tensor:
        heads = x.reshape(-1, 2, 4, 8, 12).permute(0, 1, 3, 4, 2).flatten(0, 1)
        far = torch.arange(8)[:, None] - torch.arange(8)[None, :] + 7
        scores = torch.einsum("bhwc,hkc->bhwk", heads, self.places[far])
        return scores.unflatten(0, (-1, 2)).permute(0, 1, 4, 2, 3).flatten(1, 2)


def without_a_third(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """Clear a part of the bias, as Swin V2 does for its keys."""
    bias = layer.bias.clone()  # type: ignore[union-attr]
    bias[2:4].zero_()
    return functional.conv2d(x, layer.weight, bias)


def filled_twice(x: Tensor) -> Tensor:
    mask = torch.zeros(8, 12)
    before = mask + 1
    mask[:3] = 2
    mask.view(-1)[-5:].add_(before.sum() / 96)
    return x * mask + before


def heads(x: Tensor, count: int) -> Tensor:
    return x.unflatten(1, (count, -1)).flatten(3).transpose(2, 3)


def one_matrix(x: Tensor) -> Tensor:
    """Multiply the queries of all heads with the one matrix of an image, as lambda layers do."""
    key = x[:, :2].flatten(2).unsqueeze(1)
    return (heads(x, 4) @ (key @ heads(x, 1))).flatten(1, 2)


def one_key(x: Tensor) -> Tensor:
    key = x[:, :2].flatten(2).transpose(1, 2).unsqueeze(1)
    return functional.scaled_dot_product_attention(heads(x, 4), key, key * 2).flatten(1, 2)


def few_keys(x: Tensor) -> Tensor:
    key = heads(x[:, :4], 2)
    mixed = functional.scaled_dot_product_attention(heads(x, 4), key, key * 2, enable_gqa=True)
    return mixed.flatten(1, 2)


def fixed(combine: object, *size: int) -> nn.Module:
    return Held(combine, *size, fixed=True)  # type: ignore[arg-type]


def put_at_places(x: Tensor, values: Tensor) -> Tensor:
    """Set channels that a mask chooses, and swap two of them."""
    kept = values > values.median()
    out = torch.zeros_like(x)
    out[:, kept] = 2 * x[:, kept]
    out[:, [1, -1]] = out[:, [-1, 1]] + 1
    return out


HELD: dict[str, nn.Module] = {
    "fixed_linear": Ordinary(
        lambda x, f: f(x), fixed(lambda x, w: functional.linear(x.mean((2, 3)), w), 5, 8)
    ),
    "fixed_of_tokens": Ordinary(lambda x, f: f(x), fixed(lambda x, w: tokens(x) @ w, 8, 5)),
    "fixed_of_maps": Ordinary(
        lambda x, f: f(x), fixed(lambda x, w: torch.einsum("bchw,cd->bdhw", x, w), 8, 5), last=5
    ),
    "fixed_of_positions": Ordinary(
        lambda x, f: f(x), fixed(lambda x, w: x.flatten(2) @ w, 96, 3)
    ),
    "fourier": Ordinary(
        lambda x, f: torch.cat([f(x).sin(), f(x).cos()], -1),
        fixed(lambda x, w: tokens(x) @ w, 8, 5),
    ),
    "fixed_both": Ordinary(
        lambda x, f: f(x),
        fixed(lambda x, w: functional.conv2d(x, w, w[:, 0, 0, 0]), 6, 8, 3, 3), last=6,
    ),
    "fixed_bias": Ordinary(
        lambda x, c, f: f((x, c.weight)),
        nn.Conv2d(8, 6, 1, bias=False),
        fixed(lambda both, b: functional.conv2d(*both, b), 6), last=6,
    ),
    "fixed_bias_of_linear": Ordinary(
        lambda x, c, f: f((tokens(x), c.weight)),
        nn.Linear(8, 6, bias=False),
        fixed(lambda both, b: functional.linear(*both, b), 6),
    ),
    "fixed_transposed": Ordinary(
        lambda x, f: f(x),
        fixed(lambda x, w: functional.conv_transpose2d(x, w, stride=2, groups=8), 8, 1, 2, 2),
        last=8,
    ),
    "gru_of_rows": Ordinary(
        lambda x, r: r(x), Rows(nn.GRU(8, 5, 2, batch_first=True, bidirectional=True)), last=10
    ),
    "rnn_of_rows_first": Ordinary(lambda x, r: r(x), Rows(nn.RNN(8, 5)), last=5),
    "gru_state_of_rows": Ordinary(
        lambda x, r: r(x), Rows(nn.GRU(8, 5, batch_first=True, bidirectional=True), last=True)
    ),
    "gru_state_of_rows_first": Ordinary(lambda x, r: r(x), Rows(nn.GRU(8, 5), last=True)),
    "copy_of_bias_changed": Ordinary(without_a_third, nn.Conv2d(8, 6, 1), last=6),
    "constant_changed": Ordinary(filled_twice, last=8),
    "one_matrix_for_heads": Ordinary(one_matrix),
    "one_key_for_heads": Ordinary(one_key),
    "few_keys_for_heads": Ordinary(few_keys),
    "by_mask": Ordinary(
        lambda x, f: f(x), fixed(lambda x, v: x[:, v > v.median()].mean(1, keepdim=True) * x, 8),
        last=8,
    ),
    "by_mask_of_positions": Ordinary(
        lambda x, f: f(x), fixed(lambda x, v: x[:, :, v > v.median()], 8, 12)
    ),
    "weights_by_mask": Ordinary(
        lambda x, c, f: f((x, c)), nn.Conv2d(8, 6, 1, bias=False),
        fixed(lambda both, v: functional.conv2d(both[0], both[1].weight[v > v.median()]), 6),
        last=3,
    ),
    "put_at_places": Ordinary(lambda x, f: f(x), fixed(put_at_places, 8), last=8),
    "by_places": Ordinary(lambda x, p: p(x), ByPlaces(), last=16),
}  # fmt: skip

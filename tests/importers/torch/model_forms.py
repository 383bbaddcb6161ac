"""Parts of well-known networks: masks, casts, bags, rows of attention, assembled volumes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.importers.torch.ordinary_forms import Held, Ordinary


def tokens(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2)


def _chosen_set(x: Tensor) -> Tensor:
    y = x.clone()
    y[y < 0] = 0.5
    return y


def _in_place_mask(x: Tensor) -> Tensor:
    y = x.flatten(2)
    y.masked_fill_(torch.arange(96) > 50, float("-inf"))
    return y.softmax(-1)


def _shifted_in_time(x: Tensor) -> Tensor:
    """Channels of neighbouring frames, Lin et al. 2019."""
    frames = x.view(-1, 2, 4, 8, 12)
    out = torch.zeros_like(frames)
    out[:, :-1, :1] = frames[:, 1:, :1]
    out[:, 1:, 1:2] = frames[:, :-1, 1:2]
    out[:, :, 2:] = frames[:, :, 2:]
    return out.view(-1, 8, 8, 12)


def _cost_volume(x: Tensor) -> Tensor:
    """Two views shifted against each other, Chang and Chen 2018."""
    left, right = x.chunk(2, 1)
    volume = x.new_zeros(x.shape[0], 8, 3, 8, 12)
    volume[:, :4, 0], volume[:, 4:, 0] = left, right
    for shift in (1, 2):
        volume[:, :4, shift, :, shift:] = left[..., shift:]
        volume[:, 4:, shift, :, shift:] = right[..., :-shift]
    return volume


class Axial(nn.Module):
    """Attention along the rows, then along the columns, Ho et al. 2019."""

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.columns = (nn.MultiheadAttention(8, 2, batch_first=True) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(n * h, w, c)
        rows = self.rows(rows, rows, rows, need_weights=False)[0].reshape(n, h, w, c)
        columns = rows.transpose(1, 2).reshape(n * w, h, c)
        columns = self.columns(columns, columns, columns)[0]
        return columns.reshape(n, w, h, c).permute(0, 3, 2, 1)


class PaddedKeys(nn.Module):
    """An encoder layer that ignores the positions that the input marks."""

    def __init__(self, causal: bool = False) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.causal = causal

    def forward(self, x: Tensor) -> Tensor:
        t = x.mean(2).transpose(1, 2)
        mask = torch.full((12, 12), float("-inf")).triu(1) if self.causal else None
        unread = t[..., 0] > 0.4
        out: Tensor = self.layer(t, src_mask=mask, src_key_padding_mask=unread)
        return out


def _routed(x: Tensor, weight: Tensor) -> Tensor:
    """Capsules whose predictions agree, Sabour et al. 2017."""
    capsules = x.flatten(2).transpose(1, 2)[:, :10]
    predicted = (weight @ capsules[:, :, None, :, None]).squeeze(-1)
    scores = x.new_zeros(x.shape[0], 10, 3, 1)
    for _ in range(2):
        out = (scores.softmax(2) * predicted).sum(1, keepdim=True)
        scores = scores + (predicted * out).sum(-1, keepdim=True)
    return out.squeeze(1)


class ComplexRotary(nn.Module):
    """Pairs of channels turned by complex constants, as in Llama."""

    turns: Tensor

    def __init__(self) -> None:
        super().__init__()
        angles = torch.outer(torch.arange(12.0), 10 ** -torch.arange(2.0))
        self.register_buffer("turns", torch.polar(torch.ones_like(angles), angles))
        self.project = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        heads = self.project(x.mean(2).transpose(1, 2)).unflatten(2, (2, 4))
        pairs = torch.view_as_complex(heads.float().reshape(*heads.shape[:-1], -1, 2))
        turned = torch.view_as_real(pairs * self.turns.view(1, 12, 1, 2)).flatten(3)
        return turned.type_as(x).flatten(2)


def _polar(x: Tensor) -> Tensor:
    wave = torch.polar(x[:, :4].abs(), x[:, 4:])
    both = torch.complex(x[:, 4:], x[:, :4]) * wave.conj() + wave
    return torch.cat([both.real, both.abs()], 1)


def _vlad(x: Tensor, centres: Tensor) -> Tensor:
    """Residuals of all positions to centres, Arandjelovic et al. 2016."""
    features = x.flatten(2)
    spread = features.expand(4, -1, -1, -1).permute(1, 0, 2, 3)
    residuals = spread - centres.expand(96, -1, -1).permute(1, 2, 0).unsqueeze(0)
    return residuals.sum(-1)


class Recurrent(nn.Module):
    """A recurrent module on the rows of a map, and what is read of it."""

    def __init__(self, module: nn.Module, what: str) -> None:
        super().__init__()
        self.module, self.what = module, what

    def forward(self, x: Tensor) -> Tensor:
        steps = x.mean(2).transpose(1, 2)
        n = steps.shape[0]
        out, states = self.module(steps if self.module.batch_first else steps.transpose(0, 1))
        last, cells = states if isinstance(states, tuple) else (states, states)
        match self.what:
            case "last":
                return last[-1]
            case "both ends":
                return torch.cat([last[-2], last[-1]], 1)
            case "all":
                return last.transpose(0, 1).flatten(1)
            case "by layer":
                return last.view(2, 2, n, 6)[0].sum(0)
            case "cells":
                return cells.permute(1, 0, 2).reshape(n, -1)
            case "sequence":
                return out[:, -1]
            case _:
                return torch.cat([out.mean(1), last[0], *cells.unbind(0)], 1)


class Translation(nn.Module):
    """A decoder that starts from the states of an encoder, Sutskever et al. 2014."""

    def __init__(self, kind: type[nn.RNNBase], **words: int) -> None:
        super().__init__()
        self.encoder = kind(8, 6, batch_first=True, **words)
        self.decoder = kind(8, 6, batch_first=True, **words)

    def forward(self, x: Tensor) -> Tensor:
        steps = x.mean(2).transpose(1, 2)
        encoded, states = self.encoder(steps)
        decoded = self.decoder(steps[:, :5], states)[0]
        return torch.cat([encoded, decoded], 1)


class Started(nn.Module):
    """A recurrent module that starts from features of the image, or from a parameter."""

    def __init__(self, kind: type[nn.RNNBase], learned: bool = False) -> None:
        super().__init__()
        self.module = kind(8, 6, num_layers=2, batch_first=True)
        self.features = nn.Linear(8, 12)
        self.start = nn.Parameter(torch.rand(2, 1, 6)) if learned else None
        self.requires_grad_(False)  # or the counter fails on what is expanded

    def forward(self, x: Tensor) -> Tensor:
        features = self.features(x.mean((2, 3)))
        start = features.view(-1, 2, 6).transpose(0, 1).contiguous()
        if self.start is not None:
            start = self.start.expand(-1, x.shape[0], -1).contiguous()
        zeros = torch.zeros(2, x.shape[0], 6)
        states = (start, zeros) if isinstance(self.module, nn.LSTM) else start
        out = self.module(x.mean(2).transpose(1, 2), states)[0]
        return torch.cat([out[:, -1], features], 1)


MODELS: dict[str, nn.Module] = {
    "chosen_set": Ordinary(_chosen_set, last=8),
    "masked_scores_of_data": Ordinary(
        lambda x: x.flatten(2).masked_fill(x.flatten(2) < 0, float("-inf")).softmax(-1)
    ),
    "in_place_mask": Ordinary(_in_place_mask),
    "not_a_number": Ordinary(lambda x: torch.where(torch.isnan(x), torch.zeros_like(x), x), last=8),
    "whole_numbers": Ordinary(lambda x: (x * 10).long().float(), last=8),
    "truth": Ordinary(lambda x: x.relu().bool().float(), last=8),
    "limits_of_channels": Ordinary(
        lambda x, p: p(x), Held(lambda x, p: torch.clamp(x, -p, p), 8, 1, 1), last=8
    ),
    "quantile": Ordinary(lambda x: x.flatten(2).quantile(0.9, dim=-1)),
    "sinc": Ordinary(lambda x: torch.sinc(x), last=8),
    "power": Ordinary(lambda x: torch.pow(x.abs() + 0.1, x), last=8),
    "angle": Ordinary(lambda x: torch.atan2(x[:, :4], x[:, 4:]), last=4),
    "angle_to_constant": Ordinary(
        lambda x, p: p(x), Held(lambda x, p: torch.atan2(p, x), 8, 1, 1), last=8
    ),
    "complex_rotary": Ordinary(lambda x, r: r(x), ComplexRotary()),
    "polar": Ordinary(_polar, last=8),
    "tensordot": Ordinary(
        lambda x, p: p(x), Held(lambda x, p: torch.tensordot(x, p, ([1], [0])), 8, 5)
    ),
    "distances_to_codes": Ordinary(
        lambda x, p: p(x), Held(lambda x, p: torch.cdist(tokens(x), p.unsqueeze(0)), 5, 8)
    ),
    "bag": Ordinary(
        lambda x, b: b((x.flatten(2).mean(1) * 3 + 5).long().clamp(0, 19)),
        nn.EmbeddingBag(20, 6),
    ),
    "weights_of_experts": Ordinary(
        lambda x, p: p(x.mean((2, 3))),
        Held(lambda x, p: torch.einsum("nk,koi,ni->no", x[:, :3].softmax(1), p, x), 3, 5, 8),
    ),
    "random_features": Ordinary(
        lambda x, p: p(x.view(-1, 2, 4, 96).transpose(2, 3)),
        Held(lambda x, p: torch.exp(x @ p), 4, 6, fixed=True),
    ),
    "computed_kernel": Ordinary(
        lambda x: functional.conv2d(
            x, torch.tensor([1.0, 2, 1]).outer(torch.tensor([1.0, 2, 1])).repeat(8, 1, 1, 1),
            padding=1, groups=8,
        ),
        last=8,
    ),
    "shifted_in_time": Ordinary(_shifted_in_time, last=8),
    "cost_volume": Ordinary(_cost_volume),
    "axial_attention": Ordinary(lambda x, a: a(x), Axial()),
    "padded_keys": Ordinary(lambda x, a: a(x), PaddedKeys()),
    "padded_keys_causal": Ordinary(lambda x, a: a(x), PaddedKeys(causal=True)),
    "capsules": Ordinary(lambda x, p: p(x), Held(_routed, 1, 10, 3, 6, 8)),
    "vlad": Ordinary(lambda x, p: p(x), Held(_vlad, 4, 8)),
    # states of recurrent modules
    "lstm_last": Ordinary(
        lambda x, r: r(x), Recurrent(nn.LSTM(8, 6, 2, batch_first=True), "last")
    ),
    "lstm_both_ends": Ordinary(
        lambda x, r: r(x),
        Recurrent(nn.LSTM(8, 6, 2, batch_first=True, bidirectional=True), "both ends"),
    ),
    "lstm_all": Ordinary(
        lambda x, r: r(x), Recurrent(nn.LSTM(8, 6, 2, bidirectional=True, bias=False), "all")
    ),
    "lstm_cells": Ordinary(
        lambda x, r: r(x), Recurrent(nn.LSTM(8, 6, 2, batch_first=True), "cells")
    ),
    "lstm_everything": Ordinary(
        lambda x, r: r(x), Recurrent(nn.LSTM(8, 6, batch_first=True, bidirectional=True), "")
    ),
    "lstm_projected": Ordinary(
        lambda x, r: r(x), Recurrent(nn.LSTM(8, 6, 2, batch_first=True, proj_size=3), "last")
    ),
    "lstm_dropout": Ordinary(
        lambda x, r: r(x), Recurrent(nn.LSTM(8, 6, 2, batch_first=True, dropout=0.2), "sequence")
    ),
    "gru_last": Ordinary(lambda x, r: r(x), Recurrent(nn.GRU(8, 6, 2, batch_first=True), "last")),
    "gru_by_layer": Ordinary(
        lambda x, r: r(x), Recurrent(nn.GRU(8, 6, 2, bidirectional=True), "by layer")
    ),
    "rnn_all": Ordinary(lambda x, r: r(x), Recurrent(nn.RNN(8, 6, 3, batch_first=True), "all")),
    "lstm_translation": Ordinary(lambda x, r: r(x), Translation(nn.LSTM)),
    "gru_translation": Ordinary(
        lambda x, r: r(x), Translation(nn.GRU, num_layers=2, bidirectional=True)
    ),
    "lstm_started": Ordinary(lambda x, r: r(x), Started(nn.LSTM)),
    "gru_started": Ordinary(lambda x, r: r(x), Started(nn.GRU)),
    "gru_learned_start": Ordinary(lambda x, r: r(x), Started(nn.GRU, learned=True)),
}  # fmt: skip

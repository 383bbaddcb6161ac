"""Modules that change tensors in place, whole or in parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

MAP = (4, 8, 8)


class Made(nn.Module):
    """A function of the inputs and of modules."""

    def __init__(self, function: Callable[..., Any], *parts: nn.Module) -> None:
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Any:
        return self.function(x, *self.parts)


def same(channels: int = 4) -> nn.Module:
    return nn.Conv2d(channels, channels, 3, padding=1)


def slots(x: Tensor, *layers: nn.Module) -> Tensor:
    out = torch.zeros(len(x), len(layers), 4, 8, 8)
    for place, layer in enumerate(layers):
        out[:, place] = layer(x)
    return out.sum(1)


def part_of_zeros(x: Tensor, conv: nn.Module, *, add: bool) -> Tensor:
    z = torch.zeros_like(x)
    z[:, :2] = conv(x[:, :2])
    return z + x if add else z


def into_empty(x: Tensor, conv: nn.Module) -> Tensor:
    z = torch.empty(x.shape)
    z.copy_(conv(x))
    return z * 2


def into_full(x: Tensor, conv: nn.Module) -> Tensor:
    z = x.new_full((x.shape[0], 4, 10, 10), 0.5)
    z[:, :, 1:-1, 1:-1] = x
    return conv(z)


def checkerboard(x: Tensor, a: nn.Module, b: nn.Module) -> Tensor:
    z = torch.empty_like(x)
    z[..., ::2] = a(x)[..., ::2]
    z[..., 1::2] = b(x)[..., 1::2]
    return z


def added_to_part(x: Tensor, conv: nn.Module) -> Tensor:
    y = x.clone()
    y[:, :3] += conv(x)[:, :3]
    return y


def input_changed(x: Tensor, conv: nn.Module) -> Tensor:
    x.mul_(2)
    x[:, 0] = 0
    return conv(x)


def view_of_view(x: Tensor, conv: nn.Module) -> Tensor:
    y = conv(x)
    y[:, 1:][:, :, 2].transpose(1, 2).add_(1)
    return conv(y)


def flat_view(x: Tensor, conv: nn.Module) -> Tensor:
    y = conv(x)
    y.view(len(x), -1).mul_(3)
    return conv(y)


def given_out(x: Tensor, conv: nn.Module) -> Tensor:
    y = torch.empty_like(x)
    with torch.no_grad():
        torch.add(conv(x), x, out=y)
    return conv(y)


def masked(x: Tensor, conv: nn.Module) -> Tensor:
    y = torch.zeros_like(x)
    y.add_(conv(x))
    y.masked_fill_(x > 0, 0.0)
    y[x < 0] = 1.0
    return y


def indexed(x: Tensor, linear: nn.Module) -> Tensor:
    y = torch.zeros(x.shape[0], 6, 8, 8)
    y[:, [0, 2, 3, 5]] = linear(x)
    return y.index_add(1, torch.tensor([0, 1, 2, 3]), x)


def scattered(x: Tensor, linear: nn.Module) -> Tensor:
    y = torch.zeros_like(x)
    y.scatter_(1, (x > 0).long(), linear(x))
    return y


def chunk_written(x: Tensor, conv: nn.Module) -> Tensor:
    y = conv(x)
    a, b = y[:, :2], y[:, 2:]
    a += b
    return conv(y)


def without_gradient(x: Tensor, conv: nn.Module) -> Tensor:
    y = torch.zeros_like(x)
    with torch.no_grad():
        y[:, 1] = conv(x)[:, 1]
    return y


def diagonal(x: Tensor, linear: nn.Module) -> Tensor:
    y = torch.zeros(x.shape[0], 8, 8)
    y.diagonal(dim1=1, dim2=2).copy_(linear(x.mean((1, 2))))
    return y


def detached(x: Tensor, conv: nn.Module) -> Tensor:
    y = conv(x)
    functional.relu(y.detach(), inplace=True)
    return conv(y)


WRITES: dict[str, nn.Module] = {
    "slots": Made(slots, same(), same(), same()),
    "part of zeros, added": Made(lambda x, c: part_of_zeros(x, c, add=True), same(2)),
    "part of zeros": Made(lambda x, c: part_of_zeros(x, c, add=False), same(2)),
    "into empty": Made(into_empty, same()),
    "into full": Made(into_full, same()),
    "checkerboard": Made(checkerboard, same(), same()),
    "added to part": Made(added_to_part, same()),
    "input changed": Made(input_changed, same()),
    "view of view": Made(view_of_view, same()),
    "flat view": Made(flat_view, same()),
    "given out": Made(given_out, same()),
    "masked": Made(masked, same()),
    "indexed": Made(indexed, nn.Linear(8, 8)),
    "scattered": Made(scattered, nn.Linear(8, 8)),
    "chunk written": Made(chunk_written, same()),
    "without gradient": Made(without_gradient, same()),
    "diagonal": Made(diagonal, nn.Linear(8, 8)),
    "detached": Made(detached, same()),
    "norm and dropout": Made(slots, nn.Sequential(same(), nn.BatchNorm2d(4), nn.Dropout(0.1))),
}  # fmt: skip
"""Modules that change parts of tensors, all of 4x8x8."""

"""Modules written in the many styles that people use."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Functional(nn.Module):
    """Parameters of its own and functions on them, no layer."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(8, 3, 3, 3))
        self.shift = nn.Parameter(torch.randn(8))
        self.matrix = nn.Parameter(torch.randn(5, 8))

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(functional.conv2d(x, self.kernel, self.shift, padding=1))
        x = functional.max_pool2d(functional.dropout(x, 0.5, self.training), 2)
        return functional.linear(functional.adaptive_avg_pool2d(x, 1).flatten(1), self.matrix)


class Operators(nn.Module):
    """The operators `+`, `*`, `@` and a residual in place."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 3, padding=1)
        self.matrix = nn.Parameter(torch.randn(4, 6))

    def forward(self, x: Tensor) -> Tensor:
        y = self.one(x) + self.other(x)
        y = y * torch.sigmoid(y)
        y += self.other(x)
        return y.mean((2, 3)) @ self.matrix


class Shared(nn.Module):
    """One convolution applied twice, and one norm."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(functional.relu(self.norm(self.conv(x)))))


class Tied(nn.Module):
    """Two layers with the same weights, and one that has the first's weight but not its bias."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)
        self.second.weight, self.second.bias = self.first.weight, self.first.bias

    def forward(self, x: Tensor) -> Tensor:
        return self.second(torch.tanh(self.first(x)))


class HalfTied(Tied):
    """A weight without its bias."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(torch.tanh(self.first(x)), self.first.weight)


class Same(nn.Module):
    """`padding="same"` with an even kernel and dilation."""

    def __init__(self) -> None:
        super().__init__()
        self.even = nn.Conv2d(3, 4, 4, padding="same")
        self.wide = nn.Conv2d(4, 4, (3, 5), padding="same", dilation=2, groups=2)
        self.valid = nn.Conv2d(4, 4, 3, padding="valid")

    def forward(self, x: Tensor) -> Tensor:
        return self.valid(self.wide(self.even(x)))


class Einsum(nn.Module):
    """Products of all kinds that einsum writes."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(5, 4))
        self.diagonal = nn.Parameter(torch.randn(5))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.einsum("bchw,dc->bdhw", x, self.matrix)
        y = torch.einsum("bdhw,d->bdhw", y, self.diagonal)
        return torch.einsum("bdhw,bdhv->bwv", y, y)


class Shuffle(nn.Module):
    """Halves of the channels, one of them convolved, shuffled with views."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1, groups=4)

    def forward(self, x: Tensor) -> Tensor:
        left, right = x.chunk(2, dim=1)
        x = torch.cat([left, self.conv(right)], 1)
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, -1, h, w)


class Two(nn.Module):
    """Two inputs of one tower, and two results."""

    def __init__(self) -> None:
        super().__init__()
        self.tower = nn.Conv2d(3, 4, 3)

    def forward(self, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        one, other = self.tower(left), self.tower(right)
        return one + other, torch.cat((one, other), dim=1)


class Loop(nn.Module):
    """Blocks in a list, applied in a loop, the last of them twice."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
            for _ in range(3)
        )

    def forward(self, x: Tensor) -> Tensor:
        for block in (*self.blocks, self.blocks[-1]):
            x = x + block(x)
        return x


class Attention(nn.Module):
    """torch's own attention over the positions of a map."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(2).transpose(1, 2)
        x = self.norm(x + self.attention(x, x, x, need_weights=False)[0])
        return functional.scaled_dot_product_attention(x, x[:, :3], x[:, :3]).mean(1)


class Last(nn.Module):
    """Channels moved to the end and back, as in ConvNeXt; `leave` takes them out before."""

    def __init__(self, leave: bool = False) -> None:
        super().__init__()
        self.leave = leave
        self.norm, self.up, self.down = (
            nn.LayerNorm(4),
            nn.Linear(4, 8),
            nn.Linear(8, 4, bias=False),
        )
        self.scale = nn.Parameter(torch.rand(4))

    def forward(self, x: Tensor) -> Tensor:
        y = x.permute(0, 2, 3, 1).contiguous()
        y = y + self.scale * self.down(functional.gelu(self.up(self.norm(y)))) * 0.5
        if self.leave:
            y = y.flip(1)
        return x + y.permute(0, 3, 1, 2)


class Elementwise(nn.Module):
    """Arithmetic that has no word, on maps of one layout."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return torch.sqrt(torch.exp(y - 1) / (y.mean((2, 3), keepdim=True) + 2).abs())


class Solved(nn.Module):
    """What nobody counts: the macs of a solved system of equations are unknown."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.eye(7))

    def forward(self, x: Tensor) -> Tensor:
        solution: Tensor = torch.linalg.solve(self.matrix, x)
        return solution


class Standardised(nn.Conv2d):
    """A convolution whose weights are computed before."""

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return functional.conv2d(x, weight, self.bias)


def chain(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers)


IMAGE = (3, 12, 12)
MODULES: dict[str, tuple[nn.Module, Any]] = {
    "functional": (Functional(), IMAGE),
    "operators": (Operators(), IMAGE),
    "shared": (Shared(), (4, 8, 8)),
    "tied": (Tied(), (6,)),
    "half tied": (HalfTied(), (6,)),
    "same": (Same(), IMAGE),
    "einsum": (Einsum(), (4, 6, 7)),
    "shuffle": (Shuffle(), (8, 6, 6)),
    "two": (Two(), {"left": IMAGE, "right": IMAGE}),
    "two in order": (Two(), (IMAGE, IMAGE)),
    "loop": (Loop(), (4, 8, 8)),
    "attention": (Attention(), (8, 4, 5)),
    "elementwise": (Elementwise(), IMAGE),
    "last": (Last(), (4, 5, 6)),
    "last and left": (Last(leave=True), (4, 5, 6)),
    "standardised": (Standardised(3, 6, 3), IMAGE),
    "weight norm": (nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3)), IMAGE),
    "one axis": (chain(nn.Conv1d(3, 4, 5, 2), nn.BatchNorm1d(4), nn.AvgPool1d(2)), (3, 40)),
    "three axes": (chain(nn.Conv3d(2, 4, 3), nn.ReLU6(), nn.MaxPool3d(2)), (2, 8, 9, 10)),
    "transposed": (chain(nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=2), nn.Hardswish()),
                   (4, 5, 6)),
    "norms": (chain(nn.GroupNorm(2, 4), nn.InstanceNorm2d(4, affine=True), nn.PReLU(4)), (4, 5, 6)),
    "sizes": (chain(nn.Upsample(scale_factor=2), nn.PixelShuffle(2), nn.PixelUnshuffle(2),
                    nn.UpsamplingNearest2d(size=(9, 9)), nn.AdaptiveAvgPool2d(3)), (4, 5, 6)),
    "activations": (chain(nn.ELU(), nn.GELU(), nn.SiLU(), nn.Softplus(), nn.LeakyReLU(0.2),
                          nn.Hardsigmoid(), nn.Softmax(1)), (4, 5, 6)),
}  # fmt: skip

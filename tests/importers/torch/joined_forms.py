"""Ways of joining several batches to one, so that they run through the same layers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional


class Joined(nn.Module):
    """Two layers, applied to several images by a function of the input and of both layers."""

    def __init__(self, form: Callable[[Tensor, nn.Module, nn.Module], Tensor]) -> None:
        super().__init__()
        self.form = form
        self.tower = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        )
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.form(x, self.tower, self.head)


class Tokens(nn.Module):
    """A transformer's tokens of two images, with a class token and positions."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 4, 4)
        self.token = nn.Parameter(torch.rand(1, 1, 4))
        self.positions = nn.Parameter(torch.rand(1, 7, 4))
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        both = torch.cat([x, x.roll(1, 3)])
        tokens = self.stem(both).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(tokens), -1, -1), tokens], 1) + self.positions
        left, right = self.attention(tokens, tokens, tokens)[0][:, 0].chunk(2)
        return functional.cosine_similarity(left, right, dim=-1)


def _chunked(x: Tensor, tower: nn.Module, head: nn.Module) -> Tensor:
    left, right = tower(torch.cat([x, x.flip(3)], 0)).chunk(2, 0)
    return head(left - right)


def _sliced(x: Tensor, tower: nn.Module, head: nn.Module) -> Tensor:
    images = x.shape[0]
    both = head(tower(torch.cat([x, x.flip(-1)], dim=0)))
    return (both[:images] + both[images:].flip(-1)) / 2


def _split(x: Tensor, tower: nn.Module, head: nn.Module) -> Tensor:
    maps = functional.interpolate(tower(torch.cat((x, 2 * x, -x))), scale_factor=0.5)
    first, others = torch.split(maps, [x.size(0), 2 * x.size(0)])
    second, third = others[: x.size(0), :, :1], others[x.size(0) :, :, 1:2]
    return head(first + second * third)


def _viewed(x: Tensor, tower: nn.Module, head: nn.Module) -> Tensor:
    maps = head(tower(torch.concat([x, x * x])))
    rows = maps.view(maps.size(0), -1).softmax(1)
    pairs = rows.view(2, x.size(0), -1)
    return pairs[0] * pairs.mean(0)


def _in_place(x: Tensor, tower: nn.Module, head: nn.Module) -> Tensor:
    left, right = x * 2, x - 1
    both = torch.cat([left, right])
    functional.relu(both, inplace=True)
    both += 1
    first, second = tower(both).unflatten(0, (2, -1)).unbind(0)
    return head(first * second) + left.mean((1, 2, 3), keepdim=True)


def _in_place_by_place(x: Tensor, tower: nn.Module, head: nn.Module) -> Tensor:
    left, right = x * 2, x - 1
    both = functional.leaky_relu(torch.cat([left, right]), 0.3, True)
    both = functional.hardtanh(both, -0.1, 0.2, True)
    both[:, 1] = 0.5
    first, second = tower(both).chunk(2)
    return head(first * second) + left.mean((1, 2, 3), keepdim=True)


def _crops(x: Tensor, tower: nn.Module, head: nn.Module) -> Tensor:
    crops = [x[:, :, i : i + 4, j : j + 6] for i in (0, 4) for j in (0, 6)]
    maps = head(tower(torch.cat(crops))).mean((2, 3))
    return torch.stack(torch.split(maps, x.size(0)), 1).amax(1)


def _joined_again(x: Tensor, tower: nn.Module, head: nn.Module) -> Tensor:
    three = torch.cat([torch.cat([x, x.flip(2)]), 3 * x])
    maps = tower(three.repeat(2, 1, 1, 1))
    parts = head(maps).chunk(6)
    return parts[0] * parts[1] - parts[2] * parts[3] + parts[4] * parts[5]


def _mixed(x: Tensor, tower: nn.Module, head: nn.Module) -> Tensor:
    rows = head(tower(torch.cat([x, 2 * x]))).mean((2, 3))
    return rows @ rows.t()


def _changed_later(x: Tensor, tower: nn.Module, head: nn.Module) -> Tensor:
    left = x * 2
    both = torch.cat([left, x])
    left.relu_()
    return head(tower(both))[: len(x)] + left.mean((1, 2, 3), keepdim=True)


def _residual(x: Tensor, tower: nn.Module, head: nn.Module) -> Tensor:
    """Add a shortcut to what an activation changed in place, as in the encoder of RAFT."""
    both = tower(torch.cat([x, x.flip(3)]))
    out = functional.relu(functional.avg_pool2d(both, 3, 1, 1) - 0.1, inplace=True)
    first, second = head(functional.relu(both + out, inplace=True)).chunk(2)
    return first * second


def _piece_in_place(x: Tensor, tower: nn.Module, head: nn.Module) -> Tensor:
    left = x * 2 - 1
    piece = torch.cat([left, x])[: len(x)]
    piece.relu_()
    first, second = head(tower(torch.cat([piece, left]))).chunk(2)
    first.neg_()
    return first * second


def _piece_then_whole(x: Tensor, tower: nn.Module, head: nn.Module) -> Tensor:
    both = torch.cat([x * 2 - 1, x])
    both[: len(x)].relu_()
    first, second = head(tower(both)).chunk(2)
    return first * second


def _whole_then_piece(x: Tensor, tower: nn.Module, head: nn.Module) -> Tensor:
    both = tower(torch.cat([x * 2 - 1, x]))
    piece = both[: len(x)]
    both.neg_()
    return head(piece)


def _piece_then_same(x: Tensor, tower: nn.Module, head: nn.Module) -> Tensor:
    both = head(tower(torch.cat([x * 2 - 1, x])))
    piece, same = both[: len(x)], both[: len(x)]
    piece.relu_()
    return same


JOINED: dict[str, nn.Module] = {
    "joined_chunked": Joined(_chunked), "joined_sliced": Joined(_sliced),
    "joined_split": Joined(_split), "joined_viewed": Joined(_viewed),
    "joined_in_place": Joined(_in_place), "joined_crops": Joined(_crops),
    "joined_again": Joined(_joined_again), "joined_tokens": Tokens(),
    "joined_in_place_by_place": Joined(_in_place_by_place),
    "joined_residual": Joined(_residual), "joined_piece_in_place": Joined(_piece_in_place),
}  # fmt: skip

MIXED: nn.Module = Joined(_mixed)
"""Compares all images of a batch with each other."""
CHANGED_LATER: nn.Module = Joined(_changed_later)
"""Changes a batch after it was joined."""
CHANGED_ELSEWHERE: list[nn.Module] = [
    Joined(_piece_then_whole), Joined(_whole_then_piece), Joined(_piece_then_same),
]  # fmt: skip
"""Change a joined tensor through another name."""

"""Quarter turns and mirror images of classes, as classes of their own."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from archscope.datasets.images import Images

TURNS = 8
"""Four quarter turns, then those of the mirror image: all that a square is symmetric under."""

SAMPLE, SIDE = 64, 16
"""Images of a class that are looked at, and the pixels a side that they are averaged to."""

TOLD_APART = 0.6
"""AUC from which on two turns of a class differ: 0.5 if they look the same."""


def turned(images: Tensor, turn: int) -> Tensor:
    """Return images (N, C, H, W) in a turn from 0, as they are, to 7; odd ones need H = W."""
    mirrored = images.flip(-1) if turn >= TURNS // 2 else images
    return torch.rot90(mirrored, turn % (TURNS // 2), (-2, -1))


def turn_groups(images: Tensor, turns: Tensor) -> Tensor:
    """Return images (N, C, H, W), each in its own turn, int64 (N,)."""
    result = images.clone()
    for turn in torch.unique(turns).tolist():
        chosen = turns == turn
        result[chosen] = turned(images[chosen], turn)
    return result


def distinct_turns(images: Images, *, square: bool) -> tuple[tuple[int, ...], ...]:
    """Return for each class those of its turns that differ from each other in their pixels.

    Two turns differ if images of a class are closer to each other than to images in the
    other turn, with an AUC of 0.6 or more. So a mirrored 8 is no class, and neither is a turned
    texture, that has no upright. Only turns that keep the shape count unless images are `square`.
    """
    count = int(images.labels.max()) + 1 if images.classes is None else images.classes
    samples = ((images.labels == label).nonzero()[:SAMPLE, 0] for label in range(count))
    return tuple(
        _distinct(functional.adaptive_avg_pool2d(images.images[sample].float(), SIDE), square)
        for sample in samples
    )


def _distinct(images: Tensor, square: bool) -> tuple[int, ...]:
    kept: list[int] = []
    views: list[Tensor] = []
    for turn in range(0, TURNS, 1 if square else 2):
        view = turned(images, turn).flatten(1)
        if all(_apart(view, other) >= TOLD_APART for other in views):
            kept.append(turn)
            views.append(view)
    return tuple(kept)


def _apart(first: Tensor, second: Tensor) -> float:
    """Return the chance that two of the first (N, D) are closer than one of each is."""
    others = ~torch.eye(len(first), dtype=torch.bool)
    within = torch.cdist(first, first)[others].sort().values
    between = torch.cdist(first, second)[others]
    if not len(within):
        return 0.0
    below = torch.searchsorted(within, between) + torch.searchsorted(within, between, right=True)
    return float(below.double().mean()) / (2 * len(within))


class TurnedClasses:
    """Images of classes in their turns: place p is image `image[p]` in turn `turn[p]`.

    `label[p]` counts the turns of all classes from 0. All are int64 (M,).
    """

    def __init__(self, labels: Tensor, turns: tuple[tuple[int, ...], ...]) -> None:
        images, turn, label = [], [], []
        first = 0
        for number, mine in enumerate(turns):
            places = (labels == number).nonzero()[:, 0]
            for offset, value in enumerate(mine):
                images.append(places)
                turn.append(torch.full_like(places, value))
                label.append(torch.full_like(places, first + offset))
            first += len(mine)
        self.image, self.turn, self.label = map(torch.cat, (images, turn, label))

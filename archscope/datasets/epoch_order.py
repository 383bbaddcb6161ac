"""The order of images in an epoch, divided into steps and processes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from archscope.datasets.randomness import generator
from archscope.errors import OptionError

PURPOSE = 2


class EpochOrder:
    """The steps of an epoch over `images` images in batches of `batch`, for one of `world` ranks.

    All ranks together see each image once: a step takes the next world * batch images of the
    epoch's order and divides them as evenly as possible, so every rank has the same number of
    steps. One process with batches of world * batch sees the same images at the same step.

    Raises OptionError where a step would leave a rank without images.
    """

    def __init__(
        self,
        images: int,
        batch: int,
        seed: int,
        *,
        shuffle: bool,
        drop_last: bool,
        rank: int,
        world: int,
    ) -> None:
        if batch < 1:
            raise OptionError(f"a batch has 1 image or more, got {batch}")
        if world < 1 or not 0 <= rank < world:
            raise OptionError(f"rank is from 0 to world_size - 1, got {rank} of {world}")
        self.images, self.seed, self.shuffle = images, seed, shuffle
        self.rank, self.world, self.step = rank, world, batch * world
        whole, rest = divmod(images, self.step)
        self.steps = whole if drop_last else math.ceil(images / self.step)
        if drop_last and not whole:
            raise OptionError(
                f"{images} images do not fill one batch of {_of(batch, world)}, and incomplete"
                " batches are dropped"
            )
        if not drop_last and 0 < rest < world:
            raise OptionError(
                f"the last of {images} images in batches of {_of(batch, world)} leave {rest} for"
                f" {world} processes; drop the last batch or choose another batch"
            )
        generator(seed)

    def epoch(self, epoch: int) -> Tensor:
        """Return the indices of all images, int64 (images,), in the order of an epoch."""
        if not self.shuffle:
            return torch.arange(self.images)
        return torch.from_numpy(generator(self.seed, PURPOSE, epoch).permutation(self.images))

    def batch(self, places: Tensor, step: int) -> Tensor:
        """Return the indices that this rank takes of an epoch's order at a step."""
        together = places[step * self.step : (step + 1) * self.step]
        return together.tensor_split(self.world)[self.rank]


def _of(batch: int, world: int) -> str:
    return f"{batch}" if world == 1 else f"{batch} on each of {world} processes"

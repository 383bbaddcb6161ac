"""The order of images in an epoch, divided into steps and processes, also in groups of a class."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from archscope.datasets.randomness import generator, shuffled_by_class
from archscope.errors import OptionError

PURPOSE, GROUPED_PURPOSE = 2, 5


class EpochOrder:
    """The steps of an epoch over `images` images in batches of `batch`, for one of `world` ranks.

    All ranks together see each image once, in as few steps as there can be of world * batch
    images; their sizes differ by one image at most, so that no step is much smaller than others.
    With `drop_last` steps are full instead, and what fills none is left out. A step is divided as
    evenly as possible, so every rank has the same number of steps. One process with batches of
    world * batch sees the same images at the same step.

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
        self.rank, self.world = rank, world
        step = batch * world
        self.steps = images // step if drop_last else math.ceil(images / step)
        self.used = self.steps * step if drop_last else images  # in each epoch
        if drop_last and not self.steps:
            raise OptionError(
                f"{images} images do not fill one batch of {_of(batch, world)}, and incomplete"
                " batches are dropped"
            )
        least = self.used // max(self.steps, 1)
        if images and least < world:
            raise OptionError(
                f"{images} images in batches of {_of(batch, world)} leave {least} for"
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
        together = places[self._begin(step) : self._begin(step + 1)]
        return together.tensor_split(self.world)[self.rank]

    def size(self, step: int) -> int:
        """Return how many images all ranks together see at a step."""
        return self._begin(step + 1) - self._begin(step)

    def _begin(self, step: int) -> int:
        return step * self.used // self.steps


def _of(batch: int, world: int) -> str:
    return f"{batch}" if world == 1 else f"{batch} on each of {world} processes"


class GroupedEpochOrder(EpochOrder):
    """The steps of an epoch over images that come in groups of `per_class` of one class.

    Each epoch divides the images of a class into new groups, and spreads the groups of each class
    evenly over the epoch, so that a batch has as many classes as possible. Images that fill no
    group, and groups that fill no step, are left out; they differ from epoch to epoch. An epoch of
    `images` takes as many, each class in its share: part of all, or all several times. The images
    of a step depend on seed and epoch alone. Raises OptionError for a class that fills no group.
    """

    def __init__(
        self,
        labels: Tensor,
        batch: int,
        seed: int,
        per_class: int,
        *,
        rank: int,
        world: int,
        images: int | None = None,
    ) -> None:
        self.labels, self.per_class = labels.cpu().numpy(), per_class
        self.counts = np.bincount(self.labels)
        present = self.counts[self.counts > 0]
        if batch % per_class:
            raise OptionError(
                f"a batch of {batch} cannot be made of groups of {per_class} images of a class"
            )
        if present.min(initial=per_class) < per_class:
            raise OptionError(
                f"a class has {present.min()} images to train with, fewer than the {per_class}"
                " that come together (per_class)"
            )
        usable = int((self.counts // per_class).sum()) * per_class
        wanted = usable if images is None else max(images, batch * world)
        self.rounds = math.ceil(wanted / usable)
        super().__init__(wanted, batch, seed, shuffle=True, drop_last=True, rank=rank, world=world)

    def epoch(self, epoch: int) -> Tensor:
        """Return the indices of the images, int64 (N,), in the order of an epoch."""
        random = generator(self.seed, GROUPED_PURPOSE, epoch)
        order = np.concatenate([self._round(random) for _ in range(self.rounds)])
        return torch.from_numpy(order[: self.used])

    def _round(self, random: np.random.Generator) -> NDArray[np.int64]:
        """Return the indices of all images that fill groups, each once."""
        order, rank = shuffled_by_class(self.labels, random)
        full = self.counts // self.per_class
        kept = order[rank < np.repeat(full * self.per_class, self.counts)]
        groups = kept.reshape(-1, self.per_class)
        turn = np.concatenate([np.arange(count) for count in full])
        moment = (turn + random.random(len(groups))) / np.repeat(full, full)
        return groups[np.argsort(moment, kind="stable")].reshape(-1)

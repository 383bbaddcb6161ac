"""An epoch order with several images of a class in each batch, so that there are pairs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from archscope.datasets.epoch_order import EpochOrder
from archscope.datasets.randomness import generator
from archscope.errors import OptionError

PURPOSE = 5


class GroupedEpochOrder(EpochOrder):
    """The steps of an epoch over images that come in groups of `per_class` of one class.

    Each epoch divides the images of a class into new groups, and spreads the groups of each class
    evenly over the epoch, so that a batch has as many classes as possible. Images that fill no
    group, and groups that fill no step, are left out; they differ from epoch to epoch. The images
    of a step depend on seed and epoch alone. Raises OptionError for a class that fills no group.
    """

    def __init__(
        self, labels: Tensor, batch: int, seed: int, per_class: int, *, rank: int, world: int
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
        super().__init__(usable, batch, seed, shuffle=True, drop_last=True, rank=rank, world=world)

    def epoch(self, epoch: int) -> Tensor:
        """Return the indices of the images, int64 (usable,), in the order of an epoch."""
        random = generator(self.seed, PURPOSE, epoch)
        order = random.permutation(len(self.labels))
        order = order[np.argsort(self.labels[order], kind="stable")]  # by class, random within
        starts = np.cumsum(self.counts) - self.counts
        rank = np.arange(len(order)) - np.repeat(starts, self.counts)
        full = self.counts // self.per_class
        kept = order[rank < np.repeat(full * self.per_class, self.counts)]
        groups = kept.reshape(-1, self.per_class)
        turn = np.concatenate([np.arange(count) for count in full])
        moment = (turn + random.random(len(groups))) / np.repeat(full, full)
        return torch.from_numpy(groups[np.argsort(moment, kind="stable")].reshape(-1))

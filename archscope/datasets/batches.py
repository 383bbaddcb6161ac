"""Batches of images as a network takes them, reproducible from any step of an epoch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
import torch
from torch import Tensor

from archscope.datasets import augmentation
from archscope.datasets.adaptation import Adaptation
from archscope.datasets.augmentation import Augment
from archscope.datasets.epoch_order import EpochOrder, GroupedEpochOrder
from archscope.datasets.images import Images
from archscope.datasets.normalization import Statistics
from archscope.datasets.randomness import generator
from archscope.datasets.turns import TurnedClasses, turn_groups
from archscope.errors import OptionError
from archscope.ir import text_of

PURPOSE = 3
WHOLE_BYTES = 2**30
"""Images are adapted all at once if they take no more than this, else batch by batch."""


class Batches:
    """Images in batches, adapted, augmented and normalised.

    The content of a step depends only on seed, epoch, step and rank: a run that is resumed in the
    middle of an epoch gets the same images. Order of work: adapt, crop, flip, normalise, cutout
    (zero is the mean then), mixup. `batch` is per process; with `world_size` processes each
    `rank` sees its own share. The steps of an epoch are equally large but for one image, or, with
    `drop_last`, full. With `per_class`, that many images of a class come together
    (`GroupedEpochOrder`), in a new order each epoch and without incomplete batches, then
    `epoch_images` is the length of an epoch, and the `turns` of each class are classes of
    their own (`TurnedClasses`); images are turned when they are adapted. Raises
    OptionError for values out of range, for images of another shape than the adaptation's, and
    for mixup of images without a number of classes.
    """

    def __init__(
        self,
        images: Images,
        batch: int,
        seed: int,
        augment: Augment,
        statistics: Statistics,
        adaptation: Adaptation,
        *,
        drop_last: bool = False,
        shuffle: bool = True,
        rank: int = 0,
        world_size: int = 1,
        per_class: int | None = None,
        epoch_images: int | None = None,
        turns: tuple[tuple[int, ...], ...] = (),
    ) -> None:
        if images.shape != adaptation.source:
            raise OptionError(
                f"images of {text_of(images.shape)} do not fit an adaptation of"
                f" {text_of(adaptation.source)}"
            )
        if len(statistics.mean) not in (adaptation.source[0], adaptation.target[0]):
            raise OptionError(
                f"statistics of {len(statistics.mean)} channels, images of {images.shape[0]}"
            )
        if augment.mixup and images.classes is None:
            raise OptionError("mixup needs images that know their number of classes")
        self.turned = TurnedClasses(images.labels.cpu(), turns) if turns else None
        self.order = EpochOrder(
            len(images), batch, seed,
            shuffle=shuffle, drop_last=drop_last, rank=rank, world=world_size,
        ) if per_class is None else GroupedEpochOrder(
            images.labels if self.turned is None else self.turned.label,
            batch, seed, per_class, rank=rank, world=world_size, images=epoch_images,
        )  # fmt: skip
        self.seed, self.augment = seed, augment
        self.adaptation, self.statistics = adaptation, statistics.repeated(adaptation.target[0])
        self.whole = adaptation.bytes_of(len(images)) <= WHOLE_BYTES
        self.images = adaptation.adapted(images) if self.whole else images

    def __len__(self) -> int:
        """Return the steps of an epoch."""
        return self.order.steps

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (x, y) for each step of an epoch from step `start` on.

        x is float32 (N, C, H, W); y is int64 (N,), or float32 (N, classes) with mixup. Both are on
        the device of the images. Raises OptionError for a start beyond the epoch.
        """
        if not 0 <= start <= len(self):
            raise OptionError(f"an epoch has steps 0 to {len(self) - 1}, got start {start}")
        places = self.order.epoch(epoch)
        for step in range(start, len(self)):
            with _one_thread() if self.whole else nullcontext():  # resizing gains from threads
                batch = self._batch(self.order.batch(places, step), epoch, step)
            yield batch

    def _batch(self, places: Tensor, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        device = self.images.images.device
        turned = self.turned
        which = (places if turned is None else turned.image[places]).to(device)
        images = self.images.images.index_select(0, which)
        labels = self.images.labels.index_select(0, which)
        if not self.whole:
            images = self.adaptation.apply(images)
        if turned is not None:
            images = turn_groups(images, turned.turn[places].to(device))
            labels = turned.label[places].to(device)
        if self.augment == Augment():
            return self.statistics.normalise(images), labels
        random = generator(self.seed, PURPOSE, epoch, step, self.order.rank)
        return self._augmented(images, labels, random)

    def _augmented(
        self, images: Tensor, labels: Tensor, random: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return the batch as float32 with all augmentations applied."""
        augment, device = self.augment, images.device
        count, _, height, width = images.shape

        def below(limit: int) -> Tensor:
            return torch.from_numpy(random.integers(limit, size=count)).to(device)

        if augment.crop:
            top, left = below(2 * augment.crop + 1), below(2 * augment.crop + 1)
            images = augmentation.crop(images, top, left, augment.crop)
        if augment.flip:
            images = augmentation.flip(images, below(2).bool())
        images = self.statistics.normalise(images)
        if augment.cutout:
            images = augmentation.cutout(images, below(height), below(width), augment.cutout)
        if augment.mixup:
            assert self.images.classes is not None
            share = float(random.beta(augment.mixup, augment.mixup))
            partner = torch.from_numpy(random.permutation(count)).to(device)
            return augmentation.mixup(images, labels, partner, share, self.images.classes)
        return images, labels


@contextmanager
def _one_thread() -> Iterator[None]:
    """Limit torch to one thread.

    A batch is so little work that threads wait for each other longer than they work, all the more
    where other programs use the cores.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)

"""Data loaders: batches of images on the device, adapted and normalised."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from archscope.datasets import Adaptation, Augment, Batches, Images, Statistics
from archscope.errors import OptionError
from archscope.train.device import Arithmetic
from archscope.train.distributed import ALONE, Processes
from archscope.train.recipe import Recipe, batch_of

SAMPLE = 64
"""Number of training images for diagnosis: few enough to be fast, enough to be meaningful."""

EVALUATION_BATCH = 256  # images per batch without gradients


class TrainingLoader:
    """Batches of a training split, in an order that the seed fixes, and of a validation split.

    All images are kept on the device as bytes. An epoch has every image once, in steps of the
    recipe's batch or slightly fewer, so that none is much smaller than the others; a training split
    smaller than a batch is one step. Groups of a class that do not fill a step are left out; they
    differ from epoch to epoch, and `turns` of each class may be separate classes. Raises
    OptionError for a batch that cannot be divided as the recipe and the processes require.
    """

    def __init__(
        self,
        train: Images,
        validation: Images,
        recipe: Recipe,
        seed: int,
        statistics: Statistics,
        adaptation: Adaptation,
        how: Arithmetic,
        processes: Processes = ALONE,
        turns: tuple[tuple[int, ...], ...] = (),
    ) -> None:
        group = recipe.per_class if recipe.metric else 1
        batch = batch_of(recipe, len(train), processes.count)
        if batch % (processes.count * recipe.accumulate * group):
            raise OptionError(
                f"the batch of {batch} cannot be divided among {processes.count} processes"
                f" in {recipe.accumulate} equal parts each"
                + (f", made of groups of {group} images of a class" if group > 1 else "")
            )
        crop = recipe.crop
        if 0 < crop < 1:  # a fraction of the shorter side
            crop = max(1, round(crop * min(adaptation.target[1:])))
        augment = Augment(
            crop=int(crop), flip=recipe.flip, cutout=recipe.cutout, mixup=recipe.mixup
        )
        self.how, self.statistics, self.adaptation = how, statistics, adaptation
        self.batches = Batches(
            train.to(how.device), batch // processes.count, seed, augment, statistics,
            adaptation, rank=processes.rank, world_size=processes.count,
            per_class=recipe.per_class if recipe.metric else None,
            epoch_images=recipe.epoch_images, turns=turns,
        )  # fmt: skip
        self.steps = len(self.batches)
        self.train = train
        self.validated = len(validation)
        self.validation = self.evaluation(validation) if len(validation) else None

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of an epoch from a step on: images (N, C, H, W) and labels."""
        for images, labels in self.batches.epoch(epoch, start):
            yield images.to(memory_format=self.how.layout), labels

    def images_of(self, step: int) -> int:
        """Return how many images all processes together see at a step of an epoch."""
        return self.batches.order.size(step)

    def sample(self) -> Tensor:
        """Return training images spread over the split, (N, C, H, W), without augmentation."""
        (images, _), *_ = self.samples()
        return images

    def samples(self) -> EvaluationLoader:
        """Return a loader of those images: one batch."""
        count = len(self.train)
        places = torch.linspace(0, count - 1, min(count, SAMPLE)).round().long()
        return self.evaluation(self.train.take(places))

    def evaluation(self, images: Images) -> EvaluationLoader:
        """Return a loader of other images that are adapted and normalised in the same way."""
        return EvaluationLoader(images, self.statistics, self.adaptation, self.how)


class EvaluationLoader:
    """Batches of images in their own order, never augmented; can be iterated repeatedly."""

    def __init__(
        self, images: Images, statistics: Statistics, adaptation: Adaptation, how: Arithmetic
    ) -> None:
        self.how = how
        self.batches = Batches(
            images.to(how.device), EVALUATION_BATCH, 0, Augment(), statistics, adaptation,
            shuffle=False,
        )  # fmt: skip

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for images, labels in self.batches.epoch(0):
            yield images.to(memory_format=self.how.layout), labels

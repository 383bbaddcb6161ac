"""Made-up images, for tests and for trying things out."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from archscope.datasets.images import Dataset, Images, dataset
from archscope.datasets.lookup import sizes
from archscope.datasets.randomness import generator
from archscope.datasets.source import DatasetSource, register
from archscope.errors import OptionError

if TYPE_CHECKING:
    import numpy as np
    import torch

LIMIT_BYTES = 2**30
GRID = 4  # a pattern has so many spots along an axis


class SyntheticOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """What is made: `images` to train with and `test` to test with, of so many classes."""

    classes: int = 4
    shape: str | tuple[int, ...] = "3x32x32"
    images: int = 512
    test: int = 128
    noise: float = 0.15
    seed: int = 0


@register
class Synthetic(DatasetSource):
    """Each class is a pattern of soft spots; an image is its class's pattern under noise.

    `noise` is the standard deviation of what is added to pixels between 0 and 1. Classes come
    equally often, in random order.
    """

    name = "synthetic"
    about = "made-up patterns, one for each class, under noise"
    options = SyntheticOptions

    @classmethod
    def read(cls, files: tuple[Path, ...], options: SyntheticOptions) -> Dataset:
        """Return the images. Raises OptionError for numbers out of range."""
        shape = sizes(options.shape, "shape", (3,))
        if not 2 <= options.classes <= options.images:
            raise OptionError(
                f"classes are from 2 to the number of images, {options.images:,},"
                f" got {options.classes}"
            )
        if options.test < 0 or not 0 <= options.noise <= 10:
            raise OptionError("test is 0 or greater, noise is from 0 to 10")
        total = (options.images + options.test) * prod(shape)
        if total > LIMIT_BYTES:
            raise OptionError(f"so many images take {total:,} bytes, the limit is {LIMIT_BYTES:,}")
        import torch
        from torch.nn import functional

        random = generator(options.seed)
        spots = torch.from_numpy(random.random((options.classes, shape[0], GRID, GRID)))
        patterns = functional.interpolate(spots, shape[1:], mode="bilinear", align_corners=False)
        train, test = (
            _part(patterns, count, options.noise, random)
            for count in (options.images, options.test)
        )
        names = tuple(f"pattern {label}" for label in range(options.classes))
        return dataset(cls.name, train, test if len(test) else None, names, cls.about)


def _part(patterns: torch.Tensor, count: int, noise: float, random: np.random.Generator) -> Images:
    import numpy as np
    import torch

    labels = torch.from_numpy(random.permutation(np.arange(count) % len(patterns)))
    images = torch.empty((count, *patterns.shape[1:]), dtype=torch.uint8)
    for place, label in enumerate(labels.tolist()):
        noisy = patterns[label] + noise * torch.from_numpy(
            random.standard_normal(patterns.shape[1:])
        )
        images[place] = noisy.mul_(255).round_().clamp_(0, 255).to(torch.uint8)
    return Images(images, labels)

"""The digits included in scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archscope.datasets.images import Dataset, Images, dataset
from archscope.datasets.source import DatasetSource, register

DARKEST = 16
TEST_EVERY = 5


@register
class Digits(DatasetSource):
    """Handwritten digits of 8 x 8 pixels, from scikit-learn.

    They are the test part of the UCI data set "Optical Recognition of Handwritten Digits". Values
    from 0 to 16 become 0 to 255. The test split is ours and fixed: of each class, every fifth
    image in scikit-learn's order.
    """

    name = "digits"
    about = "handwritten digits of 8 x 8 pixels, from scikit-learn"
    shape, images, classes = (1, 8, 8), (1_442, 355), 10

    @classmethod
    def read(cls, files: tuple[Path, ...], options: Any) -> Dataset:
        import numpy as np
        import torch
        from sklearn.datasets import load_digits

        bunch = load_digits()
        pixels = np.rint(bunch.images * (255 / DARKEST)).astype(np.uint8)
        labels = bunch.target.astype(np.int64)
        tested = np.zeros(len(labels), dtype=bool)
        for label in range(cls.classes):
            tested[np.flatnonzero(labels == label)[TEST_EVERY - 1 :: TEST_EVERY]] = True
        parts = [
            Images(torch.from_numpy(pixels[chosen]).unsqueeze(1), torch.from_numpy(labels[chosen]))
            for chosen in (~tested, tested)
        ]
        classes = tuple(str(label) for label in range(cls.classes))
        return dataset(cls.name, parts[0], parts[1], classes, cls.about)

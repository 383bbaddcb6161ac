"""MNIST."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archscope.datasets import idx
from archscope.datasets.images import Dataset, dataset
from archscope.datasets.source import DatasetSource, source, usual_places

CLASSES = tuple("0123456789")
SUMS = {
    idx.TRAIN_IMAGES: "6bbc9ace898e44ae57da46a324031adb",
    idx.TRAIN_LABELS: "a25bea736e30d166cdddb491f175f624",
    idx.TEST_IMAGES: "2646ac647ad5339dbf082846283269ea",
    idx.TEST_LABELS: "27ae3e4e09519cfbb04c329615203637",
}
"""md5 of the unpacked files."""


@source("mnist")
class Mnist(DatasetSource):
    """Grey pictures of handwritten digits (LeCun, Cortes, Burges)."""

    about = "grey pictures of handwritten digits (LeCun, Cortes, Burges)"
    get = "download the four files, " + ", ".join(f"{name}.gz" for name in idx.FILES)
    shape, images, classes = (1, 28, 28), (60_000, 10_000), 10

    @classmethod
    def places(cls, folder: Path | None) -> tuple[Path, ...]:
        return usual_places(folder, "mnist", "MNIST/raw")

    @classmethod
    def files(cls, place: Path) -> tuple[Path, ...] | str:
        return idx.files(place)

    @classmethod
    def read(cls, files: tuple[Path, ...], options: Any) -> Dataset:
        train, test = cls.images
        return dataset(
            cls.name,
            idx.pair(files[0], files[1], train, SUMS),
            idx.pair(files[2], files[3], test, SUMS),
            CLASSES,
            cls.about,
        )

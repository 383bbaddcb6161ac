"""Fashion-MNIST."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archscope.datasets import idx
from archscope.datasets.images import Dataset, dataset
from archscope.datasets.source import DatasetSource, source, usual_places

CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
SUMS = {
    idx.TRAIN_IMAGES: "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    idx.TRAIN_LABELS: "9018921c3c673c538a1fc5bad174d6f9",
    idx.TEST_IMAGES: "8181f5470baa50b63fa0f6fddb340f0a",
    idx.TEST_LABELS: "15d484375f8d13e6eb1aabb0c3f46965",
}
"""md5 of the unpacked files: packing again, as Debian does, changes those of the packed ones."""


@source("fashion-mnist")
class FashionMnist(DatasetSource):
    """Grey pictures of clothes (arXiv:1708.07747)."""

    about = "grey pictures of clothes (arXiv:1708.07747)"
    get = (
        "install Debian's package dataset-fashion-mnist, or download the four files from"
        " https://github.com/zalandoresearch/fashion-mnist"
    )
    shape, images, classes = (1, 28, 28), (60_000, 10_000), 10

    @classmethod
    def places(cls, folder: Path | None) -> tuple[Path, ...]:
        return usual_places(folder, "fashion-mnist", "FashionMNIST/raw")

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

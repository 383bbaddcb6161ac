"""CIFAR-100, with its fine labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archscope.datasets import cifar_archives
from archscope.datasets.cifar_archives import ArchiveFormat, CifarLayout
from archscope.datasets.images import Dataset
from archscope.datasets.source import DatasetSource, source, usual_places

LAYOUT = CifarLayout(
    binary=ArchiveFormat(
        archive="cifar-100-binary.tar.gz",
        folder="cifar-100-binary",
        train=("train.bin",),
        test=("test.bin",),
        meta="fine_label_names.txt",
        sums={"cifar-100-binary.tar.gz": "03b5dce01913d631647c71ecec9e9cb8"},
    ),
    python=ArchiveFormat(
        archive="cifar-100-python.tar.gz",
        folder="cifar-100-python",
        train=("train",),
        test=("test",),
        meta="meta",
        sums={
            "cifar-100-python.tar.gz": "eb9058c3a382ffc7106e4002c42a8d85",
            "train": "16019d7e3df5f24257cddd939b257f8d",
            "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
            "meta": "7973b15100ade9c7d40fb424638fde48",
        },
    ),
    label_bytes=2,  # coarse, fine
    label_key="fine_labels",
    names_key="fine_label_names",
    classes=100,
    train=50_000,
    test=10_000,
)


@source("cifar100")
class Cifar100(DatasetSource):
    """Small colour photos of a hundred kinds of things."""

    about = "small colour photos of a hundred kinds of things (Krizhevsky 2009)"
    get = (
        "download cifar-100-python.tar.gz or cifar-100-binary.tar.gz from"
        " https://www.cs.toronto.edu/~kriz/cifar.html"
    )
    shape, images, classes = cifar_archives.SHAPE, (LAYOUT.train, LAYOUT.test), LAYOUT.classes

    @classmethod
    def places(cls, folder: Path | None) -> tuple[Path, ...]:
        return usual_places(folder, "cifar100", "cifar-100")

    @classmethod
    def files(cls, place: Path) -> tuple[Path, ...] | str:
        return cifar_archives.files(LAYOUT, place)

    @classmethod
    def read(cls, files: tuple[Path, ...], options: Any) -> Dataset:
        return cifar_archives.read(LAYOUT, files, cls.name, cls.about)

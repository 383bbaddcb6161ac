"""CIFAR-10."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archscope.datasets import cifar_archives
from archscope.datasets.cifar_archives import ArchiveFormat, CifarLayout
from archscope.datasets.images import Dataset
from archscope.datasets.source import DatasetSource, source, usual_places

LAYOUT = CifarLayout(
    binary=ArchiveFormat(
        archive="cifar-10-binary.tar.gz",
        folder="cifar-10-batches-bin",
        train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
        test=("test_batch.bin",),
        meta="batches.meta.txt",
        sums={"cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530"},
    ),
    python=ArchiveFormat(
        archive="cifar-10-python.tar.gz",
        folder="cifar-10-batches-py",
        train=tuple(f"data_batch_{number}" for number in range(1, 6)),
        test=("test_batch",),
        meta="batches.meta",
        sums={
            "cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "test_batch": "40351d587109b95175f43aff81a1287e",
            "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
        },
    ),
    label_bytes=1,
    label_key="labels",
    names_key="label_names",
    classes=10,
    train=50_000,
    test=10_000,
)


@source("cifar10")
class Cifar10(DatasetSource):
    """Small colour photos of ten kinds of things."""

    about = "small colour photos of ten kinds of things (Krizhevsky 2009)"
    get = (
        "download cifar-10-python.tar.gz or cifar-10-binary.tar.gz from"
        " https://www.cs.toronto.edu/~kriz/cifar.html"
    )
    shape, images, classes = cifar_archives.SHAPE, (LAYOUT.train, LAYOUT.test), LAYOUT.classes

    @classmethod
    def places(cls, folder: Path | None) -> tuple[Path, ...]:
        return usual_places(folder, "cifar10", "cifar-10")

    @classmethod
    def files(cls, place: Path) -> tuple[Path, ...] | str:
        return cifar_archives.files(LAYOUT, place)

    @classmethod
    def read(cls, files: tuple[Path, ...], options: Any) -> Dataset:
        return cifar_archives.read(LAYOUT, files, cls.name, cls.about)

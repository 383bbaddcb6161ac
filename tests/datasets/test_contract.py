"""Every source of data sets lists itself truly and loads what it lists; a new one is found here.

Sources whose files are not on this machine must say how to get them. A source that is made up in
this file goes through the same checks, and broken copies of it fail them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import archscope.datasets.sources
from archscope.contracts.datasets import (
    available,
    is_listed,
    loads_what_it_lists,
    says_how_to_get_it,
)
from archscope.datasets import Dataset, Images
from archscope.datasets.images import dataset
from archscope.datasets.source import SOURCES, DatasetSource

FOLDER = Path(archscope.datasets.sources.__file__).parent
every_source = pytest.mark.parametrize("name", sorted(SOURCES))


def test_every_file_registers_a_source() -> None:
    homes = {Path(source.__module__.replace(".", "/")).name for source in SOURCES.values()}
    assert homes == {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}


@every_source
def test_it_is_listed(name: str) -> None:
    is_listed(name)


@every_source
def test_it_says_how_to_get_it(name: str) -> None:
    says_how_to_get_it(name)


@every_source
def test_it_loads_what_it_lists(name: str) -> None:
    if not available(name):
        pytest.skip(f"needs the files of {name}")
    loads_what_it_lists(name)


class Stripes(DatasetSource):
    """Two kinds of stripes, each image with another grey."""

    name = "stripes"
    about = "grey stripes along an axis"
    shape, images, classes = (1, 4, 4), (8, 4), 2

    @classmethod
    def read(cls, files: tuple[Path, ...], options: Any) -> Dataset:
        return cls.made(range(8), range(8, 12))

    @classmethod
    def made(cls, train: range, test: range) -> Dataset:
        parts = [Images(cls.pictures(greys), cls.labels(greys)) for greys in (train, test)]
        return dataset(cls.name, parts[0], parts[1], ("across", "down"), cls.about)

    @classmethod
    def pictures(cls, greys: range) -> torch.Tensor:
        images = torch.zeros((len(greys), 1, 4, 4), dtype=torch.uint8)
        for place, grey in enumerate(greys):
            row = images[place, 0].T if grey % 2 else images[place, 0]
            row[::2] = 10 * (grey + 1)
        return images

    @classmethod
    def labels(cls, greys: range) -> torch.Tensor:
        return torch.tensor([grey % 2 for grey in greys])


class Overlapping(Stripes):
    """Its test images are training images."""

    @classmethod
    def read(cls, files: tuple[Path, ...], options: Any) -> Dataset:
        return cls.made(range(8), range(4))


class Miscounted(Stripes):
    """It lists more images than it has."""

    images = (80, 4)


class Restless(Stripes):
    """It is another data set at every reading."""

    first: Iterator[int] = iter(range(1, 100))

    @classmethod
    def read(cls, files: tuple[Path, ...], options: Any) -> Dataset:
        start = next(cls.first)
        return cls.made(range(start, start + 8), range(start + 8, start + 12))


class Secret(Stripes):
    """Its files are nowhere, and it does not say where they come from."""

    @classmethod
    def places(cls, folder: Path | None) -> tuple[Path, ...]:
        return (Path("no/such/folder"),)

    @classmethod
    def files(cls, place: Path) -> tuple[Path, ...] | str:
        return "no such folder"


def test_a_new_source_passes_without_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, Stripes.name, Stripes)
    assert available(Stripes.name)
    is_listed(Stripes.name)
    says_how_to_get_it(Stripes.name)
    loads_what_it_lists(Stripes.name)


@pytest.mark.parametrize("broken", [Overlapping, Miscounted, Restless])
def test_broken_content_fails(broken: type[DatasetSource], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, broken.name, broken)
    with pytest.raises(AssertionError):
        loads_what_it_lists(broken.name)


def test_a_source_that_keeps_its_origin_secret_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, Secret.name, Secret)
    with pytest.raises(AssertionError):
        is_listed(Secret.name)
    with pytest.raises(AssertionError):
        says_how_to_get_it(Secret.name)

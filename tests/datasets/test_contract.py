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
from archscope.datasets import Dataset, Images, load, split
from archscope.datasets.images import dataset
from archscope.datasets.listing import contents, listing
from archscope.datasets.source import SOURCES, VARIABLE, DatasetSource, locate
from archscope.errors import OptionError, UnavailableError

FOLDER = Path(archscope.datasets.sources.__file__).parent
SHARED_AT_MOST = 0.01
"""Of the test images; some published data sets have a few that are in both parts."""


def check_listing(name: str) -> None:
    source = SOURCES[name]
    (listed,) = [row for row in listing() if row.name == name]
    assert listed.about and not listed.about.endswith(".")
    assert source.__doc__ and source.__doc__ != DatasetSource.__doc__
    assert listed.shape is None or all(size > 0 for size in listed.shape)
    assert listed.present or (listed.get and listed.places)
    assert "\n" not in listed.get


def check_absent(name: str, empty: Path) -> None:
    """Check what is said where the files are not found; included data sets are always there."""
    source = SOURCES[name]
    if source.argument:
        with pytest.raises(OptionError, match=f"{name}:{source.argument.upper()}"):
            load(name)
    elif source.places(None):
        assert source.get
        with pytest.raises(UnavailableError) as caught:
            load(name)
        assert source.get in str(caught.value)
    with pytest.raises(OptionError, match=f"data set '{name}' has no option 'nonsense'"):
        load(name, empty, nonsense=1)


def check_content(name: str) -> None:
    source, data = SOURCES[name], load(name)
    assert data.name == name
    assert load(name).digest == data.digest
    assert len(set(data.classes)) == len(data.classes) >= 2
    parts = [data.train] if data.test is None else [data.train, data.test]
    for part in parts:
        assert part.shape == data.train.shape
        assert int(part.labels.min()) >= 0 and int(part.labels.max()) < len(data.classes)
    assert source.shape in (None, data.train.shape)
    assert source.classes in (None, len(data.classes))
    assert source.images in (None, tuple(map(len, parts)))
    assert len(contents(data).classes) == len(data.classes)
    check_splits(data)


def check_splits(data: Dataset) -> None:
    train, validation = split(data.train, 0.25, seed=0)
    assert sorted([*pixels(train), *pixels(validation)]) == sorted(pixels(data.train))
    if data.test is not None:
        shared = set(pixels(data.train)) & set(pixels(data.test))
        assert len(shared) <= SHARED_AT_MOST * len(data.test), "training images are tested with"


def pixels(images: Images) -> list[bytes]:
    return [image.numpy().tobytes() for image in images.images]


def available(name: str) -> bool:
    source = SOURCES[name]
    return not source.argument and (not source.places(None) or locate(source, None) is not None)


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr("archscope.datasets.source.SYSTEM", tmp_path / "system")
    return tmp_path


every_source = pytest.mark.parametrize("name", sorted(SOURCES))


def test_every_file_registers_a_source() -> None:
    homes = {Path(source.__module__.replace(".", "/")).name for source in SOURCES.values()}
    assert homes == {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}


@every_source
def test_it_is_listed(name: str) -> None:
    check_listing(name)


@every_source
def test_it_says_how_to_get_it(name: str, nowhere: Path) -> None:
    check_absent(name, nowhere)


@every_source
def test_it_loads_what_it_lists(name: str) -> None:
    if not available(name):
        pytest.skip(f"needs the files of {name}")
    check_content(name)


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


def test_a_new_source_passes_without_a_change(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SOURCES, Stripes.name, Stripes)
    assert available(Stripes.name)
    check_listing(Stripes.name)
    check_absent(Stripes.name, nowhere)
    check_content(Stripes.name)


@pytest.mark.parametrize("broken", [Overlapping, Miscounted, Restless])
def test_broken_content_fails(broken: type[DatasetSource], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, broken.name, broken)
    with pytest.raises(AssertionError):
        check_content(broken.name)


def test_a_source_that_keeps_its_origin_secret_fails(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SOURCES, Secret.name, Secret)
    with pytest.raises(AssertionError):
        check_listing(Secret.name)
    with pytest.raises(AssertionError):
        check_absent(Secret.name, nowhere)

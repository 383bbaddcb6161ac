"""The contract of data sets: they load what they list, and their splits are clean."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from archscope.contracts.check import Check, expect
from archscope.datasets import Dataset, Images, load, split
from archscope.datasets import source as sources
from archscope.datasets.listing import contents, listing
from archscope.datasets.source import SOURCES, VARIABLE, DatasetSource, locate
from archscope.errors import ArchscopeError, OptionError, UnavailableError

SHARED_AT_MOST = 0.01
"""Share of test images; some published data sets have a few images in both parts."""


def checks(name: str, file: Path | None = None) -> Iterator[Check]:
    """Yield the checks of a data set; its content is checked if its files are on this machine."""
    yield Check("listing", partial(is_listed, name))
    yield Check("absence", partial(says_how_to_get_it, name))
    if available(name):
        yield Check("content", partial(loads_what_it_lists, name))


def available(name: str) -> bool:
    """Return whether a data set can be loaded by its name only."""
    source = SOURCES[name]
    return not source.argument and (not source.places(None) or locate(source, None) is not None)


def is_listed(name: str) -> None:
    """Check the entry of a data set in the list."""
    source = SOURCES[name]
    (listed,) = [row for row in listing() if row.name == name]
    expect(
        listed.about and not listed.about.endswith("."),
        "`about` must be a phrase without a full stop",
    )
    documented = source.__doc__ and source.__doc__ != DatasetSource.__doc__
    expect(documented, "it needs a docstring")
    expect(listed.shape is None or all(size > 0 for size in listed.shape), "a size is below 1")
    found = listed.present or (listed.get and listed.places)
    expect(found, "its files are missing, and it does not say where it looked and how to `get` it")
    expect("\n" not in listed.get, "`get` must be a sentence on one line")


def says_how_to_get_it(name: str) -> None:
    """Check the error for missing files; included data sets are always there."""
    source = SOURCES[name]
    with TemporaryDirectory() as folder, nowhere(Path(folder)):
        if source.argument:
            said = _refusal(name, OptionError, None)
            wanted = f"{name}:{source.argument.upper()}"
            expect(wanted in said, f"without an argument it must name {wanted}, got: {said}")
        elif source.places(None):
            expect(source.get, "it needs a sentence in `get`")
            said = _refusal(name, UnavailableError, None)
            expect(source.get in said, f"where it is not found it must say how to get it: {said}")
        said = _refusal(name, OptionError, Path(folder), nonsense=1)
        wanted = f"data set '{name}' has no option 'nonsense'"
        expect(wanted in said, f"expected an error about an unknown option, got: {said}")


def nowhere(folder: Path) -> mock._patch_dict:
    """Return a context in which the usual places of data sets are an empty folder."""
    return mock.patch.dict(os.environ, {VARIABLE: str(folder)})


def _refusal(name: str, kind: type[ArchscopeError], folder: Path | None, **options: Any) -> str:
    """Return the message of an error of a kind; without an error, the contract is broken."""
    with mock.patch.object(sources, "SYSTEM", Path("no/such/folder")):
        try:
            load(name, folder, **options)
        except kind as error:
            return str(error)
    expect(False, f"{name} loads although it must not")
    return ""


def loads_what_it_lists(name: str) -> None:
    """Check the content against the list, that loading is repeatable, and the splits."""
    source, data = SOURCES[name], load(name)
    expect(data.name == name, f"the loaded data set is called {data.name}")
    expect(load(name).digest == data.digest, "loading it again gives another data set")
    expect(
        len(set(data.classes)) == len(data.classes) >= 2, "it needs two or more distinct classes"
    )
    parts = [data.train] if data.test is None else [data.train, data.test]
    for part in parts:
        expect(part.shape == data.train.shape, "test images have another shape")
        low, high = int(part.labels.min()), int(part.labels.max())
        expect(low >= 0 and high < len(data.classes), f"labels are from {low} to {high}")
    counts = tuple(map(len, parts))
    for what, stated, found in (
        ("shape", source.shape, data.train.shape),
        ("classes", source.classes, len(data.classes)),
        ("images", source.images, counts),
    ):
        expect(stated in (None, found), f"lists {what} {stated}, has {found}")
    expect(len(contents(data).classes) == len(data.classes), "its content lacks classes")
    splits_are_clean(data)


def splits_are_clean(data: Dataset) -> None:
    """Check that validation images come from training, and that no test image is trained on."""
    train, validation = split(data.train, 0.25, seed=0)
    whole = sorted([*_pixels(train), *_pixels(validation)]) == sorted(_pixels(data.train))
    expect(whole, "a split loses images")
    if data.test is not None:
        shared = len(set(_pixels(data.train)) & set(_pixels(data.test)))
        expect(shared <= SHARED_AT_MOST * len(data.test), f"{shared} test images are trained on")


def _pixels(images: Images) -> list[bytes]:
    return [image.numpy().tobytes() for image in images.images]

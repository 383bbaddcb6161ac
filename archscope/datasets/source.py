"""Base class and registry of the sources of data sets: `@register` adds one."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from msgspec import Struct

from archscope.datasets.images import Dataset
from archscope.errors import UnavailableError
from archscope.plugins.registry import Registry

VARIABLE = "ARCHSCOPE_DATA"
SYSTEM = Path("/usr/share/datasets")
"""Where Debian's packages put data sets."""


class NoOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """No options."""


class DatasetSource(ABC):
    """Where a data set comes from; the files in `sources` define them.

    `get` says in a sentence how to get the files; it is empty if they are included. `shape`,
    `images` (training and test) and `classes` are known before anything is read, or None.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    get: ClassVar[str] = ""
    shape: ClassVar[tuple[int, int, int] | None] = None
    images: ClassVar[tuple[int, int] | None] = None
    classes: ClassVar[int | None] = None
    options: ClassVar[type[Struct]] = NoOptions
    argument: ClassVar[str] = ""
    """The meaning of a word without `=` after the name; empty if there may be none."""
    folders: ClassVar[tuple[str, ...]] = ()
    """The usual names of the folder with the files; empty if the data are included."""

    @classmethod
    def places(cls, folder: Path | None) -> tuple[Path, ...]:
        """Return the folders to look in; none if the data are included.

        A folder that the user gave is the only one; otherwise it is the one named in the
        environment, then the system's. Only the user's own folder may hold the files directly.
        """
        if not cls.folders:
            return ()
        if folder is not None:
            return (folder, *(folder / name for name in cls.folders))
        named = os.environ.get(VARIABLE)
        roots = [*([Path(named).expanduser()] if named else []), SYSTEM]
        return tuple(root / name for root in roots for name in cls.folders)

    @classmethod
    def files(cls, place: Path) -> tuple[Path, ...] | str:
        """Return the files in a folder, or why they are not complete."""
        return ()

    @classmethod
    def fitted(cls, options: Any, shape: Sequence[int]) -> Any:
        """Return options for a network whose input has a shape, where it decides what they do not.

        Only files whose images may be of any size have to ask for it.
        """
        return options

    @classmethod
    @abstractmethod
    def read(cls, files: tuple[Path, ...], options: Any) -> Dataset:
        """Return the data set in the files. Raises DataError if they are broken."""


SOURCES: Registry[type[DatasetSource]] = Registry("datasets")
"""Every source by its name."""


def register(cls: type[DatasetSource]) -> type[DatasetSource]:
    """Register a source under its name. Raises ContractError for a second one of that name."""
    SOURCES.add(cls.name, cls)
    return cls


def locate(cls: type[DatasetSource], folder: Path | None) -> tuple[Path, tuple[Path, ...]] | None:
    """Return the first folder that has a source's files, and the files; None if none has."""
    for place in cls.places(folder):
        files = cls.files(place)
        if not isinstance(files, str):
            return place, files
    return None


def absent(cls: type[DatasetSource], folder: Path | None) -> UnavailableError:
    """Return the error that says where a source was looked for and how to get it."""
    reasons = [f"{place} ({cls.files(place)})" for place in cls.places(folder)]
    where = (
        f"; put the files there, or give their folder by --data-dir"
        f" ({VARIABLE} names a folder of data sets)"
    )
    return UnavailableError(
        f"data set '{cls.name}' was not found in {', '.join(reasons)}:"
        f" {cls.get}{'' if cls.argument else where}"
    )

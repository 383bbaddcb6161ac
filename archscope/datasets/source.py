"""The base class and the registry of sources of data sets; `@register` adds a source."""

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
"""The folder of data sets in Debian packages."""


class NoOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """No options."""


class DatasetSource(ABC):
    """A source of a data set; the files in `sources` define them.

    `get` is a sentence about how to get the files; it is empty if they are included. `shape`,
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
    """The meaning of an argument without `=` after the name; "" if there is none."""
    folders: ClassVar[tuple[str, ...]] = ()
    """The usual names of the folder with the files; empty if the data are included."""

    @classmethod
    def places(cls, folder: Path | None) -> tuple[Path, ...]:
        """Return the folders to search; none if the data are included.

        If the user gives a folder, it is the only one; otherwise it is the one named in the
        environment, then that of the system. Only the user's own folder may contain the files
        directly.
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
        """Return the files in a folder, or the reason why they are incomplete."""
        return ()

    @classmethod
    def fitted(cls, options: Any, shape: Sequence[int]) -> Any:
        """Return options completed by the input shape of a network.

        Only needed for sources whose images can have any size.
        """
        return options

    @classmethod
    @abstractmethod
    def read(cls, files: tuple[Path, ...], options: Any) -> Dataset:
        """Read the data set. Raises DataError if the files are broken."""


SOURCES: Registry[type[DatasetSource]] = Registry("datasets")
"""Every source by its name."""


def register(cls: type[DatasetSource]) -> type[DatasetSource]:
    """Register a source under its name. Raises ContractError if the name is taken."""
    SOURCES.add(cls.name, cls)
    return cls


def locate(cls: type[DatasetSource], folder: Path | None) -> tuple[Path, tuple[Path, ...]] | None:
    """Return the first folder with a source's files, and the files; None if there is none."""
    for place in cls.places(folder):
        files = cls.files(place)
        if not isinstance(files, str):
            return place, files
    return None


def absent(cls: type[DatasetSource], folder: Path | None) -> UnavailableError:
    """Return the error that lists the searched places and how to get the files."""
    reasons = [f"{place} ({cls.files(place)})" for place in cls.places(folder)]
    where = (
        f"; put the files there, or give their folder by --data-dir"
        f" ({VARIABLE} names a folder of data sets)"
    )
    return UnavailableError(
        f"data set '{cls.name}' was not found in {', '.join(reasons)}:"
        f" {cls.get}{'' if cls.argument else where}"
    )

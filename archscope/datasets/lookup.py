"""Find data sets by name: `fashion-mnist`, `folder:photos`, `synthetic:seed=3`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from archscope.datasets.images import Dataset
from archscope.datasets.source import SOURCES, DatasetSource, absent, locate
from archscope.decoding import convert
from archscope.errors import OptionError, RecordError, did_you_mean


def names() -> tuple[str, ...]:
    """Return the names of all sources."""
    return tuple(sorted(SOURCES))


def load(
    name: str, folder: Path | None = None, *, network: Sequence[int] = (), **options: Any
) -> Dataset:
    """Load a data set by its name, which may have options after a colon.

    `folder` replaces the usual places. `network` is the input shape of a network (C, H, W): images
    of a folder that differ in size are adapted to it, if no size is given. Raises OptionError for
    an unknown name or option, UnavailableError if files are missing, DataError if they are broken
    or not the official ones.
    """
    word, colon, rest = name.partition(":")
    cls = find(word)
    if colon:
        argument, written = _after_colon(cls, rest)
        twice = sorted(written.keys() & options.keys())
        if twice:
            raise OptionError(f"option '{twice[0]}' of data set '{word}' is given twice")
        if argument:
            if folder is not None:
                raise OptionError(
                    f"data set '{word}' gets two folders, '{argument}' and '{folder}'"
                )
            folder = Path(argument).expanduser()
        options = {**written, **options}
    settings = cls.fitted(_settings(cls, options), network)
    if not cls.places(folder):
        if folder is not None:
            raise OptionError(f"data set '{word}' is included and takes no folder, got '{folder}'")
        return cls.read((), settings)
    found = locate(cls, folder)
    if found is None:
        raise absent(cls, folder)
    return cls.read(found[1], settings)


def anywhere(name: str, folder: Path | None = None) -> tuple[str, str | None]:
    """Return a name and a folder that denote the same data set from any working directory."""
    word, colon, rest = name.partition(":")
    argument, written = _after_colon(find(word), rest) if colon else ("", {})
    if argument:
        folder = Path(argument).expanduser()
        options = ",".join(f"{key}={value}" for key, value in reversed(written.items()))
        name = f"{word}:{options}" if options else word
    return name, None if folder is None else str(folder.resolve())


def default_images(folder: str | None = None) -> str:
    """Return the default data set for comparing networks.

    It is fashion-mnist if its files are found, else digits, which is included.
    """
    found = locate(find("fashion-mnist"), None if folder is None else Path(folder))
    return "digits" if found is None else "fashion-mnist"


def find(name: str) -> type[DatasetSource]:
    """Return a source by name. Raises OptionError with the nearest name."""
    if name not in SOURCES:
        if Path(name).is_dir():
            raise OptionError(
                f"unknown data set '{name}'; the images in that folder are folder:{name}"
            )
        near = did_you_mean(name, SOURCES) or f", expected one of {', '.join(names())}"
        raise OptionError(f"unknown data set '{name}'{near}")
    return SOURCES[name]


def _after_colon(cls: type[DatasetSource], text: str) -> tuple[str, dict[str, str]]:
    """Return the argument and the options that follow `name:`.

    Options are parsed from the end, as a path may contain commas and equal signs.
    """
    parts = text.split(",")
    known = cls.options.__struct_fields__
    written: dict[str, str] = {}
    while parts and "=" in parts[-1]:
        key, _, value = parts[-1].partition("=")
        if cls.argument and key not in known:
            if Path(",".join(parts[:-1])).is_dir() and not Path(",".join(parts)).is_dir():
                _settings(cls, {key: value})  # no part of the path
            break
        if key in written:
            raise OptionError(f"option '{key}' of data set '{cls.name}' is given twice")
        written[key] = value
        parts.pop()
    argument = ",".join(parts)
    if argument and not cls.argument:
        raise OptionError(
            f"data set '{cls.name}' takes options as name=value after the colon, got '{argument}'"
        )
    return argument, written


def _settings(cls: type[DatasetSource], options: dict[str, Any]) -> Any:
    """Return options as the record of the source."""
    known = cls.options.__struct_fields__
    for key in options:
        if key not in known:
            near = did_you_mean(key, known)
            near = near or (f", it takes {', '.join(known)}" if known else ", it takes none")
            raise OptionError(f"data set '{cls.name}' has no option '{key}'{near}")
    try:
        return convert(options, cls.options, strict=False)
    except RecordError as error:
        at = f"option '{error.place}' of " if error.place else ""
        raise OptionError(f"{at}data set '{cls.name}': {error.reason}") from None


def sizes(
    value: str | int | tuple[int, ...], name: str, counts: tuple[int, ...]
) -> tuple[int, ...]:
    """Return sizes written as 3x32x32, as one number, or given as a tuple.

    Raises OptionError unless there are as many as `counts` allows, each from 1 to 65,535.
    """
    words = value.lower().split("x") if isinstance(value, str) else value
    words = (words,) if isinstance(words, int) else words
    numbers = tuple(int(word) if str(word).isdecimal() else 0 for word in words)
    if len(numbers) not in counts or not all(0 < number < 65536 for number in numbers):
        shown = value if isinstance(value, str) else "x".join(map(str, words))
        wanted = " or ".join(map(str, counts))
        example = "x".join(["3", "32", "32"][-counts[-1] :])
        raise OptionError(f"{name} is {wanted} sizes such as {example}, got '{shown}'")
    return numbers

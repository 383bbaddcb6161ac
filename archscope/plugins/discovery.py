"""Find plug-ins: installed packages with an entry point, and folders named by a project.

A plug-in is a package laid out like archscope itself: one file per item, in the folder of its kind
(`KINDS`). Only the parents of such a package are imported here.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from msgspec import Struct

from archscope import project
from archscope.errors import ArchscopeError, OptionError, did_you_mean
from archscope.plugins.kinds import KINDS

GROUP = "archscope.plugins"
"""The group of entry points; the value of an entry point is the name of a package."""
OFF = "ARCHSCOPE_NO_PLUGINS"
"""The environment variable that turns plug-ins off, unless it is empty."""


class Plugin(Struct, frozen=True):
    """A package of plug-ins."""

    name: str  # of its distribution, or its folder as written in the project's configuration
    version: str  # of its distribution; "" for those of a project
    package: str  # the package to import its files from
    named_in: str  # the file that names it
    folders: tuple[Path, ...]

    def files(self, kind: str) -> Iterator[PluginFile]:
        """Yield the files of a kind; files whose names begin with `_` are helpers."""
        for folder in self.folders:
            for module in iter_modules([str(folder / kind)]):
                if not module.name.startswith("_"):
                    inner = f"{module.name}/__init__.py" if module.ispkg else f"{module.name}.py"
                    yield PluginFile(self, kind, module.name, folder / kind / inner)

    def digest(self) -> str:
        """Return a digest of the code of all its files."""
        from hashlib import sha256

        files = sorted(path for folder in self.folders for path in folder.rglob("*.py"))
        return sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


class PluginFile(Struct, frozen=True):
    """A file of a plug-in, with items of one kind."""

    plugin: Plugin
    kind: str
    stem: str
    path: Path

    @property
    def module(self) -> str:
        """The name of its module."""
        return f"{self.plugin.package}.{self.kind}.{self.stem}"


class Problem(Struct, frozen=True):
    """The reason why a plug-in or one of its files could not be loaded."""

    plugin: str
    version: str
    kind: str  # "" for the whole plug-in
    place: str  # "plugins/ops/blur.py:7"
    reason: str
    named_in: str = ""  # the file that names the plug-in, unless that is the place

    def __str__(self) -> str:
        return f"plug-in {self.place} did not load: {self.reason}"


class Discovery(Struct, frozen=True):
    """The plug-ins that were found, and the problems of others."""

    plugins: tuple[Plugin, ...] = ()
    problems: tuple[Problem, ...] = ()


@cache
def discover() -> Discovery:
    """Return the plug-ins of installed packages, by name, followed by those of the project.

    The result is cached per process. Errors are not raised but returned as a `Problem`.
    """
    if os.environ.get(OFF):
        return Discovery()
    plugins: list[Plugin] = []
    problems: list[Problem] = []
    for found in (*sorted(_installed(), key=str), *_of_project()):
        if isinstance(found, Plugin):
            found = _checked(found)
        if isinstance(found, Problem):
            problems.append(found)
        elif found.package not in {plugin.package for plugin in plugins}:
            plugins.append(found)
    return Discovery(tuple(plugins), tuple(problems))


def _installed() -> Iterator[Plugin | Problem]:
    """Yield the plug-ins in the metadata of installed packages.

    `importlib.metadata` is not used: importing it takes as long as the rest of `archscope analyze`.
    """
    seen = set()
    for place in dict.fromkeys(sys.path):
        try:
            names = [entry.name for entry in os.scandir(place or ".")]
        except OSError:
            continue
        for folder in names:
            if not folder.endswith((".dist-info", ".egg-info")):
                continue
            name, _, version = folder.rpartition(".")[0].partition("-")
            if name in seen:  # the first one on the path is imported
                continue
            seen.add(name)
            path = f"{place or '.'}/{folder}/entry_points.txt"
            try:
                with open(path, "rb") as file:  # noqa: PTH123  (there are hundreds)
                    found = GROUP.encode() in file.read()
            except OSError:
                continue
            if found:
                yield from _entries(Path(path), name, version)


def _entries(path: Path, name: str, version: str) -> Iterator[Plugin | Problem]:
    """Yield the plug-ins of one distribution."""
    from configparser import ConfigParser, Error

    table = ConfigParser(delimiters=("=",), interpolation=None)
    try:
        table.read_string(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, Error) as error:
        yield Problem(name, version, "", str(path), str(error).split("\n")[0])
        return
    if GROUP in table:
        for value in table[GROUP].values():
            yield _package(value, path, name, version)


def _of_project() -> Iterator[Plugin | Problem]:
    """Yield the plug-ins named by `plugins` in the project's configuration: folders or packages."""
    try:
        path = project.find(Path.cwd())
        if path is None or b"plugins" not in path.read_bytes():
            return
    except OSError:  # commands that need the configuration report it
        return
    try:
        words = project.read(path).get("plugins", [])
    except OptionError as error:
        yield Problem("", "", "", shown(path), str(error).removeprefix(f"{path}: "))
        return
    words = [words] if isinstance(words, str) else words
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        reason = f"plugins must be a folder, or a list of folders and packages, got {words!r}"
        yield Problem("", "", "", shown(path), reason)
        return
    for number, word in enumerate(words):
        folder = path.parent / word
        if folder.is_dir():
            yield _folder(folder.resolve(), word, number, path)
        elif folder.is_file():
            reason = f"plugins: '{word}' must be a folder, or a package, not a single file"
            yield Problem(word, "", "", shown(path), reason)
        elif re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", word):
            yield _package(word, path, word, "")
        else:
            yield Problem(word, "", "", shown(path), f"plugins: no folder '{word}'")


def _folder(folder: Path, word: str, number: int, path: Path) -> Plugin:
    """Return a folder as a package called `archscope_plugins`, numbered from the second on."""
    name = f"archscope_plugins_{number + 1}" if number else "archscope_plugins"
    package = ModuleType(name, f"The plug-ins in {folder}.")
    package.__path__ = [str(folder)]
    sys.modules[name] = package
    return Plugin(word, "", name, shown(path), (folder,))


def _package(package: str, path: Path, name: str, version: str) -> Plugin | Problem:
    """Return a package that can be imported as a plug-in."""
    try:
        spec = find_spec(package)
    except (Exception, SystemExit) as error:  # raised by the code of a parent package
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{package}.".startswith(f"{missing}."):
            return Problem(name, version, "", shown(path), f"no module '{missing}'")
        return Problem(name, version, "", shown(path), f"'{package}': {described(error)}")
    if spec is None:
        return Problem(name, version, "", shown(path), f"no module '{package}'")
    if spec.submodule_search_locations is None:
        reason = f"'{package}' must be a package with a folder for each kind, not a single file"
        return Problem(name, version, "", shown(path), reason)
    folders = tuple(map(Path, spec.submodule_search_locations))
    return Plugin(name, version, package, shown(path), folders)


def _checked(plugin: Plugin) -> Plugin | Problem:
    """Return a plug-in if it has at least one folder of a kind, else a problem."""
    try:
        inner = [path.name for folder in plugin.folders for path in folder.iterdir()]
    except OSError as error:
        return Problem(plugin.name, plugin.version, "", plugin.named_in, described(error))
    if any(kind in inner for kind in KINDS):
        return plugin
    near = next((hint for name in sorted(inner) if (hint := did_you_mean(name, KINDS))), "")
    reason = f"it has none of the folders {', '.join(KINDS)}{near}"
    place = shown(plugin.folders[0])
    return Problem(plugin.name, plugin.version, "", place, reason, plugin.named_in)


def described(error: BaseException) -> str:
    """Return an error as one line; for archscope's own errors, that is their message."""
    from archscope.extras import need  # needed for errors only

    text = " ".join(str(error).split())
    kind = type(error).__name__
    if isinstance(error, ArchscopeError | ContractError):
        return text
    missing = need(error)
    if missing is not None:
        return f"it {missing}"
    return f"{kind}: {text}" if text else kind


class ContractError(TypeError):
    """A registered item lacks something required of its kind, or its name is taken."""


def shown(path: Path) -> str:
    """Return a path relative to the working directory if it is inside."""
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError):
        return str(path)

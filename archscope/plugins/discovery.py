"""Where plug-ins are: packages that say so in their metadata, and folders that a project names.

A plug-in is a package laid out as archscope itself: one file for each thing, in the folder of its
kind (`KINDS`). Nothing is imported here but what stands above such a package.
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
"""The group of entry points; the value of one is the name of a package."""
OFF = "ARCHSCOPE_NO_PLUGINS"
"""The environment variable that turns plug-ins off, unless it is empty."""


class Plugin(Struct, frozen=True):
    """A package of plug-ins."""

    name: str  # of its distribution, or its folder as the project's configuration names it
    version: str  # of its distribution; empty for those of a project
    package: str  # by which its files are imported
    named_in: str  # the file that names it
    folders: tuple[Path, ...]

    def files(self, kind: str) -> Iterator[PluginFile]:
        """Yield the files of a kind. Those whose names begin with `_` are helpers."""
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
    """One file of a plug-in, which has things of one kind."""

    plugin: Plugin
    kind: str
    stem: str
    path: Path

    @property
    def module(self) -> str:
        """The name by which it is imported."""
        return f"{self.plugin.package}.{self.kind}.{self.stem}"


class Problem(Struct, frozen=True):
    """Why a plug-in, or a file of one, could not be loaded."""

    plugin: str
    version: str
    kind: str  # empty: the whole plug-in
    place: str  # "plugins/ops/blur.py:7"
    reason: str
    named_in: str = ""  # the file that names the plug-in, unless that is the place

    def __str__(self) -> str:
        return f"plug-in {self.place} did not load: {self.reason}"


class Discovery(Struct, frozen=True):
    """The plug-ins that were found, and what is wrong with those that were not."""

    plugins: tuple[Plugin, ...] = ()
    problems: tuple[Problem, ...] = ()


@cache
def discover() -> Discovery:
    """Return the plug-ins of installed packages, by name, and then those of the project.

    They are looked for once in a process. Nothing is raised: what is wrong is a `Problem`.
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
    """Yield what the metadata of installed packages name.

    `importlib.metadata` takes as long to import as everything else that `archscope analyze` does.
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
            if name in seen:  # what comes first is what is imported
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
    """Yield what `plugins` in the project's configuration names: folders, or packages."""
    try:
        path = project.find(Path.cwd())
        if path is None or b"plugins" not in path.read_bytes():
            return
    except OSError:  # a command that needs the configuration says so
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
        elif re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", word):
            yield _package(word, path, word, "")
        else:
            yield Problem(word, "", "", shown(path), f"plugins: there is no folder '{word}'")


def _folder(folder: Path, word: str, number: int, path: Path) -> Plugin:
    """Return a folder as a package, called `archscope_plugins`; others get a number."""
    name = f"archscope_plugins_{number + 1}" if number else "archscope_plugins"
    package = ModuleType(name, f"The plug-ins in {folder}.")
    package.__path__ = [str(folder)]
    sys.modules[name] = package
    return Plugin(word, "", name, shown(path), (folder,))


def _package(package: str, path: Path, name: str, version: str) -> Plugin | Problem:
    """Return a package that can be imported as a plug-in."""
    try:
        spec = find_spec(package)
    except (Exception, SystemExit) as error:  # a package above it runs its own code
        return Problem(name, version, "", shown(path), f"'{package}': {described(error)}")
    if spec is None:
        return Problem(name, version, "", shown(path), f"no module is called '{package}'")
    if spec.submodule_search_locations is None:
        reason = f"'{package}' must be a package with a folder for each kind, not a single file"
        return Problem(name, version, "", shown(path), reason)
    folders = tuple(map(Path, spec.submodule_search_locations))
    return Plugin(name, version, package, shown(path), folders)


def _checked(plugin: Plugin) -> Plugin | Problem:
    """Return a plug-in if it has a folder of some kind."""
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
    """Return an error as one line; those of archscope say all in their message."""
    from archscope.extras import need  # most commands have no errors to describe

    text = " ".join(str(error).split())
    kind = type(error).__name__
    if isinstance(error, ArchscopeError | ContractError):
        return text
    missing = need(error)
    if missing is not None:
        return f"it {missing}"
    return f"{kind}: {text}" if text else kind


class ContractError(TypeError):
    """What is registered lacks something that everything of its kind has, or its name is taken."""


def shown(path: Path) -> str:
    """Return a path as users write it: from the working directory if it is below."""
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError):
        return str(path)

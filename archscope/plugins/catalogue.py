"""List everything that plug-ins add, and their errors."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from msgspec import Struct

from archscope.plugins import loading, problems
from archscope.plugins.discovery import Plugin, Problem, discover, shown
from archscope.plugins.kinds import KINDS
from archscope.plugins.registry import Registry


class Listed(Struct, frozen=True):
    """An item of a plug-in, or a file that could not be loaded."""

    kind: str  # its folder; "" for a plug-in that could not be loaded at all
    name: str  # "" if it could not be loaded
    plugin: str
    version: str
    named_in: str  # the file that names the plug-in
    file: str  # including the line of the error, if it could not be loaded
    error: str = ""


def catalogue() -> tuple[Listed, ...]:
    """Load all plug-ins, and return their items by plug-in and kind."""
    found = discover()
    for problem in found.problems:
        problems.note(problem)
    listed = [row for plugin in found.plugins for row in _things(plugin)]
    return (*listed, *map(_failed, problems.problems))


def registry(kind: str) -> Registry[object]:
    """Return the registry of a kind. Raises ImportError if it needs packages not installed."""
    module, _, name = KINDS[kind].registry.partition(":")
    found: Registry[object] = getattr(import_module(module), name)
    return found


def _things(plugin: Plugin) -> Iterator[Listed]:
    for kind in KINDS:
        files = list(plugin.files(kind))
        if not files:
            continue
        try:
            things = registry(kind)
            things.load()
        except ImportError as error:
            for file in files:
                problems.note(loading.problem_of(file, error))
            continue
        for name, file in things.files.items():
            if file.plugin == plugin:
                place = shown(file.path)
                yield Listed(kind, name, plugin.name, plugin.version, plugin.named_in, place)


def _failed(problem: Problem) -> Listed:
    return Listed(
        problem.kind, "", problem.plugin, problem.version,
        problem.named_in or problem.place, problem.place, problem.reason,
    )  # fmt: skip

"""Completers for the shell: names of networks, runs, nodes, operators and rules, and files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archscope.errors import ArchscopeError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SUFFIXES = (".yaml", ".yml", ".py", ".onnx", ".cfg", ".prototxt", ".param", ".keras",
            ".tflite", ".xml", ".caffemodel", ".mlmodel", ".mlpackage")  # fmt: skip
"""Suffixes of files that may be a SPEC."""

Completer = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


def names(find: Callable[[], Iterable[str]]) -> Completer:
    """Return a completer for the names that a function returns."""

    def complete(
        context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return _items(find(), incomplete)

    return complete


def commands(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the names of commands."""
    assert context.parent is not None
    return context.parent.command.shell_complete(context.parent, incomplete)


def specs(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete networks and spaces that ship with archscope, and files that may be a spec."""
    from archscope.language import spaces, zoo

    return _items((*zoo(), *spaces(), *_files(incomplete)), incomplete)


def nodes(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the nodes of the SPEC on the command line; nothing if it cannot be read."""
    from archscope.sources import is_foreign, load

    spec = context.params.get("spec")
    if not isinstance(spec, str) or is_foreign(spec):  # importing a model takes too long
        return []
    try:
        graph = load(spec)
    except ArchscopeError:
        return []
    return _items((node.name for node in graph.nodes), incomplete)


def runs(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the runs in the usual folder, by name and by path."""
    from archscope.records.run_folder import all_runs

    found = all_runs(Path("runs"))
    known = [*(path.name for path in found), *(path.as_posix() for path in found)]
    return _items(known, incomplete)


def runs_and_specs(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete runs, then what may be a spec."""
    return [*runs(context, parameter, incomplete), *specs(context, parameter, incomplete)]


def recipes(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the recipes that ship with archscope; `archscope.train` would load torch."""
    folder = Path(__file__).parents[2] / "train" / "recipes"
    return _items(sorted(path.stem for path in folder.glob("*.yaml")), incomplete)


def data_sets(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the names of data sets, and the path of a folder of images."""
    from archscope.datasets.lookup import names
    from archscope.datasets.source import SOURCES

    word, colon, path = incomplete.partition(":")
    if not colon:
        return _items((f"{name}{':' * bool(SOURCES[name].argument)}" for name in names()), word)
    if word not in SOURCES or not SOURCES[word].argument:
        return []
    return _items((f"{word}:{found}" for found in _files(path) if found[-1] == "/"), incomplete)


def _items(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem  # only a shell needs it

    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def _files(incomplete: str) -> list[str]:
    """Return paths that begin with an incomplete one: folders, and files that may be a spec."""
    folder, slash, start = incomplete.rpartition("/")
    place = Path(folder or slash or ".")
    try:
        paths = sorted(path for path in place.iterdir() if path.name.startswith(start))
    except OSError:
        return []
    shown = [path for path in paths if path.is_dir() or path.name.endswith(SUFFIXES)]
    begin = f"{folder}{slash}"
    return [f"{begin}{path.name}{'/' * path.is_dir()}" for path in shown if path.name[0] != "."]

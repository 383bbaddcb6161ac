"""Import the files of plug-ins one by one, and tell which failed."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from types import ModuleType

from archscope.plugins.discovery import PluginFile, Problem, described, discover, shown


def imported(file: PluginFile) -> ModuleType:
    """Import a file, passing on its exceptions; what it prints goes to standard error."""
    with redirect_stdout(sys.stderr):  # standard output is for results
        return import_module(file.module)


def problem_of(file: PluginFile, error: BaseException) -> Problem:
    """Return the problem for an exception raised by a file or its contract."""
    place = _line(file, error) or shown(file.path)
    plugin = file.plugin
    return Problem(plugin.name, plugin.version, file.kind, place, described(error), plugin.named_in)


def _line(file: PluginFile, error: BaseException) -> str:
    """Return the innermost line of a plug-in in the traceback of an error, or ""."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{shown(Path(error.filename))}:{error.lineno}"
    return _place(error, file.plugin.folders)


def _place(error: BaseException, folders: tuple[Path, ...]) -> str:
    place, trace = "", error.__traceback__
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if any(path.is_relative_to(folder) for folder in folders):
            place = f"{shown(path)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def blame(error: BaseException) -> str | None:
    """Return a line that names the plug-in an error comes from; None if it comes from none."""
    for plugin in discover().plugins:
        place = _place(error, plugin.folders)
        if place:
            return f"plug-in {place} failed: {described(error)}"
    return None

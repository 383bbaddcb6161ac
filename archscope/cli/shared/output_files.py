"""Files that commands write: checked before any work, and never what the command reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import click

from archscope.errors import OptionError


class OutputPath(click.Path):
    """The type of a file that a command writes."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; raise OptionError at once if no file can be written there."""
        from archscope.files import check_writable  # needs msgspec, which --version does not load

        path = Path(str(super().convert(value, param, ctx)))
        check_writable(path)
        return path


def guard(command: click.Command) -> None:
    """Let a command, and those of a group, refuse outputs that are among the files it reads."""
    for inner in getattr(command, "commands", {}).values():
        guard(inner)
    outputs = {param.name for param in command.params if isinstance(param.type, OutputPath)}
    work = command.callback
    if not outputs or work is None:
        return

    @wraps(work)
    def run(*args: Any, **values: Any) -> Any:
        given = click.get_current_context().params
        _check({name: value for name, value in given.items() if name in outputs},
               {name: value for name, value in given.items() if name not in outputs})  # fmt: skip
        return work(*args, **values)

    command.callback = run


def _check(outputs: Mapping[str, Path | None], sources: Mapping[str, Any]) -> None:
    """Raise OptionError for an output that another argument names, itself or as part of a run."""
    for output in outputs.values():
        if output is None or not output.exists():
            continue
        for source in _files(list(sources.values())):
            if source.exists() and output.samefile(source):
                raise OptionError(
                    f"'{output}' would overwrite what it is made from; write to another file"
                )


def _files(given: Any) -> Iterator[Path]:
    """Yield the files that values of options and arguments may stand for.

    A word may be a file, an imported module, or a run, whose folder or name it is.
    """
    if isinstance(given, list | tuple):
        for value in given:
            yield from _files(value)
    elif isinstance(given, str | Path) and len(str(given)) < LONGEST and "\n" not in str(given):
        from archscope.records.run_folder import HOME, is_run  # only where a file is overwritten

        word = str(given)
        module, colon, _ = word.partition(":")
        yield from (Path(word), Path(module))
        if colon:
            yield Path(f"{module.replace('.', '/')}.py")
        for run in (Path(word), HOME / word):
            if is_run(run):
                yield from (run / name for name in OF_A_RUN)


OF_A_RUN = (
    "spec.yaml", "recipe.yaml", "best.safetensors", "last.safetensors", "run.json", "epochs.csv",
)  # fmt: skip
LONGEST = 1000
"""Longer words are the text of a spec, and no path."""

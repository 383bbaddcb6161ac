"""Check that a command does not write over what it reads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from archscope.errors import OptionError
from archscope.records.run_folder import is_run


def check_outputs(
    outputs: Iterable[Path | None], spec: str | None = None, weights: Path | None = None
) -> None:
    """Raise OptionError for an output that is a source of the command.

    The sources are those of `spec` (a file, an imported module, or a run's folder) and of
    `weights` (a file or a run's folder). `None` stands for an output or a source not given.
    """
    sources = [*_files(spec), *_files(None if weights is None else str(weights))]
    for output in outputs:
        if output is None or not output.exists():
            continue
        if any(source.exists() and output.samefile(source) for source in sources):
            raise OptionError(
                f"'{output}' would overwrite what it is made from; write to another file"
            )


def _files(word: str | None) -> list[Path]:
    """Return the files that a spec or the value of --weights may stand for."""
    if word is None:
        return []
    run = Path(word)
    if is_run(run):
        return [run / "spec.yaml", run / "best.safetensors"]
    module, colon, _ = word.partition(":")
    files = [Path(word), Path(module)]
    return [*files, Path(f"{module.replace('.', '/')}.py")] if colon else files

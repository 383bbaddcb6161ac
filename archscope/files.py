"""Files that are whole or not there: written aside, then renamed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import msgspec

from archscope.errors import OptionError


def put(path: Path, fill: Callable[[IO[bytes]], object]) -> None:
    """Let `fill` write a file, and put it in place when it is on the disk.

    Raises OptionError if it cannot be written; what stood there before stands there still.
    """
    aside: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            aside = Path(file.name)
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        aside.chmod(0o644)
        aside.replace(path)
    except OSError as error:
        raise refusal(path, error) from None
    finally:
        if aside is not None:
            aside.unlink(missing_ok=True)


def put_text(path: Path, text: str) -> None:
    """Put a text in place."""
    put(path, lambda file: file.write(text.encode()))


def put_json(path: Path, value: Any) -> None:
    """Put a value in place as JSON that people can read."""
    put_text(path, msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def refusal(path: Path, error: OSError) -> OptionError:
    """Return the error that says that a file cannot be written."""
    reason = error.strerror or str(error)
    return OptionError(f"cannot write '{path}': {reason[0].lower()}{reason[1:]}")

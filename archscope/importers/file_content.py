"""The bytes of binary files; large files are read only where they are accessed."""

from __future__ import annotations

from mmap import ACCESS_READ, mmap
from pathlib import Path

from archscope.errors import UnavailableError, reason_of

Content = bytes | mmap

MAPPED = 1 << 24
"""Files of at least this many bytes are mapped into memory instead of read."""


def content_of(path: Path) -> Content:
    """Return the bytes of a file. Raises UnavailableError."""
    try:
        with path.open("rb") as file:
            if path.stat().st_size < MAPPED:
                return file.read()
            return mmap(file.fileno(), 0, access=ACCESS_READ)
    except FileNotFoundError:
        raise UnavailableError("there is no such file") from None
    except OSError as error:
        raise UnavailableError(f"cannot be read: {reason_of(error)}") from None

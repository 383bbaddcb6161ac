"""Read files of data sets into memory, with size limits and errors that name the file."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from archscope.errors import DataError, reason_of

LIMIT = 2**29
"""An upper bound of the decompressed size of the files of known data sets, in bytes."""
GZIP = b"\x1f\x8b"


def raw(path: Path, limit: int = LIMIT) -> bytes:
    """Return the bytes of a file. Raises DataError if it exceeds `limit` or is unreadable."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise DataError(f"cannot read '{path}': {reason_of(error)}") from None
    if len(data) > limit:
        raise DataError(f"'{path}' is larger than the limit of {limit:,} bytes")
    return data


def unpacked(data: bytes, path: Path, limit: int = LIMIT) -> bytes:
    """Decompress gzip data; return other bytes unchanged.

    Raises DataError if they are incomplete or damaged, or exceed `limit` bytes.
    """
    if not data.startswith(GZIP):
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            content = file.read(limit + 1)
    except EOFError:
        raise DataError(f"'{path}' is incomplete") from None
    except (OSError, zlib.error) as error:
        raise DataError(f"'{path}' is damaged: {error}") from None
    if len(content) > limit:
        raise DataError(f"'{path}' is larger than the limit of {limit:,} bytes when decompressed")
    return content


def check_sum(data: bytes, md5: str, path: Path, what: str = "") -> None:
    """Raise DataError unless bytes have their published checksum."""
    got = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if got != md5:
        raise DataError(
            f"{what}'{path}' is not the official file: expected md5 {md5}, got {got}; get it again"
        )


def members(data: bytes, path: Path, names: Collection[str]) -> dict[str, bytes]:
    """Return the named files of a tar archive (gzip or not), by name.

    Nothing is written to disk, and paths in the archive are not followed. Raises DataError for a
    broken archive, for members that are not regular files, and for duplicate names.
    """
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(unpacked(data, path)), mode="r:") as archive:
            for member in archive:
                name = PurePosixPath(member.name).name
                if name not in names or member.isdir():
                    continue
                file = archive.extractfile(member) if member.isreg() else None
                if file is None:
                    raise DataError(f"'{name}' in '{path}' is not a regular file")
                if name in found:
                    raise DataError(f"'{path}' holds two files named '{name}'")
                found[name] = file.read()
                if len(found[name]) != member.size:
                    raise DataError(f"'{path}' is incomplete: '{name}' ends too early")
    except (tarfile.TarError, ValueError, OSError, EOFError, OverflowError) as error:
        raise DataError(f"'{path}' is not a valid tar archive: {error}") from None
    return found

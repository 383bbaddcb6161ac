"""Keeps glibc from returning freed memory to the system during a measurement.

glibc may return freed memory at every call and fetch it again, page by page, at the next.
Whether it does depends on what happens to lie at the top of the heap: the same network in the
same program may take more than twice as long.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # names of malloc.h
NEVER = 2**31 - 1
LARGEST = 32 * 2**20  # larger blocks are always returned; malloc takes no higher limit


@contextmanager
def keep_freed_memory() -> Iterator[None]:
    """Keep freed memory in the process inside of the context; without glibc, do nothing.

    Afterwards glibc returns what is free, and from then on uses the limits to which it usually
    adapts itself.
    """
    library = _glibc()
    if library is None:
        yield
        return
    library.mallopt(MMAP_THRESHOLD, LARGEST)
    library.mallopt(TRIM_THRESHOLD, NEVER)
    try:
        yield
    finally:
        library.mallopt(TRIM_THRESHOLD, 2 * LARGEST)
        library.malloc_trim(0)


def _glibc() -> Any:
    """Return the C library if it is glibc, else None."""
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):  # Windows has no such library
        return None
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None

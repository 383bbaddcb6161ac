"""Memory that is freed stays with the process while it is measured.

glibc may hand freed memory back to the system at every call and fetch it again, page by page,
at the next. Whether it does depends on what happens to lie at the top of the heap: the same
network in the same process image takes once, or more than twice the time.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # names of malloc.h
NEVER = 2**31 - 1
LARGEST = 32 * 2**20  # blocks beyond are always handed back; malloc takes no higher limit


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep glibc from handing memory back for a while; elsewhere, do nothing.

    Afterwards it hands back what is free, and from then on at the limits that its own
    adaptation tends to.
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
    """Return the C library if it has glibc's calls, or None."""
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):  # Windows has no such library
        return None
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None

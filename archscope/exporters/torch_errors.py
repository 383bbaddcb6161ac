"""Errors of torch about networks that it cannot run or write, as errors of users."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from archscope.errors import ArchscopeError, GraphError


@contextmanager
def explained(what: str, *, last: bool = False) -> Iterator[None]:
    """Raise GraphError for any other error inside: `what`, and the reason.

    The reason is the first line of torch's message, or its last, which is that of TorchScript.
    """
    try:
        yield
    except ArchscopeError:
        raise
    except Exception as error:  # those of torch's compilers have no common base class
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = lines[-1 if last else 0].removeprefix(f"{type(error).__name__}: ")
        raise GraphError(f"{what}: {reason}; nothing was written") from None

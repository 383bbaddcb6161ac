"""The process of a command: arguments, signals, closed standard files, errors of the system."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from archscope.errors import OptionError, shortened
from archscope.printable import use_replacements


class Terminated(KeyboardInterrupt):
    """The process received SIGTERM; a subclass, so that cleanup after Ctrl-C applies here, too."""


_noted: list[int] = []  # signals that asked the command to stop


def interrupt(number: int) -> NoReturn:
    """Raise the exception that ends a command after SIGINT or SIGTERM."""
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt


def note(number: int) -> None:
    """Record that a command was asked to stop and will end by itself."""
    _noted.append(number)


def was_terminated() -> bool:
    """Return whether the first signal that asked the command to stop was SIGTERM."""
    return _noted[:1] == [signal.SIGTERM]


@contextmanager
def prepared() -> Iterator[None]:
    """Prepare the process for a command: open standard files, and raise on SIGTERM."""
    _open_standard_files()
    _noted.clear()
    use_replacements()
    attended = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    if attended:
        signal.signal(signal.SIGTERM, _terminate_in(os.getpid()))
    try:
        yield
    finally:
        if attended:
            signal.signal(signal.SIGTERM, before)
        _flush()


def check_surroundings(words: Sequence[str]) -> None:
    """Raise OptionError for arguments that are not UTF-8 or a missing working directory.

    Such an argument could not be printed, and many libraries need a working directory.
    """
    try:
        Path.cwd()
    except OSError:
        raise OptionError("the working directory no longer exists") from None
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise OptionError(f"the argument '{shortened(word)}' is not UTF-8") from None


def reason(error: OSError) -> str:
    """Return an error of the operating system as one line."""
    why = error.strerror or str(error) or type(error).__name__
    why = f"{why[:1].lower()}{why[1:]}"
    return f"'{shortened(os.fsdecode(error.filename), 200)}': {why}" if error.filename else why


def _terminate_in(process: int) -> Callable[[int, FrameType | None], None]:
    def terminate(number: int, frame: FrameType | None) -> None:
        if os.getpid() == process:
            interrupt(number)
        signal.signal(number, signal.SIG_DFL)  # a fork
        os.kill(os.getpid(), number)

    return terminate


def _open_standard_files() -> None:
    """Open closed standard files as null devices, so that no other file gets their numbers."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def _flush() -> None:
    """Flush standard output; if that fails, keep the interpreter from reporting it at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

"""What a command and the system say to each other: arguments, signals, closed files, refusals."""

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
    """The process got SIGTERM; whatever cleans up after Ctrl-C does so after this, too."""


_noted: list[int] = []  # signals that asked the command to stop


def interrupt(number: int) -> NoReturn:
    """Raise the exception that ends a command after SIGINT or SIGTERM."""
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt


def note(number: int) -> None:
    """Keep in mind that a command was asked to stop, and ends by itself."""
    _noted.append(number)


def was_terminated() -> bool:
    """Return whether the first signal that asked the command to stop was SIGTERM."""
    return _noted[:1] == [signal.SIGTERM]


@contextmanager
def prepared() -> Iterator[None]:
    """Prepare the process for a command: standard files, and SIGTERM as an exception."""
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
    """Raise OptionError for arguments or a working directory that no command can do with.

    An argument that is not UTF-8 could be in no output; many libraries need a working directory.
    """
    try:
        Path.cwd()
    except OSError:
        raise OptionError("the working directory does not exist any more") from None
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise OptionError(f"the argument '{shortened(word)}' is not UTF-8") from None


def reason(error: OSError) -> str:
    """Return what the system refused, as one line."""
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
    """Give standard files that are closed their numbers back, so that no other file gets them."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def _flush() -> None:
    """Write what is left; where that fails, keep the interpreter from complaining at its exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

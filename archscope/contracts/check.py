"""A check of a contract, and the outcome of running checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path

from msgspec import Struct

from archscope.errors import UnavailableError, shortened
from archscope.plugins.discovery import described


class BrokenContractError(AssertionError):
    """A contract is broken; the message states what was expected and what was found."""


def expect(condition: object, message: str) -> None:
    """Raise BrokenContractError with a message unless a condition holds."""
    if not condition:
        raise BrokenContractError(message)


class Check(Struct, frozen=True):
    """A check: its subject, and a function that raises if the contract is broken."""

    about: str
    run: Callable[[], None]


class Outcome(Struct, frozen=True):
    """The outcome of all checks of an item."""

    kind: str
    name: str
    checks: int  # number of executed checks
    broken: tuple[str, ...]
    unchecked: tuple[str, ...]  # checks that need a missing package


def outcome(kind: str, name: str, file: Path | None = None) -> Outcome:
    """Run all checks of an item. Any exception is a broken contract.

    `file` is the file of its definition; cases for it may be in the same folder.
    """
    broken, unchecked, done = [], [], 0
    for check in _checks(kind, name, file):
        try:
            check.run()
        except (ImportError, UnavailableError) as error:
            unchecked.append(f"{check.about}: {_line(error)}")
            continue
        except (Exception, SystemExit) as error:
            broken.append(f"{check.about}: {_line(error)}")
        done += 1
    return Outcome(kind, name, done, tuple(broken), tuple(unchecked))


def _checks(kind: str, name: str, file: Path | None) -> Iterator[Check]:
    try:
        found: Iterable[Check] = import_module(f"archscope.contracts.{kind}").checks(name, file)
        yield from found
    except Exception as error:
        yield Check("further checks", _raising(error))


def _raising(error: Exception) -> Callable[[], None]:
    def run() -> None:
        raise error

    return run


def _line(error: BaseException) -> str:
    text = str(error) if isinstance(error, AssertionError) else described(error)
    return shortened(" ".join(text.split()), 300)

"""A check of a contract, and what came of running some."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path

from msgspec import Struct

from archscope.errors import UnavailableError, shortened
from archscope.plugins.discovery import described


class BrokenContractError(AssertionError):
    """A contract is broken; the message says what was expected and what is there."""


def expect(condition: object, message: str) -> None:
    """Raise BrokenContractError with a message unless a condition holds."""
    if not condition:
        raise BrokenContractError(message)


class Check(Struct, frozen=True):
    """One check: what it is about, and a function that raises if the contract is broken."""

    about: str
    run: Callable[[], None]


class Outcome(Struct, frozen=True):
    """What the checks of one thing have come to."""

    kind: str
    name: str
    checks: int  # that were run
    broken: tuple[str, ...]
    unchecked: tuple[str, ...]  # for want of a package


def outcome(kind: str, name: str, file: Path | None = None) -> Outcome:
    """Run all checks of a thing. Whatever they raise is a broken contract.

    `file` is where it is defined, beside which there may be cases of it.
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

"""Packages that can be called, as `archscope.train(...)` beside `archscope.train.Recipe`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

from archscope.errors import UnavailableError
from archscope.extras import need


class _CallablePackage(ModuleType):
    """A package, which calls the function of its name in `archscope.workflows`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with _extras_named(self.__name__):
            function = self.__name__.rpartition(".")[2]
            return getattr(import_module("archscope.workflows"), function)(*args, **kwargs)


def make_callable(name: str) -> None:
    """Make a loaded package callable; Python lets a module change its class for this."""
    sys.modules[name].__class__ = _CallablePackage


def callable_package(name: str) -> ModuleType:
    """Import such a package. Raises UnavailableError if it needs an extra that is missing."""
    with _extras_named(name):
        return import_module(name)


@contextmanager
def _extras_named(name: str) -> Iterator[None]:
    """Name the extra to install where one of its packages is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        needed = need(error)
        if needed is None:
            raise
        raise UnavailableError(f"{name} {needed}") from None

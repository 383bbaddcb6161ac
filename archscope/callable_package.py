"""Packages that can be called, as `archscope.train(...)` beside `archscope.train.Recipe`."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    """A package, which calls the function of its name in `archscope.workflows`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        function = getattr(import_module("archscope.workflows"), self.__name__.rpartition(".")[2])
        return function(*args, **kwargs)


def make_callable(name: str) -> None:
    """Make a loaded package callable; Python lets a module change its class for this."""
    sys.modules[name].__class__ = _CallablePackage

"""The registry of all items of a kind, of archscope and of plug-ins.

Plug-ins are loaded when a name is requested that archscope itself does not have, or when all names
are requested: most commands need no plug-ins and do not wait for them. Likewise, archscope's own
modules of rare items may be deferred until one of their names is requested.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar

from archscope.plugins.discovery import ContractError, PluginFile, discover, shown
from archscope.plugins.kinds import KINDS
from archscope.plugins.loading import imported, problem_of
from archscope.plugins.problems import note

T = TypeVar("T")


class Registry(MutableMapping[str, T]):
    """Items of one kind by name; those of archscope come first."""

    def __init__(
        self,
        kind: str,
        entries: Mapping[str, T] = {},
        take: Callable[[PluginFile, ModuleType], tuple[str, T]] | None = None,
    ) -> None:
        """Take a kind of `KINDS` and archscope's own items.

        `take` returns the name and the item of a plug-in's module; without it, importing the module
        registers items by `add`.
        """
        self.kind = KINDS[kind]
        self.own: dict[str, T] = dict(entries)
        self.files: dict[str, PluginFile] = {}  # of the items of plug-ins
        self._deferred: dict[str, str] = {}  # the module that registers a name when imported
        self._modules: list[str] = []  # all of them
        self._take = take
        self._complete = False

    def add(self, name: str, thing: T) -> None:
        """Register an item. Raises ContractError if the name is taken."""
        if name in self.own:
            raise ContractError(
                f"two {self.kind.noun}s are named '{name}', one in {self._home(name)}"
            )
        self.own[name] = thing
        self._deferred.pop(name, None)

    def __getitem__(self, name: str) -> T:
        if name in self._deferred:
            import_module(self._deferred[name])
        elif name not in self.own:
            self._load_plugins()
        return self.own[name]

    def __contains__(self, name: object) -> bool:
        if name in self.own or name in self._deferred:
            return True
        self._load_plugins()
        return name in self.own

    def __iter__(self) -> Iterator[str]:
        self.load()
        return iter(self.own)

    def __len__(self) -> int:
        self.load()
        return len(self.own)

    def __setitem__(self, name: str, thing: T) -> None:
        self.own[name] = thing

    def __delitem__(self, name: str) -> None:
        del self.own[name]

    def defer(self, module: str, names: Iterable[str]) -> None:
        """Import a module, which registers these names, only when one of them is requested."""
        self._modules.append(module)
        self._deferred |= dict.fromkeys(names, module)

    def load_own(self) -> None:
        """Import the modules that were deferred."""
        modules, self._modules = self._modules, []
        for module in modules:
            import_module(module)

    def load(self) -> None:
        """Load all items, once."""
        self.load_own()
        self._load_plugins()

    def _load_plugins(self) -> None:
        """Load the plug-ins of this kind, once. A file that fails registers nothing."""
        if self._complete:
            return
        self._complete = True
        found = discover()
        if found.plugins:
            self.load_own()  # what a file adds to these is its own
        for problem in found.problems:
            note(problem)
        for plugin in found.plugins:
            for file in plugin.files(self.kind.folder):
                before = {*self.own}
                try:
                    self._load(file)
                except (Exception, SystemExit) as error:
                    self._forget(before)
                    note(problem_of(file, error))
                files = {other.module: other for other in plugin.files(self.kind.folder)}
                for name in self.own.keys() - before:  # another file may have imported it
                    self.files[name] = files.get(_module(self.own[name]), file)

    def _load(self, file: PluginFile) -> None:
        known, before = file.module in sys.modules, len(self.own)
        module = imported(file)
        if self._take is not None:
            if not hasattr(module, self.kind.word):
                raise ContractError(f"it has no {self.kind.word}, as every {self.kind.noun} has")
            self.add(*self._take(file, module))
        elif len(self.own) == before and not known:
            raise ContractError(f"it registers no {self.kind.noun}")

    def _forget(self, before: set[str]) -> None:
        """Remove new items, except those of modules whose import succeeded."""
        for name in self.own.keys() - before:
            if _module(self.own[name]) not in sys.modules:
                del self.own[name]

    def _home(self, name: str) -> str:
        """Return the location of an item's definition."""
        thing = self.own[name]
        if name in self.files:
            return shown(self.files[name].path)
        return thing if isinstance(thing, str) else _module(thing)


def stated(cls: type[T], key: str) -> Callable[[PluginFile, ModuleType], tuple[str, T]]:
    """Return a `take` for modules with a record of `cls`, whose field `key` is its name."""

    def take(file: PluginFile, module: ModuleType) -> tuple[str, T]:
        word = KINDS[file.kind].word
        record = getattr(module, word)
        if not isinstance(record, cls):
            raise ContractError(f"{word} must be a {cls.__name__}, got a {type(record).__name__}")
        return getattr(record, key), record

    return take


def _module(thing: Any) -> str:
    return str(getattr(thing, "__module__", ""))

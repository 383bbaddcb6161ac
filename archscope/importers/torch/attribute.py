"""`package.module:name` -> the module of torch that it names."""

from __future__ import annotations

import gc
import importlib
import inspect
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import nn

from archscope.errors import ArchscopeError, OptionError, did_you_mean
from archscope.importers.imported import Imported
from archscope.importers.torch.module import from_module
from archscope.ir import Shape

USUAL = (3, 224, 224)
"""The input that is tried where none is given: most image networks take it."""

_KEPT: list[Any] = []  # a library's definitions go with it


def from_words(word: str, input: Shape | Mapping[str, Shape] | None = None) -> Imported:
    """Return the import of `package.module:name`. Raises ArchscopeError."""
    name = word.partition(":")[2].rpartition(".")[2]
    with _without_collector():
        model = model_of(word)
        try:
            return from_module(model, USUAL if input is None else input, name)
        except ArchscopeError as error:
            if input is not None or "cannot run" not in str(error):
                raise
            raise OptionError(f"{error}; say what it takes with --input, such as 3x32x32") from None


def model_of(word: str) -> nn.Module:
    """Return the module that a word names, made if it names a class or a function.

    This runs the code of the user's module; the current folder is searched first.
    """
    path, _, attribute = word.partition(":")
    with _here():
        found = _attribute(_module(path), path, attribute)
        if isinstance(found, nn.Module):
            return found
        if not callable(found):
            raise OptionError(
                f"'{word}' is {_kind(found)}; expected an nn.Module, or a class or function that"
                " returns one"
            )
        needed = _needed(found)
        if needed:
            raise OptionError(
                f"'{word}' needs {', '.join(needed)}; name a function without arguments"
            )
        try:
            made = found()
        except (Exception, SystemExit) as error:
            raise OptionError(f"'{word}' raised {_said(error)}") from None
    if not isinstance(made, nn.Module):
        raise OptionError(f"'{word}' returned {_kind(made)}, not an nn.Module")
    return made


def _module(path: str) -> Any:
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name and (path == error.name or path.startswith(f"{error.name}.")):
            raise OptionError(f"there is no module '{error.name}' to import") from None
        raise OptionError(f"importing '{path}' raised {_said(error)}") from None
    except RuntimeError as error:
        if "torchvision::nms does not exist" in str(error) and not _KEPT:
            _declare()
            return _module(path)
        raise OptionError(f"importing '{path}' raised {_said(error)}") from None
    except (Exception, SystemExit) as error:
        raise OptionError(f"importing '{path}' raised {_said(error)}") from None


def _declare() -> None:
    """Declare two operators that torchvision misses beside another build of torch."""
    library: Any = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _KEPT.append(library)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]


def _attribute(found: Any, path: str, attribute: str) -> Any:
    for name in attribute.split("."):
        if not hasattr(found, name):
            hint = did_you_mean(name, [one for one in dir(found) if not one.startswith("_")])
            raise OptionError(f"'{path}' has no '{attribute}'{hint}")
        found = getattr(found, name)
    return found


def _needed(found: Any) -> list[str]:
    """Return the arguments that have no default."""
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return []
    return [
        f"'{parameter.name}'"
        for parameter in parameters
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]


@contextmanager
def _without_collector() -> Iterator[None]:
    """Make many objects without looking for garbage among them, a tenth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _kind(found: Any) -> str:
    return f"a {type(found).__name__}"


def _said(error: BaseException) -> str:
    line = next((line for line in str(error).splitlines() if line.strip()), "")[:300]
    return f"{type(error).__name__}: {line}" if line else type(error).__name__


@contextmanager
def _here() -> Iterator[None]:
    """Let the current folder be imported from, as `python -m` does, and keep its warnings quiet."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        with warnings.catch_warnings(), redirect_stdout(sys.stderr):  # ours is for our result
            warnings.simplefilter("ignore")
            yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)

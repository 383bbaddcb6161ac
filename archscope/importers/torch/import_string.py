"""`package.module:name`, an import string, -> the PyTorch module that it names."""

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

from torch import nn

from archscope.errors import ArchscopeError, OptionError, did_you_mean
from archscope.importers.formats import Imported
from archscope.importers.torch.arguments import arguments_of
from archscope.importers.torch.program import from_module
from archscope.importers.torch.torchvision_operators import declare_for_import
from archscope.importers.torch.tracing import device_and_dtype
from archscope.ir import Shape

DEFAULT_INPUT = (3, 224, 224)
"""The input that is tried where none is given: most image networks take it."""


def from_import_string(
    source: str, input: Shape | Mapping[str, Shape] | None = None, batch: int = 1
) -> Imported:
    """Return the import of `package.module:name` for a batch. Raises ArchscopeError."""
    name = source.partition(":")[2].rpartition(".")[2]
    with _without_garbage_collection():
        model = load_module(source)
        try:
            return from_module(model, DEFAULT_INPUT if input is None else input, name, batch)
        except ArchscopeError as error:
            if input is not None or "cannot run" not in str(error):
                raise
            raise OptionError(f"{error}; say what it takes with --input, such as 3x32x32") from None


def module_and_inputs(
    source: str, input: Shape | Mapping[str, Shape] | None = None
) -> tuple[nn.Module, tuple[Any, ...]]:
    """Return the module that an import string names, at inference, and arguments for one image.

    Raises ArchscopeError.
    """
    model = load_module(source).eval()
    arguments = arguments_of(model, DEFAULT_INPUT if input is None else input)
    args, kwargs = arguments.tensors(1, **device_and_dtype(model))
    try:
        bound = inspect.signature(model.forward).bind(*args, **kwargs)
    except TypeError as error:
        raise OptionError(f"'{source}' cannot run: {error}") from None
    if bound.kwargs:
        raise OptionError(f"'{source}' takes {', '.join(bound.kwargs)} by name alone")
    return model, bound.args


def load_module(source: str) -> nn.Module:
    """Return the nn.Module that an import string names, or that what it names returns.

    This runs the code of the user's Python module; the current folder is searched first. Raises
    OptionError.
    """
    path, _, attribute = source.partition(":")
    with _current_folder_first():
        found = _attribute(_import(path), path, attribute)
        if isinstance(found, nn.Module):
            return found
        if not callable(found):
            raise OptionError(
                f"'{source}' is a {type(found).__name__}; expected an nn.Module, or a class or"
                " function that returns one"
            )
        required = _required_arguments(found)
        if required:
            raise OptionError(
                f"'{source}' needs {', '.join(required)}; name a function without arguments"
            )
        try:
            model = found()
        except (Exception, SystemExit) as error:
            raise OptionError(f"'{source}' raised {_first_line(error)}") from None
    if not isinstance(model, nn.Module):
        raise OptionError(f"'{source}' returned a {type(model).__name__}, not an nn.Module")
    return model


def _import(path: str) -> Any:
    try:
        return importlib.import_module(path)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{path}.".startswith(f"{missing}."):
            raise OptionError(f"there is no module '{missing}' to import") from None
        if "torchvision::nms does not exist" not in str(error) or not declare_for_import():
            raise OptionError(f"importing '{path}' raised {_first_line(error)}") from None
    return _import(path)


def _attribute(found: Any, path: str, attribute: str) -> Any:
    for name in attribute.split("."):
        if not hasattr(found, name):
            hint = did_you_mean(name, [word for word in dir(found) if not word.startswith("_")])
            raise OptionError(f"'{path}' has no '{attribute}'{hint}")
        found = getattr(found, name)
    return found


def _required_arguments(found: Any) -> list[str]:
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
def _without_garbage_collection() -> Iterator[None]:
    """Pause the garbage collector, which takes a tenth of the time where many objects are made."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _first_line(error: BaseException) -> str:
    line = next((line for line in str(error).splitlines() if line.strip()), "")[:300]
    return f"{type(error).__name__}: {line}" if line else type(error).__name__


@contextmanager
def _current_folder_first() -> Iterator[None]:
    """Import from the current folder first, as `python -m` does; silence warnings and stdout."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        with warnings.catch_warnings(), redirect_stdout(sys.stderr):  # stdout is for the result
            warnings.simplefilter("ignore")
            yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)

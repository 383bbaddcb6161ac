"""Load the PyTorch module of an import string: `package.module:name` or `mynet.py`."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import inspect
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from torch import nn

from archscope.errors import ArchscopeError, OptionError, WordError, did_you_mean
from archscope.importers.formats import Imported
from archscope.importers.import_strings import ImportString, parse
from archscope.importers.torch.arguments import arguments_of
from archscope.importers.torch.likely_inputs import input_that_runs
from archscope.importers.torch.model_registries import is_registered, model_name, registered
from archscope.importers.torch.program import from_module
from archscope.importers.torch.torchvision_operators import declare_for_import
from archscope.importers.torch.tracing import device_and_dtype
from archscope.ir import Shape, text_of

DEFAULT_INPUT = (3, 224, 224)
"""The default input, which most image networks accept."""


def from_import_string(
    source: str, input: Shape | Mapping[str, Shape] | None = None, batch: int = 1
) -> Imported:
    """Import `package.module:name` for a batch. Raises ArchscopeError."""
    with _without_garbage_collection():
        named = parse(source)
        model = _loaded(named)
        name = model_name(named)
        try:
            given = DEFAULT_INPUT if input is None else input
            return from_module(model, given, name, batch)
        except ArchscopeError as error:
            if "cannot run" not in str(error):
                raise
            names = _required(model)
            if len(names) > 1 and not isinstance(input, Mapping):
                shapes = " ".join(f"--input {name}=3x32x32" for name in names)
                raise OptionError(
                    f"{error}; give the shape of each input, such as {shapes}"
                ) from None
            if input is not None:
                raise
            shape = input_that_runs(model)
            if shape is None:
                raise OptionError(
                    f"{error}; give its input shape with --input, such as 3x32x32"
                ) from None
            tried, text = text_of(DEFAULT_INPUT), text_of(shape)
            message = f"'{name}' does not run on {tried}, but on {text}"
            raise WordError(message, source, more=("--input", text)) from None


def _required(model: nn.Module) -> list[str]:
    """Return the names of the required inputs of a module."""
    parameters = inspect.signature(model.forward).parameters.values()
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [each.name for each in parameters
            if each.default is each.empty and each.kind not in variadic]  # fmt: skip


def module_and_inputs(
    source: str, input: Shape | Mapping[str, Shape] | None = None
) -> tuple[nn.Module, tuple[Any, ...]]:
    """Return the module of an import string in eval mode, and arguments for one image.

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
        raise OptionError(f"'{source}' accepts {', '.join(bound.kwargs)} only by keyword")
    return model, bound.args


def load_module(source: str) -> nn.Module:
    """Return the nn.Module that an import string names, or that its class or function returns.

    This runs the code of the user's Python module; the current folder is searched first. Raises
    OptionError.
    """
    return _loaded(parse(source))


def _loaded(named: ImportString) -> nn.Module:
    source = named.text
    with _first_in_path(_folder_of(named)):
        package = _import(named)
        is_model = is_registered(package, named)
        found = registered(named) if is_model else _attribute(package, named)
        if isinstance(found, nn.Module) and not named.called:
            return found
        if not callable(found) or isinstance(found, nn.Module):
            raise OptionError(
                f"'{source}' is a {type(found).__name__}; expected an nn.Module, or a class or"
                " function that returns one"
            )
        _check_arguments(found, named)
        try:
            model = found(*named.args, **named.kwargs)
        except (Exception, SystemExit) as error:
            raise OptionError(f"'{source}' raised {_first_line(error)}") from None
    if not isinstance(model, nn.Module):
        raise OptionError(f"'{source}' returned a {type(model).__name__}, not an nn.Module")
    return model


def _folder_of(named: ImportString) -> Path:
    """Return the folder that is searched first for imports; for a package, its parent."""
    folder = named.file.resolve().parent if named.file else Path.cwd()
    while named.file and (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder


def _import(named: ImportString) -> Any:
    path = named.module
    if named.file:
        inside = named.file.resolve().relative_to(_folder_of(named)).with_suffix("")
        path = ".".join(inside.parts)
    try:
        local = named.file or Path(f"{path}.py")
        if "." not in path and local.is_file():
            return _from_file(path, local)
        return importlib.import_module(path)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{path}.".startswith(f"{missing}."):
            raise OptionError(f"there is no module '{missing}' to import") from None
        if "torchvision::nms does not exist" not in str(error) or not declare_for_import():
            raise OptionError(f"importing '{path}' raised {_first_line(error)}") from None
    return _import(named)


def _from_file(name: str, file: Path) -> Any:
    """Import a file as a module, even if an installed module has the same name."""
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == str(file.resolve()):
        return known
    spec = importlib.util.spec_from_file_location(name, file.resolve())
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    if known is None:  # classes look up their module
        sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        if known is None:
            del sys.modules[name]
        raise
    return module


def _attribute(found: Any, named: ImportString) -> Any:
    path = named.file.as_posix() if named.file else named.module
    for name in named.name.split("."):
        if not hasattr(found, name):
            known = [word for word in dir(found) if not word.startswith("_")]
            hint = did_you_mean(name, known)
            if hint:
                near = hint.split("'")[1]
                right = named.text.replace(f":{named.name}", f":{near}", 1)
                raise WordError(f"'{path}' has no '{named.name}'", named.text, right)
            raise OptionError(f"'{path}' has no '{named.name}'")
        found = getattr(found, name)
    return found


def _check_arguments(found: Any, named: ImportString) -> None:
    """Raise WordError for missing arguments without default, OptionError for wrong ones."""
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):
        return
    required = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ][len(named.args) :]
    required = [name for name in required if name not in named.kwargs]
    if required and not named.called:
        right = f"{named.text}({', '.join(f'{name}=...' for name in required)})"
        listed = ", ".join(f"'{name}'" for name in required)
        raise WordError(f"'{named.text}' needs {listed}", named.text, right)
    try:
        signature.bind(*named.args, **named.kwargs)
    except TypeError as error:
        raise OptionError(f"'{named.text}': {error}; it takes {signature}") from None


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Pause the garbage collector, which takes a tenth of the time while many objects are made."""
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
def _first_in_path(path: Path) -> Iterator[None]:
    """Import from a folder first, as `python` does; silence warnings and stdout."""
    folder = str(path)
    sys.path.insert(0, folder)
    try:
        with (
            warnings.catch_warnings(),
            redirect_stdout(sys.stderr),
        ):  # stdout is reserved for results
            warnings.simplefilter("ignore")
            yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)

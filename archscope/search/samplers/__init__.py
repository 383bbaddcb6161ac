"""Samplers, one in each file: `--sampler tpe` is tpe.py.

Each file has `ABOUT`, a line for the help, `STARTS` if it begins with uniform draws, and
`make(context)`, which is called once for a study with a `SamplerContext` and returns a `Sampler`.
They are found by walking this folder, and import optuna when they are made: the help lists them
without.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from archscope.errors import OptionError, did_you_mean
from archscope.plugins.discovery import ContractError, PluginFile
from archscope.plugins.registry import Registry

DEFAULT, UNIFORM = "surrogate", "uniform"
"""The sampler of a search unless another is named, and that of the baseline."""

_OURS = sorted(
    (module.name for module in iter_modules(__path__)),
    key=lambda name: (name != DEFAULT, name == UNIFORM, name),
)


def _taken(file: PluginFile, module: ModuleType) -> tuple[str, str]:
    if not isinstance(getattr(module, "ABOUT", None), str):
        raise ContractError("it has no ABOUT, a line for the help")
    return file.stem, file.module


SAMPLERS: Registry[str] = Registry(
    "samplers", {name: f"{__name__}.{name}" for name in _OURS}, _taken
)
"""The module of every sampler by name: the default first, the baseline last, then plug-ins."""


def check_sampler(name: str) -> None:
    """Raise OptionError unless there is a sampler of this name."""
    if name not in SAMPLERS:
        hint = did_you_mean(name, SAMPLERS) or f"; there are {', '.join(SAMPLERS)}"
        raise OptionError(f"no sampler is called '{name}'{hint}")


def about(name: str) -> str:
    """Return what one of `SAMPLERS` does, in a line."""
    line: str = sampler_module(name).ABOUT
    return line


def starts(name: str) -> int:
    """Return how many networks one of `SAMPLERS` draws uniformly before it chooses any."""
    number: int = getattr(sampler_module(name), "STARTS", 0)
    return number


def sampler_module(name: str) -> Any:
    """Return the file of one of `SAMPLERS`, as a module."""
    return import_module(SAMPLERS[name])

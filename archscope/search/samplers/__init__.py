"""Samplers, one per file: `--sampler tpe` is tpe.py.

Each file has `ABOUT`, a line for the help, `STARTS` if it begins with uniform draws, and
`make(context)`, which is called once per study with a `SamplerContext` and returns a `Sampler`.
They are found by walking this folder. They import optuna inside `make`, so that the help can list
them without it.
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
"""The default sampler of a search, and that of the baseline."""

_OURS = sorted(
    (module.name for module in iter_modules(__path__)),
    key=lambda name: (name != DEFAULT, name == UNIFORM, name),
)


def _taken(file: PluginFile, module: ModuleType) -> tuple[str, str]:
    if not isinstance(getattr(module, "ABOUT", None), str):
        raise ContractError("ABOUT is missing: a line for the help")
    return file.stem, file.module


SAMPLERS: Registry[str] = Registry(
    "samplers", {name: f"{__name__}.{name}" for name in _OURS}, _taken
)
"""The module of every sampler by name: first the default, last the baseline, then plug-ins."""


def check_sampler(name: str) -> None:
    """Raise OptionError unless there is a sampler of this name."""
    if name not in SAMPLERS:
        hint = did_you_mean(name, SAMPLERS) or f"; there are {', '.join(SAMPLERS)}"
        raise OptionError(f"no sampler '{name}'{hint}")


def about(name: str) -> str:
    """Return the description of one of `SAMPLERS`, a line."""
    line: str = sampler_module(name).ABOUT
    return line


def starts(name: str) -> int:
    """Return how many networks one of `SAMPLERS` draws uniformly at first."""
    number: int = getattr(sampler_module(name), "STARTS", 0)
    return number


def sampler_module(name: str) -> Any:
    """Return the module of one of `SAMPLERS`."""
    return import_module(SAMPLERS[name])

"""Operators, one file per family, found by walking this folder."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from archscope.ops.registry import OPS

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["OPS"]

"""The extras of the distribution, and the packages that each of them installs.

`pip install archscope` installs what analysis, lint and report need. Other code just imports its
packages: if that fails, the command line prints a line with the command that installs them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple


class Extra(NamedTuple):
    """An extra: its purpose, and the packages that archscope imports from it."""

    product: str
    packages: tuple[str, ...]


EXTRAS = {
    "torch": Extra(
        "PyTorch",
        ("torch", "numpy", "scipy", "sklearn", "PIL", "fvcore", "networkx", "psutil",
         "pytorch_metric_learning", "safetensors"),
    ),
    "search": Extra("Optuna", ("optuna", "pebble")),
    "space": Extra("NumPy and SciPy", ()),
    "onnx": Extra("ONNX", ("onnx", "onnxruntime", "onnxscript", "ml_dtypes")),
    "tflite": Extra("TensorFlow Lite", ("tflite",)),
    "ray": Extra("Ray", ("ray",)),
    "plot": Extra("matplotlib", ("matplotlib",)),
    "png": Extra("resvg", ("resvg_py",)),
    "tensorboard": Extra("TensorBoard", ("tensorboard",)),
}  # fmt: skip
"""By name; a package is listed where it is told to be installed."""
OWN = {"search": "search", "space": "space"}
"""Commands that have an extra of their own for what they share with training."""


def advice(error: ImportError, command: str) -> str | None:
    """Return how to install a missing package, or None for packages that we do not need."""
    extra = _extra(error)
    if extra is None:
        return None
    if extra == "torch":
        extra = OWN.get(command, extra)
    return f"'archscope {command}' {_needs(extra)}"


def need(error: BaseException) -> str | None:
    """Return `needs PyTorch: ...` for a missing package, or None for other errors."""
    extra = _extra(error)
    return None if extra is None else _needs(extra)


def _extra(error: BaseException) -> str | None:
    if not isinstance(error, ModuleNotFoundError):
        return None
    package = (error.name or "").partition(".")[0]
    return next((name for name, extra in EXTRAS.items() if package in extra.packages), None)


def _needs(extra: str) -> str:
    return f"needs {EXTRAS[extra].product}: pip install 'archscope[{extra}]'"


def installed_version(package: str) -> str:
    """Return the version of an installed package, or the empty string."""
    # Read from names of folders, because `importlib.metadata` takes 20 ms to import.
    for folder in sys.path:
        for found in Path(folder or ".").glob(f"{package}-*.dist-info"):
            return found.stem.partition("-")[2]
    return ""

"""The environment of a training: versions, machine, device."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from archscope import __version__
from archscope.train.device import Arithmetic

PACKAGES = ("torch", "numpy", "safetensors", "scikit-learn", "pillow")


def describe_environment(
    how: Arithmetic, seed: int, deterministic: bool, processes: int
) -> dict[str, Any]:
    """Return versions, machine, device and threads."""
    where = torch.device(how.device)
    return {
        "format": 1,
        "archscope": __version__,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "machine": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": how.device,
        "gpu": torch.cuda.get_device_name(where) if where.type == "cuda" else None,
        "cuda": torch.version.cuda,
        "dtype": how.dtype,
        "channels_last": how.channels_last,
        "processes": processes,
        "seed": seed,
        "deterministic": deterministic,
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None

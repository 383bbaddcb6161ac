"""Describe this machine for profiles and measurements, without torch."""

from __future__ import annotations

import os
import platform
import re
from functools import cache
from pathlib import Path

from archscope import extras
from archscope.latency.profile import Machine, Profile

HERE, HERE_GPU = "here", "here-gpu"
"""The default names of the profiles of this machine, and of its GPU."""

DRIVER = Path("/proc/driver/nvidia/gpus")
QUERY = ("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")

PACKAGES = {"torch": "torch", "torch-compile": "torch", "onnxruntime": "onnxruntime"}
"""The package of each runtime."""


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """Return the model of the processor, if the system knows it."""
    lines = _lines("/proc/cpuinfo")
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    board = "".join(_lines("/proc/device-tree/model")).strip("\0 ")  # on a Raspberry Pi
    return next(iter(models), "") or board or platform.processor() or platform.machine()


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return []


@cache
def this_host() -> Machine:
    """Return this machine."""
    return Machine(processor(), cores(), f"{platform.system()} {platform.machine()}".strip())


@cache
def gpus() -> frozenset[str]:
    """Return the models of the GPUs of this machine as their driver tells them, without CUDA."""
    files = sorted(DRIVER.glob("*/information"))
    models = [line for file in files for line in _lines(str(file)) if line.startswith("Model:")]
    if models:
        return frozenset(line.partition(":")[2].strip() for line in models)
    import subprocess  # takes time, and most profiles are of processors

    try:  # other systems, and containers without the driver's files
        found = subprocess.run(QUERY, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return frozenset()
    return frozenset(line.strip() for line in found.stdout.splitlines() if line.strip())


def driver_version() -> str:
    """Return the version of NVIDIA's driver, or the empty string."""
    lines = "".join(_lines(str(DRIVER.with_name("version"))))
    found = re.search(r"\s(\d+\.\d+(?:\.\d+)?)\s", lines)
    return found[1] if found else ""


def is_here(profile: Profile) -> bool:
    """Return whether this machine has the processor, or the GPU, of a profile."""
    name = profile.machine.name
    return name in gpus() if profile.gpu is not None else name == this_host().name


def notes(profile: Profile) -> tuple[str, ...]:
    """Return how this machine differs from the one described in a profile.

    A profile of another machine is used on purpose, unless its name says that it is of this one.
    """
    here = this_host()
    if not is_here(profile):
        if profile.name not in (HERE, HERE_GPU):
            return ()
        own = here.name if profile.gpu is None else ", ".join(sorted(gpus())) or "here, with no GPU"
        return (f"measured on another machine: {profile.machine.name}, not {own}",)
    found = []
    if profile.gpu is None and profile.machine.cores not in (None, here.cores):
        found.append(f"measured with {profile.machine.cores} cores, not {here.cores}")
    installed = installed_version(profile.runtime)
    if installed and installed != profile.version:
        found.append(
            f"measured with {profile.runtime} {profile.version}, not the installed {installed}"
        )
    return tuple(found)


def is_this_machine(profile: Profile) -> bool:
    """Return whether a profile can be measured here, with any version of its runtime."""
    cores = None if profile.gpu else profile.machine.cores
    return (
        is_here(profile)
        and cores in (None, this_host().cores)
        and bool(installed_version(profile.runtime))
    )


def installed_version(runtime: str) -> str:
    """Return the installed version of a runtime, or the empty string."""
    return extras.installed_version(PACKAGES.get(runtime, runtime))

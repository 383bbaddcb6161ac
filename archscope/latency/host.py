"""Describe this machine for profiles and measurements, without torch."""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from pathlib import Path

from archscope.latency.profile import Machine, Profile

HERE = "here"
"""The default name of the profile of this machine."""

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


def notes(profile: Profile) -> tuple[str, ...]:
    """Return how this machine differs from the one described in a profile.

    A profile of another machine is used on purpose, unless its name says that it is of this one.
    """
    here = this_host()
    if profile.machine.name != here.name:
        if profile.name != HERE:
            return ()
        return (f"measured on another machine: {profile.machine.name}, not {here.name}",)
    found = []
    if profile.machine.cores not in (None, here.cores):
        found.append(f"measured with {profile.machine.cores} cores, not {here.cores}")
    installed = installed_version(profile.runtime)
    if installed and installed != profile.version:
        found.append(
            f"measured with {profile.runtime} {profile.version}, not the installed {installed}"
        )
    return tuple(found)


def is_this_machine(profile: Profile) -> bool:
    """Return whether a profile can be measured here, with any version of its runtime."""
    here, there = this_host(), profile.machine
    return (
        there.name == here.name
        and there.cores in (None, here.cores)
        and bool(installed_version(profile.runtime))
    )


def installed_version(runtime: str) -> str:
    """Return the installed version of a runtime, or the empty string."""
    package = PACKAGES.get(runtime, runtime)
    # Read from names of folders, because `importlib.metadata` takes 20 ms to import.
    for folder in sys.path:
        for found in Path(folder or ".").glob(f"{package}-*.dist-info"):
            return found.stem.partition("-")[2]
    return ""

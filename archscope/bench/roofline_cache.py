"""Rooflines of machines, measured once and kept in the user's cache folder."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile

import msgspec
from platformdirs import user_cache_path
from torch.utils.benchmark import timer

from archscope.bench.machine import Machine, using_threads
from archscope.bench.roofline import Roofline, measure_roofline
from archscope.bench.timing import Clock


def folder() -> Path:
    """Return the folder of the cache: `ARCHSCOPE_CACHE`, or where the platform wants it."""
    named = os.environ.get("ARCHSCOPE_CACHE")
    return Path(named) if named else user_cache_path("archscope", appauthor=False)


def path(machine: Machine, dtype: str, threads: int) -> Path:
    """Return the file of one roofline, named after everything that it depends on."""
    key = sha256(msgspec.json.encode((machine, dtype, threads))).hexdigest()[:16]
    return folder() / f"roofline-{key}.json"


def recall(machine: Machine, dtype: str, threads: int) -> Roofline | None:
    """Return the roofline measured before, if there is one that can be read."""
    try:
        known = msgspec.json.decode(path(machine, dtype, threads).read_bytes(), type=Roofline)
    except (OSError, msgspec.DecodeError):
        return None
    wanted = (machine, dtype, threads)
    return known if (known.machine, known.dtype, known.threads) == wanted else None


def keep(roof: Roofline) -> None:
    """Put a roofline into the cache; where that cannot be written, it is measured again."""
    file = path(roof.machine, roof.dtype, roof.threads)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=file.parent, delete=False) as temporary:
            temporary.write(msgspec.json.format(msgspec.json.encode(roof)))
        Path(temporary.name).replace(file)
    except OSError:
        return


def known(
    machine: Machine,
    dtype: str = "float32",
    threads: int | None = None,
    *,
    refresh: bool = False,
    clock: Clock = timer,
) -> Roofline:
    """Return the roofline from the cache, or measure it for a second and keep it.

    `threads` is torch's own number unless given. Raises UnavailableError if torch cannot
    multiply the dtype there.
    """
    with using_threads(threads) as used:
        roof = None if refresh else recall(machine, dtype, used)
        if roof is None:
            roof = measure_roofline(machine, dtype, used, clock=clock)
            keep(roof)
        return roof

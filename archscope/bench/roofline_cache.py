"""Rooflines of machines, measured once and kept in the user's cache folder."""

from __future__ import annotations

from torch.utils.benchmark import timer

from archscope.bench.machine import Machine, using_threads
from archscope.bench.roofline import Roofline, measure_roofline
from archscope.bench.timing import Clock
from archscope.files import Cache

CACHE = Cache("rooflines", Roofline)


def recall(machine: Machine, dtype: str, threads: int) -> Roofline | None:
    """Return the roofline measured before, or None if there is none that can be read."""
    wanted = (machine, dtype, threads)
    found = CACHE.get(wanted)
    return found if found and (found.machine, found.dtype, found.threads) == wanted else None


def keep(roof: Roofline) -> None:
    """Put a roofline into the cache; where that cannot be written, it is measured again."""
    CACHE.put((roof.machine, roof.dtype, roof.threads), roof)


def known(
    machine: Machine,
    dtype: str = "float32",
    threads: int | None = None,
    *,
    refresh: bool = False,
    clock: Clock = timer,
) -> Roofline:
    """Return the roofline from the cache, or measure it, which takes about a second, and keep it.

    `threads` is torch's own number unless given. Raises UnavailableError if torch cannot
    multiply the dtype there.
    """
    with using_threads(threads) as used:
        roof = None if refresh else recall(machine, dtype, used)
        if roof is None:
            roof = measure_roofline(machine, dtype, used, clock=clock)
            keep(roof)
        return roof

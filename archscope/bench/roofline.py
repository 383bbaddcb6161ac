"""The roofline of a machine: peak arithmetic, memory bandwidth and call overhead.

The roofline model of Williams, Waterman and Patterson 2009 (doi:10.1145/1498765.1498785), with
the overhead of a call as a third lower bound: no layer takes less time than its arithmetic at
the machine's peak, its bytes at the bandwidth, or an empty call. Measured once for a machine, and
kept in the user's cache folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import psutil
import torch
from msgspec import Struct
from torch import nn

from archscope.bench.machine import Machine, free_bytes, using_threads
from archscope.bench.timing import Clock, clock_of, measure, timing
from archscope.errors import UnavailableError
from archscope.files import Cache

COMPUTE, MEMORY, OVERHEAD = BOUNDS = ("compute", "memory", "overhead")

SECONDS = 0.1  # for the bandwidth, the call, and each size of a product
SMALLEST, LARGEST = 256, 8192  # rows of the matrices that are multiplied
LONG_ENOUGH = 0.01  # seconds of a product whose rate no longer depends on its size
ARRAY_BYTES = 128 * 2**20  # each of three, together beyond the caches of almost any machine


class Roofline(Struct, frozen=True):
    """The peak performance of a machine for a dtype and a number of threads."""

    machine: Machine
    dtype: str
    threads: int
    gmacs_per_second: float  # 10^9 multiply-accumulates; vendors print twice as many GFLOP/s
    gbytes_per_second: float  # 10^9 bytes to and from memory
    overhead_seconds: float  # of a call that computes almost nothing
    load: float  # processes that wanted to run in the minute before, on average

    @property
    def ridge(self) -> float:
        """The macs per byte above which arithmetic takes longer than memory access."""
        return self.gmacs_per_second / self.gbytes_per_second

    def lower_bounds(self, macs: int, memory_access_bytes: int) -> dict[str, float]:
        """Return the least seconds that arithmetic, memory and call overhead allow, by bound."""
        return {
            COMPUTE: macs / (self.gmacs_per_second * 1e9),
            MEMORY: memory_access_bytes / (self.gbytes_per_second * 1e9),
            OVERHEAD: self.overhead_seconds,
        }

    def bottleneck(self, macs: int, memory_access_bytes: int) -> tuple[str, float]:
        """Return the largest of the three lower bounds: its name and its seconds."""
        bounds = self.lower_bounds(macs, memory_access_bytes)
        return max(bounds.items(), key=lambda bound: bound[1])


CACHE = Cache("rooflines", Roofline)


def recall(machine: Machine, dtype: str, threads: int) -> Roofline | None:
    """Return the roofline measured before, or None if there is none that can be read."""
    wanted = (machine, dtype, threads)
    found = CACHE.get(wanted)
    return found if found and (found.machine, found.dtype, found.threads) == wanted else None


def keep(roof: Roofline) -> None:
    """Write a roofline to the cache; if that fails, it is measured again next time."""
    CACHE.put((roof.machine, roof.dtype, roof.threads), roof)


def known_roofline(
    machine: Machine,
    dtype: str = "float32",
    threads: int | None = None,
    *,
    refresh: bool = False,
    clock: Clock | None = None,
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


def measure_roofline(
    machine: Machine,
    dtype: str = "float32",
    threads: int = 1,
    *,
    seconds: float = SECONDS,
    clock: Clock | None = None,
) -> Roofline:
    """Measure a machine with the threads that torch uses now, for `seconds` per figure.

    The rate of the fastest square matrix product, the bandwidth of the fastest triad
    a = b + s c (McCalpin's STREAM: two arrays read, one written), and the median of one ReLU
    of one number through a module. Raises UnavailableError if torch cannot multiply the dtype.
    """
    clock = clock or clock_of(machine.device)
    load = psutil.getloadavg()[0]
    try:
        with torch.inference_mode(), _precision_of_convolutions(machine):
            return Roofline(
                machine,
                dtype,
                threads,
                _matmul(machine, dtype, seconds, clock) / 1e9,
                _triad(machine, seconds, clock) / 1e9,
                _call(machine, seconds, clock),
                load,
            )
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise UnavailableError(f"cannot measure {dtype} on {machine.device}: {reason}") from None


@contextmanager
def _precision_of_convolutions(machine: Machine) -> Iterator[None]:
    """Multiply float32 on a GPU as its convolutions do, which use TF32 by default."""
    before = torch.get_float32_matmul_precision()
    if machine.device == "cuda" and torch.backends.cudnn.allow_tf32:
        torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _fastest(call: Callable[[], object], seconds: float, clock: Clock) -> float:
    return timing(measure([call], seconds, clock)[0]).fastest_seconds


def _matmul(machine: Machine, dtype: str, seconds: float, clock: Clock) -> float:
    """Return the highest multiply-accumulates per second over growing sizes."""
    best, size = 0.0, SMALLEST
    while size <= LARGEST:
        shape = (size, size)
        a, b = (
            torch.rand(shape, device=machine.device).to(getattr(torch, dtype)) for _ in range(2)
        )
        out = torch.empty_like(a)
        spent = _fastest(partial(torch.mm, a, b, out=out), seconds, clock)
        best = max(best, size**3 / spent)
        if spent >= LONG_ENOUGH:
            break
        size *= 2
    return best


def _triad(machine: Machine, seconds: float, clock: Clock) -> float:
    """Return bytes per second to and from memory."""
    elements = min(ARRAY_BYTES, free_bytes(machine.device) // 8) // 4
    a, b, c = (torch.ones(elements, device=machine.device) for _ in range(3))
    spent = _fastest(lambda: torch.add(b, c, alpha=3.0, out=a), seconds, clock)
    return 3 * 4 * elements / spent


def _call(machine: Machine, seconds: float, clock: Clock) -> float:
    """Return the seconds of a module call that computes almost nothing."""
    module, value = nn.ReLU(), torch.ones(1, 1, 1, 1, device=machine.device)
    return timing(measure([lambda: module(value)], seconds, clock)[0]).median_seconds

"""Measure networks under the conditions of a latency profile of this machine."""

from __future__ import annotations

from collections.abc import Sequence

from archscope.bench.measure_networks import bench
from archscope.ir import Graph
from archscope.latency.profile import Profile

SECONDS = 1.0
"""For each network."""


def milliseconds_as_profiled(profile: Profile, graphs: Sequence[Graph]) -> list[float]:
    """Return the median milliseconds of one image, of networks measured in turns.

    Device, runtime, threads and clock are those of `archscope device calibrate`. Raises OptionError
    and UnavailableError as `bench` does.
    """
    threads, gpu = profile.threads or 1, profile.gpu
    found = bench(
        graphs,
        device="cpu" if gpu is None else "cuda",
        threads=threads,
        runtime=profile.runtime,
        dtype=profile.dtype,
        channels_last=gpu is not None and gpu.channels_last,
        processor_time=threads == 1 and gpu is None,
        seconds=SECONDS,
    )
    return [network.timing.median_seconds * 1e3 for network in found.networks]

"""Measure networks under the conditions of a latency profile of this machine."""

from __future__ import annotations

from collections.abc import Sequence

from archscope.bench import gpu_calibration
from archscope.bench.calibration import AGAIN, ROUNDS, SECONDS, disagree
from archscope.bench.measure_networks import bench
from archscope.ir import Graph
from archscope.latency.profile import Profile


def milliseconds_as_profiled(profile: Profile, graphs: Sequence[Graph]) -> list[float]:
    """Return the milliseconds of one image, of networks measured in turns.

    Device, runtime, threads, clock and rounds are those of `archscope device calibrate`: of the
    medians of some rounds, the shortest counts. Raises OptionError and UnavailableError as `bench`
    does.
    """
    on_gpu = profile.gpu is not None
    least, more = (gpu_calibration.ROUNDS, 0) if on_gpu else (ROUNDS, AGAIN)
    rounds: list[list[float]] = []
    for turn in range(least + more):
        if turn < least or any(map(disagree, zip(*rounds, strict=True))):
            rounds.append(_medians(profile, graphs))
    return [min(times) for times in zip(*rounds, strict=True)]


def _medians(profile: Profile, graphs: Sequence[Graph]) -> list[float]:
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

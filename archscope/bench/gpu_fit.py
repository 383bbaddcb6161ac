"""Fit the latency profile of a GPU: the times of its kernels, and of their launches by the host.

Kernels are fitted as in `latency_fit`. What a launch takes depends on the kind of kernel alone:
eager torch does the same for a large convolution as for a small one. Both are measured separately,
so that one profile holds for any number of images.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np
import torch
from msgspec import structs

from archscope.bench.conditions import Conditions
from archscope.bench.gpu_calibration import GpuSample
from archscope.bench.latency_fit import (
    LeftOut,
    error_of,
    fit,
    interval_of,
    profile_with,
    ranges_of,
)
from archscope.errors import UnavailableError
from archscope.latency.host import HERE_GPU, driver_version, installed_version
from archscope.latency.kernel_kinds import EAGER_GPU
from archscope.latency.kernels import Kernel
from archscope.latency.predict import times_of
from archscope.latency.profile import Machine, OnGpu, Profile

RIDGE = 0.003
"""How much a launch is drawn to the typical one of all kinds, where measurements hardly tell."""

STEPS, DISTANT, EXACT = 3, 1.5, 1e-3  # as in `latency_fit`


def launches(samples: Sequence[GpuSample]) -> dict[str, float]:
    """Return the milliseconds of a launch by kind of kernel, non-negative.

    By relative errors of networks, of which the batch with the fastest launches counts: they do not
    depend on its size, unless the host has to wait.
    """
    from scipy.optimize import nnls

    fastest: dict[tuple[str, tuple[Kernel, ...]], float] = {}
    for each in samples:
        key = each.sample.network, each.sample.kernels
        fastest[key] = min(1e3 * each.launch_seconds, fastest.get(key, inf))
    counts = [Counter(kernel.kind for kernel in made) for _, made in fastest]
    kinds = sorted(set().union(*counts))
    rows = np.array([[count[kind] / spent for kind in kinds]
                     for count, spent in zip(counts, fastest.values(), strict=True)])  # fmt: skip
    typical = float(np.median(1 / rows.sum(axis=1)))
    ridge = RIDGE * len(rows) ** 0.5 * np.eye(len(kinds)) / typical
    weights = np.ones(len(rows))
    for _ in range(STEPS):
        left = np.vstack([rows * weights[:, None], ridge])
        found, _ = nnls(left, np.concatenate([weights, ridge.sum(axis=1) * typical]))
        off = np.abs(rows @ found - 1)
        weights = 1 / np.sqrt(np.maximum(off / max(DISTANT * float(np.median(off)), EXACT), 1.0))
    return {kind: float(f"{value:.6g}") for kind, value in zip(kinds, found, strict=True)}


def gpu_profile_of(
    samples: Sequence[GpuSample], conditions: Conditions, *, name: str = HERE_GPU
) -> tuple[Profile, list[LeftOut]]:
    """Return the profile of the GPU, and the networks predicted without their families.

    Raises UnavailableError for fewer than two families.
    """
    families = dict.fromkeys(s.sample.family for s in samples if not s.sample.varied)
    if len(families) < 2:
        raise UnavailableError("a fit needs networks of at least two families")
    found = []
    for family in families:
        profile = _fitted([s for s in samples if s.sample.family != family], conditions)
        for each in samples:
            if each.sample.family == family and not each.sample.varied:
                predicted = sum(times_of(profile, each.sample.kernels, each.batch))
                what = f"{each.sample.network} x {each.batch}"
                found.append(LeftOut(what, family, 1e3 * each.wall_seconds, predicted))
    batches = [each.batch for each in samples]
    networks = len({s.sample.network for s in samples if not s.sample.varied})
    measured = len({(each.sample.network, each.sample.kernels) for each in samples})
    shown = " and ".join(map(str, sorted(set(batches))))
    precision = ", convolutions in TF32" if conditions.dtype == "float32" and tf32() else ""
    profile = _fitted(
        samples,
        conditions,
        name=name,
        about=f"eager torch, {shown} images at once{precision}; measured by archscope device"
        " calibrate",
        source=f"{measured} networks of the zoo, measured on this machine",
        version=installed_version("torch") or str(torch.__version__),
        batches=(min(batches), max(batches)),
        ranges=ranges_of([each.sample for each in samples]),
        error=structs.replace(error_of(found), networks=networks),
        interval=interval_of(found),
    )
    return profile.sealed(), found


def tf32() -> bool:
    """Return whether convolutions of float32 round their factors to 10 bits, as by default."""
    return bool(torch.backends.cudnn.allow_tf32)


def _fitted(samples: Sequence[GpuSample], conditions: Conditions, **more: Any) -> Profile:
    gpu = torch.cuda.get_device_properties(torch.cuda.current_device())
    return profile_with(
        fit([each.of_batch() for each in samples]),
        machine=Machine(gpu.name, gpu.multi_processor_count),
        runtime="torch",
        fusion=EAGER_GPU,
        dtype=conditions.dtype,
        gpu=OnGpu(
            launches(samples),
            conditions.channels_last,
            driver_version(),
            str(torch.version.cuda or ""),
        ),
        **more,
    )

"""Fit the latency profile of a GPU: the times of its kernels, and of their launches by the host.

Kernels are fitted as in `latency_fit`. What a launch takes depends on the kind of kernel alone:
eager torch does the same for a large convolution as for a small one. Both are measured separately,
so that one profile holds for any number of images.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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
from archscope.latency.predict import times_of
from archscope.latency.profile import Machine, OnGpu, Profile

RIDGE = 1e-3
"""Weight of the regularisation of launches, by kind of kernel."""


def launches(samples: Sequence[GpuSample]) -> dict[str, float]:
    """Return the milliseconds of a launch by kind of kernel, non-negative.

    From the smallest batch of each network, where the host never waits for the GPU.
    """
    from scipy.optimize import nnls

    least = {s.sample.network: min(o.batch for o in samples if o.sample.network == s.sample.network)
             for s in samples}  # fmt: skip
    few = [sample for sample in samples if sample.batch == least[sample.sample.network]]
    counts = [Counter(kernel.kind for kernel in sample.sample.kernels) for sample in few]
    kinds = sorted(set().union(*counts))
    rows = np.array([[count[kind] / (1e3 * sample.launch_seconds) for kind in kinds]
                     for count, sample in zip(counts, few, strict=True)])  # fmt: skip
    mean = 1 / float(rows.sum(axis=1).mean())  # a typical launch, to which rare kinds are drawn
    size = float(np.linalg.norm(rows))
    ridge = RIDGE * size * np.eye(len(kinds))
    whole = np.vstack([rows, ridge])
    target = np.concatenate([np.ones(len(rows)), ridge.sum(axis=1) * mean])
    found, _ = nnls(whole, target)
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
                name_ = f"{each.sample.network} x {each.batch}"
                found.append(LeftOut(name_, family, 1e3 * each.wall_seconds, predicted))
    batches = [each.batch for each in samples]
    networks = len({s.sample.network for s in samples if not s.sample.varied})
    shown = " and ".join(map(str, sorted(set(batches))))
    precision = ", convolutions in TF32" if conditions.dtype == "float32" and tf32() else ""
    profile = _fitted(
        samples,
        conditions,
        name=name,
        about=f"eager torch, {shown} images at once{precision}; measured by archscope device"
        " calibrate",
        source=f"{len({s.sample for s in samples})} networks of the zoo, measured on this machine",
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

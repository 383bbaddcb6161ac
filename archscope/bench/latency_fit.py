"""Fit the coefficients of a latency profile to measured networks, and estimate their errors.

Non-negative least squares (Lawson and Hanson 1974), reweighted as of Huber (1964), on the relative
errors of kernels, each by its share of the network, and of whole networks. Errors are those of
networks whose whole family was left out of the fit; the interval is made of these (Vovk et al.
2005).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil, exp, log
from statistics import fmean, median
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from archscope.bench.calibration import PROBE, RUNTIMES, Sample
from archscope.errors import UnavailableError
from archscope.latency.host import HERE, installed_version, this_host
from archscope.latency.kernel_kinds import FEATURES, PRODUCTS, RELATIONS, Kind
from archscope.latency.predict import feature_of, milliseconds, scaled
from archscope.latency.profile import Error, Interval, Profile

KERNELS, NETWORKS, OF_PROBES, RIDGE = 1.0, 1.0, 0.5, 3e-4
"""Weights of the errors of kernels and of networks, the factor for those of probes, which have what
networks seldom have, and the weight of the regularisation."""

STEPS, DISTANT, EXACT = 4, 1.5, 1e-3
"""Steps in which errors beyond `DISTANT` medians come to count by their size, not their square: a
kernel that other work disturbed is off by much. Errors below `EXACT` are none."""

MOVED = [FEATURES.index(name) for name in ("input", "output", "weight", "patches", "merged",
                                            "activated")]  # fmt: skip
"""Features that count elements. Their coefficients are regularised alike: one of few elements in
every measured kernel would otherwise be anything, and decide on kernels in which they are many."""

DEPTHWISE = frozenset({Kind.DEPTHWISE, Kind.PLAIN_DEPTHWISE})

RANGED = ("macs", "input", "output", "weight", "macs/output")
"""Features whose fitted ranges are kept; the macs of an output tell how wide a window is."""

COVERS = 0.9
CLOSE = 0.1

Kinds = dict[str, dict[str, float]]


class LeftOut(Struct, frozen=True):
    """A network that was predicted without its family."""

    network: str
    family: str
    measured_ms: float
    predicted_ms: float

    @property
    def error(self) -> float:
        """The error of the prediction, as a fraction of the measurement."""
        return self.predicted_ms / self.measured_ms - 1


def fit(samples: Sequence[Sample]) -> Kinds:
    """Return milliseconds for each feature, by kind of kernel. Raises UnavailableError."""
    kinds = sorted({kernel.kind for sample in samples for kernel in sample.kernels})
    columns = [(kind, feature) for kind in kinds for feature in FEATURES]
    starts = {kind: place * len(FEATURES) for place, kind in enumerate(kinds)}
    used = {kind: np.array([depends(kind, feature) for feature in FEATURES]) for kind in kinds}
    rows, targets = [], []
    for sample in samples:
        counts = OF_PROBES if sample.family == PROBE else 1.0
        whole = 1e3 * sample.whole_seconds
        level = sample.whole_seconds / (sum(sample.seconds) or sample.whole_seconds)
        total = np.zeros(len(columns))
        for kernel, seconds in zip(sample.kernels, sample.seconds, strict=True):
            start = starts[kernel.kind]
            values = np.array(scaled(kernel.features, 1)) * used[kernel.kind]
            total[start : start + len(values)] += values
            time = 1e3 * seconds * level
            if time > 0:
                weight = counts * KERNELS / (time * whole) ** 0.5
                row = np.zeros(len(columns))
                row[start : start + len(values)] = values * weight
                rows.append(row)
                targets.append(time * weight)
        rows.append(counts * NETWORKS * total / whole)
        targets.append(counts * NETWORKS)
    found = _non_negative(np.array(rows), np.array(targets))
    fitted: Kinds = {kind: {} for kind in kinds}
    for (kind, feature), value in zip(columns, found, strict=True):
        if value > 0:
            fitted[kind][feature] = float(f"{value:.6g}")
    return fitted


def depends(kind: str, feature: str) -> bool:
    """Return whether the time of a kind of kernel can depend on a feature.

    What few networks have, such as biases and scales, would otherwise explain all else about them.
    """
    if feature == "spilled":
        return False  # few networks are that large
    if feature == "streamed":
        return kind not in PRODUCTS or kind in DEPTHWISE  # others compute more than they move
    if feature == "work":
        return kind not in PRODUCTS or kind in RELATIONS
    if kind in (Kind.ATTENTION, Kind.WINDOW_ATTENTION) and feature in ("weight", "patches"):
        return False  # their weights are biases, few beside everything else
    return kind in PRODUCTS or kind == Kind.BATCH_NORM or feature != "weight"


def _non_negative(rows: NDArray[Any], targets: NDArray[Any]) -> NDArray[Any]:
    try:
        from scipy.optimize import nnls
    except ImportError:
        raise UnavailableError("a fit needs scipy: pip install 'archscope[torch]'") from None
    size = np.sqrt((rows**2).sum(axis=0))
    penalty = np.ones((len(size) // len(FEATURES), len(FEATURES)))
    moved = size.reshape(penalty.shape)[:, MOVED]
    most = moved.max(axis=1, keepdims=True)
    penalty[:, MOVED] = np.divide(most, moved, out=np.ones_like(moved), where=moved > 0)
    seen = size > 0
    whole = np.hstack([rows[:, seen] / size[seen], targets[:, None]])
    ridge = RIDGE**0.5 * np.diag(penalty.ravel()[seen])
    ridge = np.hstack([ridge, np.zeros((len(ridge), 1))])
    weights = np.ones(len(rows))
    for _ in range(STEPS + 1):
        triangle = np.linalg.qr(whole * weights[:, None], mode="r")  # the same with fewer rows
        small = np.vstack([triangle, ridge])
        found, _ = nnls(small[:, :-1], small[:, -1], maxiter=100 * len(size))
        off = np.abs(whole[:, :-1] @ found - whole[:, -1])
        scale = max(DISTANT * float(np.median(off)), EXACT)
        weights = 1 / np.sqrt(np.maximum(off / scale, 1.0))
    coefficients = np.zeros(len(size))
    coefficients[seen] = np.asarray(found) / size[seen]
    return coefficients


def left_out(samples: Sequence[Sample]) -> list[LeftOut]:
    """Return every network at its own image size, predicted from all other families."""
    found = []
    for family in dict.fromkeys(sample.family for sample in samples if not sample.varied):
        profile = profile_with(fit([s for s in samples if s.family != family]))
        for sample in samples:
            if sample.family == family and not sample.varied:
                predicted = sum_of(profile, sample)
                measured = 1e3 * sample.whole_seconds
                found.append(LeftOut(sample.network, family, measured, predicted))
    return found


def sum_of(profile: Profile, sample: Sample) -> float:
    """Return the milliseconds that a profile predicts for a measured network."""
    return sum(milliseconds(profile, kernel) for kernel in sample.kernels)


def profile_with(kinds: Kinds, **more: Any) -> Profile:
    """Return a profile with these coefficients, by default of this machine and without a name."""
    words: dict[str, Any] = {
        "name": "", "machine": this_host(), "runtime": "", "fusion": "none",
        "error": Error(0, 0, 0.0, 0.0, 0.0), "interval": Interval(0.0, 0.0),
    }  # fmt: skip
    return Profile(kinds=kinds, **(words | more))


def error_of(found: Sequence[LeftOut]) -> Error:
    """Return the errors of predictions."""
    off = [abs(each.error) for each in found]
    families = len({each.family for each in found})
    within = fmean(error <= CLOSE for error in off)
    return Error(len(found), families, median(off), fmean(off), within)


def interval_of(found: Iterable[LeftOut]) -> Interval:
    """Return quantiles of log(measured / predicted) that hold in nine cases of ten of new ones."""
    logs = sorted(log(each.measured_ms / each.predicted_ms) for each in found)
    count = len(logs)
    place = min(ceil((count + 1) * (1 + COVERS) / 2), count) - 1
    return Interval(logs[count - 1 - place], logs[place], COVERS)


def coverage(found: Sequence[LeftOut]) -> float:
    """Return the fraction of networks inside the interval from the others."""
    inside = 0
    for each in found:
        band = interval_of(other for other in found if other.family != each.family)
        low, high = (each.predicted_ms * exp(end) for end in (band.low, band.high))
        inside += low <= each.measured_ms <= high
    return inside / len(found)


def ranges_of(samples: Sequence[Sample]) -> dict[str, dict[str, tuple[float, float]]]:
    """Return the minimum and maximum of features of each kind of kernel."""
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for kernel in (kernel for sample in samples for kernel in sample.kernels):
        for name in RANGED:
            value = feature_of(kernel, name)
            if value:
                low, high = found.setdefault(kernel.kind, {}).get(name, (value, value))
                found[kernel.kind][name] = min(low, value), max(high, value)
    return found


def profile_of(
    samples: Sequence[Sample], runtime: str, threads: int, *, name: str = HERE
) -> tuple[Profile, list[LeftOut]]:
    """Return the profile of this machine, and the networks predicted without their families."""
    found = left_out(samples)
    profile = profile_with(
        fit(samples),
        name=name,
        about="measured by archscope device calibrate",
        source=f"{len(samples)} networks of the zoo, measured on this machine",
        runtime=runtime,
        version=installed_version(runtime),
        fusion=RUNTIMES[runtime],
        threads=threads,
        ranges=ranges_of(samples),
        error=error_of(found),
        interval=interval_of(found),
    )
    return profile.sealed(), found

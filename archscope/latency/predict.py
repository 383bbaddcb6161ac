"""Predict the latency of a network with a profile, kernel by kernel, in pure Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import exp, log

from archscope.ir import Graph
from archscope.latency.host import notes
from archscope.latency.kernel_kinds import FEATURES, FIXED, Kind
from archscope.latency.kernels import Kernel, kernels
from archscope.latency.profile import Correction, Profile
from archscope.records.latency import Latency, LayerLatency

MILLION = 1e6
MARGIN = 2.0
"""The factor by which a feature may exceed the fitted range."""

OF_TIME, OF_KERNELS = 0.02, 0.1
"""The share of the time, or of the kernels, from which those beyond the fitted range matter."""

STAND_INS: dict[str, tuple[str, ...]] = {
    Kind.STEM: (Kind.DENSE,),
    Kind.TRANSPOSED: (Kind.DENSE,),
    Kind.GROUPED: (Kind.DEPTHWISE, Kind.DENSE),
    Kind.DENSE: (Kind.POINTWISE,),
    Kind.POINTWISE: (Kind.DENSE,),
    Kind.DEPTHWISE: (Kind.GROUPED,),
    Kind.LINEAR: (Kind.POINTWISE,),
    Kind.PRODUCT: (Kind.LINEAR, Kind.POINTWISE),
    Kind.ATTENTION: (Kind.PRODUCT, Kind.LINEAR, Kind.POINTWISE),
    Kind.WINDOW_ATTENTION: (Kind.ATTENTION, Kind.PRODUCT, Kind.LINEAR),
    Kind.RECURRENT: (Kind.LINEAR, Kind.POINTWISE),
    Kind.PLAIN_CONV: (Kind.POINTWISE, Kind.DENSE),
    Kind.PLAIN_POINTWISE: (Kind.POINTWISE, Kind.PLAIN_CONV),
    Kind.UNFOLDED: (Kind.DENSE, Kind.POINTWISE),
    Kind.UNFOLDED_GROUPS: (Kind.GROUPED, Kind.POINTWISE),
    Kind.PLAIN_GROUPED: (Kind.GROUPED, Kind.DENSE),
    Kind.STRIDED: (Kind.POINTWISE, Kind.DENSE),
    Kind.UNALIGNED: (Kind.POINTWISE, Kind.DENSE),
    Kind.SINGLE: (Kind.POINTWISE, Kind.DENSE),
    Kind.PLAIN_DEPTHWISE: (Kind.DEPTHWISE, Kind.GROUPED),
    Kind.PLAIN_POOL: (Kind.POOL,),
    Kind.SWISH: (Kind.FUNCTION, Kind.ELEMENT_WISE),
    Kind.TRANSPOSE: (Kind.COPY, Kind.ELEMENT_WISE),
    Kind.POOL: (Kind.REDUCTION, Kind.ELEMENT_WISE),
    Kind.REDUCTION: (Kind.POOL, Kind.ELEMENT_WISE),
    Kind.NORM: (Kind.FUNCTION, Kind.ELEMENT_WISE),
    Kind.FUNCTION: (Kind.ELEMENT_WISE,),
    Kind.COPY: (Kind.ELEMENT_WISE,),
    Kind.ELEMENT_WISE: (Kind.COPY, Kind.FUNCTION),
    Kind.RESPONSE_NORM: (Kind.NORM, Kind.FUNCTION),
    Kind.MAX_POOL: (Kind.POOL, Kind.REDUCTION),
    Kind.SOFTMAX: (Kind.FUNCTION, Kind.ELEMENT_WISE),
    Kind.SLOW_FUNCTION: (Kind.FUNCTION, Kind.ELEMENT_WISE),
    Kind.BATCH_NORM: (Kind.ELEMENT_WISE,),
    Kind.BINARY: (Kind.ELEMENT_WISE,),
    Kind.RESIZE: (Kind.ELEMENT_WISE, Kind.COPY),
    Kind.REFERENCE_DEPTHWISE: (Kind.DEPTHWISE, Kind.GROUPED),
    Kind.VOLUME: (Kind.DENSE, Kind.POINTWISE),
}
"""The kinds whose coefficients replace those of a kind that was not fitted."""


def predict(profile: Profile, graph: Graph, batch: int = 1) -> Latency:
    """Return the predicted latency of a batch, in total and for each layer.

    The time of a kernel is that of its main layer. Parts unlike everything that the profile was
    fitted to are reported, and the interval may not hold for them.
    """
    graph = graph.inference()
    made = kernels(graph, profile.fusion)
    times = times_of(profile, made, batch)
    total = sum(times)
    factor, beyond = 1.0, list(_unlike(profile, graph, made, times, batch))
    if profile.correction is not None and total:
        values = graph_features(profile.correction.features, graph, made, times)
        factor, outside = _correction(profile.correction, values)
        beyond += outside
    spent: dict[str, float] = defaultdict(float)
    for kernel, time in zip(made, times, strict=True):
        spent[kernel.nodes[0]] += time * factor
    home = {name: k.nodes[0] for k in made if k.kind != Kind.REORDER for name in k.nodes}
    layers = tuple(
        LayerLatency(node.name, spent.get(node.name, 0.0), home.get(node.name, ""))
        for node in graph.nodes
    )
    return Latency(
        profile=profile.name,
        device=profile.machine.name,
        runtime=profile.runtime,
        version=profile.version,
        threads=profile.threads,
        dtype=profile.dtype,
        batch=batch,
        milliseconds=total * factor,
        low=total * factor * exp(profile.interval.low),
        high=total * factor * exp(profile.interval.high),
        kernels=len(made),
        layers=layers,
        unlike=tuple(beyond),
        notes=notes(profile),
    )


def times_of(profile: Profile, made: Sequence[Kernel], batch: int = 1) -> list[float]:
    """Return the milliseconds of the kernels of a network, before any correction.

    On a GPU they are those of the launches if launching all kernels takes longer than running them.
    """
    times = [milliseconds(profile, kernel, batch) for kernel in made]
    if profile.gpu is None:
        return times
    launches = [launch_milliseconds(profile.gpu.host, kernel.kind) for kernel in made]
    return max(times, launches, key=sum)


def launch_milliseconds(host: Mapping[str, float], kind: str) -> float:
    """Return what the host of a GPU takes for a kernel, or for one of a similar kind."""
    known = (host[like] for like in (kind, *STAND_INS.get(kind, ())) if like in host)
    return next(known, max(host.values(), default=0.0) if kind != Kind.VIEW else 0.0)


def coefficients(profile: Profile, kind: str) -> dict[str, float]:
    """Return the coefficients of a kind of kernel, or of the kind that replaces it."""
    for candidate in (kind, *STAND_INS.get(kind, ())):
        if candidate in profile.kinds:
            return profile.kinds[candidate]
    return {} if kind in (Kind.VIEW, Kind.REORDER) else next(iter(profile.kinds.values()))


def milliseconds(profile: Profile, kernel: Kernel, batch: int = 1) -> float:
    """Return the time of a kernel by the coefficients of its kind, before any correction."""
    by_name = coefficients(profile, kernel.kind)
    values = scaled(kernel.features, batch)
    return sum(by_name.get(name, 0.0) * x for name, x in zip(FEATURES, values, strict=True))


def scaled(features: Sequence[float], batch: int) -> list[float]:
    """Return the features of a batch, in millions except for the number of kernels."""
    return [
        value if name == "kernels" else value * (1 if name in FIXED else batch) / MILLION
        for name, value in zip(FEATURES, features, strict=True)
    ]


def feature_of(kernel: Kernel, name: str) -> float:
    """Return a feature of a kernel, or the ratio of two, such as `macs/output`."""
    upper, _, lower = name.partition("/")
    divisor = kernel.features[FEATURES.index(lower)] if lower else 1.0
    return kernel.features[FEATURES.index(upper)] / divisor if divisor else 0.0


def graph_features(
    names: Sequence[str], graph: Graph, made: Sequence[Kernel], times: Sequence[float]
) -> list[float]:
    """Return the features of a network by name, for correcting the sum of its kernels.

    `sum` and `kernels` are logarithms of the milliseconds summed and of the number of kernels,
    `share.KIND` the share of a kind of kernel in the sum, `mean.FEATURE` the logarithm of a feature
    for each kernel, all others those of `archscope.analysis.features`.
    """
    total = sum(times)
    found: dict[str, float] = {"sum": log(total), "kernels": log(len(made))}
    shares: dict[str, float] = defaultdict(float)
    for kernel, time in zip(made, times, strict=True):
        shares[f"share.{kernel.kind}"] += time / total
    for place, feature in enumerate(FEATURES):
        mean = sum(kernel.features[place] for kernel in made) / len(made)
        found[f"mean.{feature}"] = log(max(mean, 1.0))
    if any(name not in found and not name.startswith("share.") for name in names):
        from archscope.analysis.features import features as network_features  # few need them

        found |= {k: v for k, v in network_features(graph).items() if k not in found}
    return [shares[name] if name.startswith("share.") else found.get(name, 0.0) for name in names]


def _correction(correction: Correction, values: Sequence[float]) -> tuple[float, list[str]]:
    """Return the factor of a correction, and the features outside the fitted range."""
    log_factor, outside = correction.intercept, []
    for name, x, mean, scale, by, low, high in zip(
        correction.features, values, correction.means, correction.scales,
        correction.coefficients, correction.low, correction.high, strict=True,
    ):  # fmt: skip
        log_factor += by * (min(max(x, low), high) - mean) / scale
        room = max(0.05 * (high - low), 1e-6)
        if not low - room <= x <= high + room:
            outside.append(f"{name} {x:.3g}, fitted {low:.3g} to {high:.3g}")
    return exp(log_factor), outside


def _unlike(
    profile: Profile, graph: Graph, made: Sequence[Kernel], times: Sequence[float], batch: int
) -> Iterator[str]:
    least, most = profile.batches
    if not least <= batch <= most:
        fitted = str(least) if least == most else f"{least} to {most}"
        yield f"a batch of {batch}, fitted {fitted}"
    unknown = sorted({node.op.label for node in graph.nodes if "macs" in node.op.unknown})
    if unknown:
        yield f"operators of unknown cost: {', '.join(unknown)}"
    used: dict[str, list[tuple[Kernel, float]]] = defaultdict(list)
    for kernel, time in zip(made, times, strict=True):
        used[kernel.kind].append((kernel, time))
    for kind, group in used.items():
        if kind not in profile.kinds and kind != Kind.VIEW:
            plural = "s" * (len(group) > 1)
            yield f"{len(group)} kernel{plural} of a kind that was not fitted: {kind}"
        found = []
        for feature, (low, high) in profile.ranges.get(kind, {}).items():
            values = [feature_of(kernel, feature) for kernel, _ in group]
            off = [max(low / value, value / high) if value else 1.0 for value in values]
            beyond = [time for by, (_, time) in zip(off, group, strict=True) if by > MARGIN]
            if sum(beyond) > OF_TIME * sum(times) or len(beyond) > OF_KERNELS * len(made):
                words = f"{feature} of {kind} kernels {min(values):.3g} to {max(values):.3g}"
                found.append((max(off), f"{words}, fitted {low:.3g} to {high:.3g}"))
        if found:
            yield max(found)[1]

"""A predicted latency, as part of an analysis."""

from __future__ import annotations

from msgspec import Struct


class LayerLatency(Struct, frozen=True, gc=False):
    """The latency of a layer; 0 for one that runs in the kernel of another layer."""

    name: str
    milliseconds: float
    kernel: str  # the main layer of the kernel that computes it; "" if nothing runs


class Latency(Struct, frozen=True):
    """The predicted milliseconds of a batch, with a 90 % interval."""

    profile: str
    device: str
    runtime: str
    version: str
    threads: int | None
    dtype: str
    batch: int
    milliseconds: float
    low: float
    high: float
    kernels: int
    layers: tuple[LayerLatency, ...]
    unlike: tuple[str, ...] = ()
    """In what the network differs from all networks that the profile was fitted to."""
    notes: tuple[str, ...] = ()
    """How the conditions differ from those of the profile."""

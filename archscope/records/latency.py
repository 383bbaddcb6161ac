"""A predicted latency, as profiles give it and analyses keep it."""

from __future__ import annotations

from msgspec import Struct


class LayerLatency(Struct, frozen=True, gc=False):
    """What a layer takes; one that runs in the kernel of another layer takes nothing itself."""

    name: str
    milliseconds: float
    kernel: str  # the main layer of the kernel that computes it; empty where nothing runs


class Latency(Struct, frozen=True):
    """The predicted milliseconds of a batch, and the interval that holds in nine cases of ten."""

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
    """In what the network is unlike all that the profile was fitted to, one part each."""
    notes: tuple[str, ...] = ()
    """Where the conditions here are not those of the profile."""

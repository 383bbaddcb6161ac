"""Real latency: networks, their layers and the machine itself, measured."""

from __future__ import annotations

from archscope.bench.machine import machine as this_machine
from archscope.bench.measure_networks import Bench, Measured, bench, latency
from archscope.bench.roofline_cache import known as known_roofline
from archscope.bench.timing import Timing

__all__ = [
    "Bench", "Measured", "Timing", "bench", "known_roofline", "latency", "this_machine",
]  # fmt: skip

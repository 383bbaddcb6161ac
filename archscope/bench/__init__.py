"""Measured latency of networks and their layers, and the roofline of this machine.

    measure_networks.py        `bench` and `latency`: every network with every batch
    measure_guidelines.py      the experiments of ShuffleNetV2 (guideline_experiments.py), repeated
    interleaved.py, timing.py  runs of several networks in turns, and their quartiles
    prepare.py                 a graph as a call of torch
    onnx_layers.py, openvino.py  the same in onnxruntime (onnx_session.py, onnx_latency.py), whose
                               kernels onnx_kernels.py finds the layers of, and in OpenVINO
    conditions.py, machine.py  how and where a network runs
    layer_timings.py           the time of each layer
    roofline.py                arithmetic, memory bandwidth and call overhead of the machine, and
                               which of them limits a layer
    calibration.py, latency_fit.py  measurements for a latency profile, and their fit
    gpu_calibration.py, gpu_fit.py  the same for a GPU

Importing this package does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archscope.bench.machine import this_machine
    from archscope.bench.measure_networks import Bench, Measured, bench, latency
    from archscope.bench.roofline import known_roofline
    from archscope.bench.timing import Timing

__all__ = [
    "Bench", "Measured", "Timing", "bench", "known_roofline", "latency", "this_machine",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import what is measured with torch when it is asked for."""
    if name not in __all__:
        raise AttributeError(f"module 'archscope.bench' has no attribute '{name}'")
    files = {"this_machine": "machine", "known_roofline": "roofline", "Timing": "timing"}
    file = files.get(name, "measure_networks")
    return getattr(import_module(f"archscope.bench.{file}"), name)

"""Measured latency of ONNX models in onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from archscope.bench.timing import Timing, measure, timing


def onnx_latencies(models: Sequence[bytes], seconds: float = 1.0, threads: int = 1) -> list[Timing]:
    """Return the time of each model for one random image, measured in turns for so long each.

    `threads` are onnxruntime's. The models take float32 inputs of any batch.
    """
    return [timing(turns) for turns in measure([_call(m, threads) for m in models], seconds)]


def _call(model: bytes, threads: int) -> Callable[[], object]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    feeds = {
        entry.name: random.standard_normal(
            [size if isinstance(size, int) else 1 for size in entry.shape], np.float32
        )
        for entry in session.get_inputs()
    }
    return lambda: session.run(None, feeds)

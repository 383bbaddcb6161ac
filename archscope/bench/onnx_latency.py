"""Measured latency of ONNX models in onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from archscope.bench.onnx_session import open_session, random_feeds
from archscope.bench.timing import Timing, measure, timing


def onnx_latencies(
    models: Sequence[bytes], seconds: float = 1.0, threads: int = 1, batch: int = 1
) -> list[Timing]:
    """Return the time of each model for a random batch, measured in turns of a given duration.

    `threads` are onnxruntime's. The models take float32 inputs of any batch.
    """
    calls = [onnx_call(model, threads, batch) for model in models]
    return [timing(turns) for turns in measure(calls, seconds)]


def onnx_call(model: bytes, threads: int = 1, batch: int = 1) -> Callable[[], object]:
    """Return a function that runs a model once, with the same random inputs every time."""
    session = open_session(model, threads)
    feeds = random_feeds(session, batch)
    return lambda: session.run(None, feeds)

"""ONNX models in onnxruntime: sessions, random images, and int8 forms."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from archscope.errors import UnavailableError

Feeds = dict[str, Any]
"""Arrays by the names of the inputs."""


def runtime() -> Any:
    """Return the package `onnxruntime`. Raises UnavailableError if it is missing."""
    try:
        import onnxruntime
    except ImportError:
        raise UnavailableError(
            "onnxruntime is not installed: pip install 'archscope[onnx]'"
        ) from None
    return onnxruntime


def open_session(model: bytes, threads: int = 1, profile: Path | None = None) -> Any:
    """Return a session on the CPU; `profile` is the start of the name of a file for its profile.

    Raises UnavailableError without the package onnxruntime, and for a model that it cannot run.
    """
    package = runtime()
    options = package.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
    try:
        return package.InferenceSession(model, options, ["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common base class
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise UnavailableError(f"onnxruntime cannot run the model: {reason}") from None


def random_feeds(session: Any, batch: int = 1) -> Feeds:
    """Return standard normal inputs for a batch, the same every time."""
    random = np.random.default_rng(0)
    return {
        entry.name: random.standard_normal(
            [size if isinstance(size, int) else batch for size in entry.shape], np.float32
        )
        for entry in session.get_inputs()
    }


class _Random:
    """One random image for each input, in the form that onnxruntime's quantizer reads."""

    def __init__(self, model: bytes) -> None:
        self.feeds: Iterator[Feeds] = iter([random_feeds(open_session(model))])

    def get_next(self) -> Feeds | None:
        return next(self.feeds, None)


def weights_with_one_scale(graph: Any) -> set[str]:
    """Return the weights that get a scale for all channels: those of grouped `ConvTranspose`.

    Their second axis, along which onnxruntime quantizes, has the channels of one group only.
    """
    return {
        node.input[1]
        for node in graph.node
        if node.op_type == "ConvTranspose"
        and any(attribute.name == "group" and attribute.i > 1 for attribute in node.attribute)
    }


def int8_model(model: bytes) -> bytes:
    """Return a model quantized to int8 for its speed: its ranges are those of one random image.

    By onnxruntime's static quantization, QDQ, one scale for each output channel.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it recommends a step that our files do not need
    try:
        with TemporaryDirectory() as folder:
            path, proto = Path(folder) / "int8.onnx", onnx.load_from_string(model)
            one_scale = [{"quant_type": QuantType.QInt8}]
            overrides = dict.fromkeys(weights_with_one_scale(proto.graph), one_scale)
            quantize_static(
                proto, path, _Random(model),
                quant_format=QuantFormat.QDQ, per_channel=True,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                extra_options={"TensorQuantOverrides": overrides},
            )  # fmt: skip
            return path.read_bytes()
    finally:
        root.setLevel(level)

"""A network in OpenVINO, which reads our ONNX model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from archscope.bench.onnx_session import int8_model
from archscope.errors import UnavailableError
from archscope.exporters.onnx_export import export_onnx
from archscope.ir import Graph


def openvino_call(
    graph: Graph, batch: int, threads: int, dtype: str = "float32"
) -> Callable[[], object]:
    """Return a function that runs a network once on the CPU, batch norms folded.

    `int8` is quantized by onnxruntime before. Weights and the batch are random, the same every
    time. Raises UnavailableError if a package is not installed, and whatever OpenVINO raises.
    """
    try:
        import openvino
    except ImportError:
        raise UnavailableError("OpenVINO is not installed: pip install openvino") from None
    core = openvino.Core()
    content = export_onnx(graph).model.content()
    model = core.read_model(int8_model(content) if dtype == "int8" else content)
    model.reshape({node.name: [batch, *node.out] for node in graph.inputs})
    compiled = core.compile_model(
        model, "CPU", {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    )
    random = np.random.default_rng(0)
    feeds = {
        node.name: random.standard_normal((batch, *node.out), np.float32) for node in graph.inputs
    }
    request = compiled.create_infer_request()
    return lambda: request.infer(feeds, share_inputs=True)

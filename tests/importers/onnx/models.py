"""Small ONNX models, written node by node, and what onnxruntime makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from archscope.build import build
from archscope.importers.formats import Imported
from archscope.weights import state_dict_of

Array = numpy.ndarray[Any, Any]


def model(
    nodes: list[Any],
    shape: tuple[int | str, ...],
    weights: dict[str, Array] | None = None,
    opset: int = 17,
    outputs: tuple[str, ...] = ("y",),
    domains: tuple[str, ...] = (),
) -> Any:
    """Return a model that reads `x` and gives `y`."""
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()],
    )
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def saved(made: Any, folder: Path, name: str = "net.onnx") -> Path:
    """Write a model and return its path."""
    path = folder / name
    onnx.save(made, str(path))
    return path


def numbers(*shape: int, seed: int = 0) -> Array:
    """Return random weights in single precision."""
    return numpy.random.default_rng(seed).normal(size=shape).astype(numpy.float32)


def outputs(found: Imported, path: Path, last: bool = False) -> tuple[Array, Array]:
    """Return what the built network and onnxruntime give for one batch.

    `last` says that the file takes and gives the channels last.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    batch = session.get_inputs()[0].shape[0]
    x = numbers(batch if isinstance(batch, int) else 1, *found.graph.inputs[0].out, seed=1)
    network = build(found.graph).eval()
    network.load_state_dict(state_dict_of(found.graph, found.weights()))
    with torch.no_grad():
        ours = network(torch.from_numpy(x)).numpy()
    given = numpy.moveaxis(x, 1, -1) if last else x
    theirs = session.run(None, {session.get_inputs()[0].name: given})[0]
    return ours, numpy.moveaxis(theirs, -1, 1) if last else theirs

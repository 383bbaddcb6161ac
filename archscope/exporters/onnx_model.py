"""Export to ONNX from a torch module, and run ONNX files with onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from archscope.build import Network, build
from archscope.errors import GraphError, UnavailableError
from archscope.exporters.comparison import largest_difference
from archscope.exporters.onnx_export import ExportedOnnx, export_onnx
from archscope.exporters.preprocessed_network import PreprocessedNetwork
from archscope.files import write_bytes
from archscope.weights import load_weights

if TYPE_CHECKING:
    from archscope.exporters.formats import Outputs


def export(network: Network, opset: int | None) -> bytes:
    """Return an ONNX model with a dynamic batch size, checked by onnx.

    Raises UnavailableError if a package of the extra `onnx` is missing.
    """
    prepared = network.preprocessing if isinstance(network, PreprocessedNetwork) else None
    arrays = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    exported = export_onnx(network.graph, arrays, fused=False, opset=opset, preprocessing=prepared)
    return exported.model.content()


def onnx_difference(exported: ExportedOnnx) -> float:
    """Return the largest difference between the outputs of a file and those of its network.

    The difference is a fraction of the largest output, over two batches. Raises GraphError if it
    exceeds what rounding explains.
    """
    network = build(exported.plain).eval()
    tensors = {name: torch.from_numpy(array) for name, array in exported.arrays.items()}
    load_weights(network, tensors, "the weights")
    if exported.preprocessing is not None:
        network = PreprocessedNetwork(network, exported.preprocessing)
    if not exported.model.too_large:
        return largest_difference(network, load(exported.model.content(), {}), "onnx file")
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        content, data = exported.model.split("model.onnx.data")
        write_bytes(path.with_name("model.onnx.data"), data)
        write_bytes(path, content)
        return largest_difference(network, load(path.as_posix(), {}), "onnx file")


def load(content: bytes | str, weights: Mapping[str, Tensor]) -> Callable[..., Outputs]:
    """Return a function that runs a model in onnxruntime: its content, or the path of its file."""
    try:
        import onnxruntime
    except ImportError:
        raise UnavailableError(
            "running ONNX needs the package onnxruntime: pip install 'archscope[onnx]'"
        ) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # it raises whatever it reports
    try:
        session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common base class
        raise _cannot_run(error) from None
    inputs = [entry.name for entry in session.get_inputs()]
    outputs = [output.name for output in session.get_outputs()]

    def run(*tensors: Tensor) -> Outputs:
        arrays = (tensor.numpy() for tensor in tensors)
        try:
            values = session.run(None, dict(zip(inputs, arrays, strict=True)))
        except Exception as error:
            raise _cannot_run(error) from None
        results = dict(zip(outputs, map(torch.from_numpy, values), strict=True))
        return results if len(results) > 1 else results[outputs[0]]

    return run


def _cannot_run(error: Exception) -> GraphError:
    reason = str(error).strip().splitlines()[0]
    return GraphError(f"onnxruntime cannot run the ONNX file: {reason}; nothing was written")

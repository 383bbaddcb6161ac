"""Export to ONNX with torch's own exporter, for comparison."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from typing import Any

import torch

from archscope.build import Network
from archscope.errors import GraphError, OptionError, UnavailableError
from archscope.exporters.comparison import random_inputs
from archscope.exporters.exported_program import any_batch
from archscope.exporters.formats import OPSET
from archscope.exporters.onnx_graph import drop_computed_biases, rename_ends
from archscope.exporters.onnx_model import load
from archscope.exporters.onnx_writer import MAX_BYTES
from archscope.exporters.preprocessed_network import PreprocessedNetwork

__all__ = ["export", "load"]


def export(network: Network, opset: int | None) -> bytes:
    """Return an ONNX model with a dynamic batch size, checked by onnx.

    Raises UnavailableError if a package of the extra `onnx` is missing.
    """
    try:
        import onnx
        import onnxruntime  # noqa: F401 - which runs the model afterwards
        import onnxscript  # noqa: F401 - torch writes ONNX with it
    except ImportError as error:
        raise UnavailableError(
            f"ONNX needs the package {error.name}: pip install 'archscope[onnx]'"
        ) from None
    size = sum(value.numel() * value.element_size() for value in network.state_dict().values())
    if size > MAX_BYTES:
        raise OptionError(
            f"an ONNX file holds at most 2 GiB, but '{network.graph.name}' has"
            f" {size:,} bytes of weights"
        )
    model = _model(network, opset or OPSET)
    if isinstance(network, PreprocessedNetwork):
        onnx.helper.set_model_props(model, network.preprocessing.metadata())
    drop_computed_biases(model.graph)
    graph = network.graph.inference()
    rename_ends(model.graph, [node.name for node in graph.inputs], [o.name for o in graph.outputs])
    try:
        onnx.checker.check_model(model, full_check=True)
    except onnx.checker.ValidationError as error:
        reason = str(error).strip().splitlines()[0]
        raise GraphError(f"'{graph.name}' cannot be written as ONNX: {reason}") from None
    content: bytes = model.SerializeToString()
    return content


def _model(network: Network, opset: int) -> Any:
    inputs = random_inputs(network, 2)
    quiet = logging.getLogger("torch.onnx"), logging.getLogger("onnxscript")
    levels = [logger.level for logger in quiet]
    for logger in quiet:
        logger.setLevel(logging.ERROR)
    try:
        # Warnings come from inside torch.
        with warnings.catch_warnings(action="ignore"), contextlib.redirect_stdout(io.StringIO()):
            program = torch.onnx.export(
                network,
                inputs,
                dynamo=True,
                opset_version=opset,
                dynamic_shapes=any_batch(len(inputs)),
                verbose=False,
                optimize=False,  # would fold batch norms, which is what --fused is for
            )
    except torch.onnx.errors.OnnxExporterError as error:
        reason = str(error).strip().splitlines()[0]
        raise GraphError(f"torch cannot write '{network.graph.name}' as ONNX: {reason}") from None
    finally:
        for logger, level in zip(quiet, levels, strict=True):
            logger.setLevel(level)
    assert program is not None
    versions = {entry.domain: entry.version for entry in program.model_proto.opset_import}
    found = versions.get("")
    if found != opset:
        raise OptionError(
            f"torch cannot write this network in opset {opset} of ONNX; try --opset {found}"
        )
    return program.model_proto

"""ONNX: the network for runtimes of every maker."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from typing import Any

import torch
from torch import Tensor

from archscope.build import Network
from archscope.errors import GraphError, OptionError, UnavailableError
from archscope.exporters.agreement import Outputs, check, examples
from archscope.exporters.exported_program import free_batch
from archscope.exporters.formats import Made

LARGEST = 2**31 - 2**24  # protobuf's limit, with room for the graph


def export(network: Network, opset: int) -> Made:
    """Return an ONNX model for any batch: checked, and compared with the network in onnxruntime.

    Raises UnavailableError if a package of the extra `onnx` is missing.
    """
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401 - torch writes ONNX with it
    except ImportError as error:
        raise UnavailableError(
            f"ONNX needs the package {error.name}: pip install 'archscope[onnx]'"
        ) from None
    size = sum(value.numel() * value.element_size() for value in network.state_dict().values())
    if size > LARGEST:
        raise OptionError(
            f"an ONNX file holds 2 GiB, and the weights of '{network.graph.name}' are"
            f" {size:,} bytes"
        )
    model = _model(network, opset)
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return Made(content, check(network, _runner(session), "onnx"))


def _model(network: Network, opset: int) -> Any:
    inputs = examples(network, 2)
    names = [output.name for output in network.graph.inference().outputs]
    quiet = logging.getLogger("torch.onnx"), logging.getLogger("onnxscript")
    levels = [logger.level for logger in quiet]
    for logger in quiet:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")  # torch warns of its own insides
            program = torch.onnx.export(
                network,
                inputs,
                dynamo=True,
                opset_version=opset,
                input_names=[node.name for node in network.graph.inputs],
                output_names=names,
                dynamic_shapes=free_batch(len(inputs)),
                verbose=False,
                optimize=False,  # which folds batch norms; that is asked for with --fused
            )
    except torch.onnx.errors.OnnxExporterError as error:
        reason = str(error).strip().splitlines()[0]
        raise GraphError(f"torch cannot write '{network.graph.name}' as ONNX: {reason}") from None
    finally:
        for logger, level in zip(quiet, levels, strict=True):
            logger.setLevel(level)
    assert program is not None
    found = {one.domain: one.version for one in program.model_proto.opset_import}.get("")
    if found != opset:
        raise OptionError(f"torch cannot write this network in opset {opset} of ONNX; try {found}")
    return program.model_proto


def _runner(session: Any) -> Any:
    """Return a function that runs a model as the network is run."""
    inputs = [entry.name for entry in session.get_inputs()]
    outputs = [output.name for output in session.get_outputs()]

    def run(*tensors: Tensor) -> Outputs:
        given = {name: one.numpy() for name, one in zip(inputs, tensors, strict=True)}
        values = [torch.from_numpy(value) for value in session.run(None, given)]
        if len(values) == 1:
            return values[0]
        return dict(zip(outputs, values, strict=True))

    return run

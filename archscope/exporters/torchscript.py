"""Export to TorchScript: a trace of the network, for C++ and mobile."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.jit._trace import TracerWarning

from archscope.build import Network
from archscope.exporters.comparison import random_inputs
from archscope.exporters.torch_errors import explained


def export(network: Network, opset: int | None) -> bytes:
    """Return a traced network. Raises GraphError if torch cannot trace it."""
    content = io.BytesIO()
    failure = f"torch cannot write '{network.graph.name}' as TorchScript"
    # Without gradients, as the trace of a function with its own backward cannot be saved.
    with explained(failure, last=True), torch.no_grad(), warnings.catch_warnings():
        # torch deprecates TorchScript, but whoever exports to it chose it; and the tracer warns
        # of fixed sizes, which the comparison with another batch size checks better.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", TracerWarning)
        trace: Any = torch.jit.trace
        traced = trace(network, random_inputs(network, 2), check_trace=False, strict=False)
        torch.jit.save(traced, content)
    return content.getvalue()


def load(content: bytes, weights: Mapping[str, Tensor]) -> Callable[..., Any]:
    """Return the traced network of a file."""
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        read: Callable[[io.BytesIO], Callable[..., Any]] = torch.jit.load
        return read(io.BytesIO(content))

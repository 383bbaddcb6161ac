"""Export to `torch.export`: a graph of aten operators for torch's compilers."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim

from archscope.build import Network
from archscope.exporters.comparison import random_inputs
from archscope.exporters.torch_errors import explained


def export(network: Network, opset: int | None) -> bytes:
    """Return an exported program with a dynamic batch size. Raises GraphError."""
    inputs, content = random_inputs(network, 2), io.BytesIO()
    failure = f"torch.export cannot write '{network.graph.name}'"
    with explained(failure), warnings.catch_warnings(action="ignore"):  # inside torch itself
        program = torch.export.export(network, inputs, dynamic_shapes=any_batch(len(inputs)))
        torch.export.save(program, content)
    return content.getvalue()


def load(content: bytes, weights: Mapping[str, Tensor]) -> Callable[..., Any]:
    """Return the module of an exported program."""
    with warnings.catch_warnings(action="ignore"):
        return torch.export.load(io.BytesIO(content)).module()


def any_batch(inputs: int) -> Any:
    """Return torch's `dynamic_shapes` for inputs that share a dynamic first axis."""
    batch = Dim("batch", min=1)
    return {"inputs": tuple({0: batch} for _ in range(inputs))}

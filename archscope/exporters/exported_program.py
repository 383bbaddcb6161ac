"""A program of `torch.export`: the graph of aten operators that torch's compilers take."""

from __future__ import annotations

import io
import warnings
from typing import Any

import torch
from torch.export import Dim, ExportedProgram

from archscope.build import Network
from archscope.exporters.agreement import check, examples
from archscope.exporters.formats import Made


def export(network: Network, opset: int) -> Made:
    """Return an exported program for any batch, compared with the network at two sizes of it."""
    with warnings.catch_warnings():
        # torch warns of its own insides.
        warnings.simplefilter("ignore")
        program = program_of(network)
        difference = check(network, program.module(), "exported-program")
        buffer = io.BytesIO()
        torch.export.save(program, buffer)
        return Made(buffer.getvalue(), difference)


def program_of(network: Network) -> ExportedProgram:
    """Return the program of a network, whose batch is free."""
    inputs = examples(network, 2)
    return torch.export.export(network, inputs, dynamic_shapes=free_batch(len(inputs)))


def free_batch(inputs: int) -> Any:
    """Return torch's words for inputs whose first axis may have any size, the same for all."""
    batch = Dim("batch", min=1)
    return {"inputs": tuple({0: batch} for _ in range(inputs))}

"""TorchScript: what a run of the network does, as a file for C++ and mobile."""

from __future__ import annotations

import io
import warnings
from typing import Any

import torch
from torch.jit._trace import TracerWarning

from archscope.build import Network
from archscope.exporters.agreement import check, examples
from archscope.exporters.formats import Made


def export(network: Network, opset: int) -> Made:
    """Return a traced network, compared with it at two sizes of batch."""
    with warnings.catch_warnings():
        # torch calls it deprecated, which is a matter for those who ask for it; and the tracer
        # warns of sizes that are fixed, which the comparison at another batch judges better.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", TracerWarning)
        inputs = examples(network, 2)
        trace: Any = torch.jit.trace
        traced = trace(network, inputs, check_trace=False, strict=False)
        difference = check(network, traced, "torchscript")
        buffer = io.BytesIO()
        torch.jit.save(traced, buffer)
        return Made(buffer.getvalue(), difference)

"""Check that an exported network computes the same as the original."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from archscope.build import Network
from archscope.errors import GraphError

if TYPE_CHECKING:
    from archscope.exporters.formats import Outputs

TOLERANCE = 1e-5
"""Accepted difference of outputs as a fraction of the largest output; rounding order varies."""

STEPS = 16
"""Accepted difference in quantization steps, for networks that round to a few levels.

Rounding errors can select a neighbouring level, and differences grow in later layers.
"""


def random_inputs(network: Network, batch: int) -> tuple[Tensor, ...]:
    """Return random inputs, the same for every call with the same batch size.

    Inputs in which layers look up indices have whole numbers that all of these layers know.
    """
    generator = torch.Generator().manual_seed(batch)
    vocabularies: dict[str, int] = {}
    for node in network.graph.nodes:
        if node.op.vocabulary:
            for name in network.graph.ancestors(*node.inputs):
                vocabularies[name] = min(node.op.vocabulary, vocabularies.get(name, sys.maxsize))
    return tuple(
        torch.randint(vocabularies[node.name], (batch, *node.out), generator=generator).float()
        if node.name in vocabularies
        else torch.randn(batch, *node.out, generator=generator)
        for node in network.graph.inputs
    )


def largest_difference(
    network: Network,
    exported: Callable[..., Outputs],
    called: str,
    batches: tuple[int, ...] = (1, 3),
) -> float:
    """Return the largest difference of outputs as a fraction of the largest output.

    `called` names the exported network in errors. Raises GraphError if its outputs have other
    names or shapes, or differ by more than `TOLERANCE`, or by `STEPS` steps where it rounds.
    """
    largest = 0.0
    tolerance = max(
        [
            TOLERANCE,
            *(STEPS / n.op.result_levels for n in network.graph.nodes if n.op.result_levels),
        ]
    )
    for batch in batches:
        inputs = random_inputs(network, batch)
        with torch.no_grad():
            # A network may modify its inputs in place, so each gets its own tensors.
            expected = _by_name(network(*(tensor.clone() for tensor in inputs)))
            found = _by_name(exported(*(tensor.clone() for tensor in inputs)))
        if list(expected) != list(found):
            raise GraphError(f"the {called} has outputs {list(found)}, expected {list(expected)}")
        for name, value in expected.items():
            if value.shape != found[name].shape:
                raise GraphError(
                    f"the {called} returns '{name}' with shape {tuple(found[name].shape)}"
                    f" at batch {batch}, expected {tuple(value.shape)}"
                )
            if not value.isfinite().all():
                raise GraphError("with these weights the network's outputs are not finite numbers")
            scale = max(value.abs().max().item(), 1e-30)
            difference = (value - found[name]).abs().max().item() / scale
            if not difference <= tolerance:  # also refuses NaN
                raise GraphError(
                    f"the {called} computes different outputs: they differ by"
                    f" {difference:.1e} of the largest output, more than {tolerance:.0e};"
                    " nothing was written"
                )
            largest = max(largest, difference)
    return largest


def _by_name(outputs: Outputs) -> Mapping[str, Tensor]:
    return {"": outputs} if isinstance(outputs, Tensor) else outputs

"""Whether an exported network computes what it was exported from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from archscope.build import Network
from archscope.errors import GraphError

if TYPE_CHECKING:
    from archscope.exporters.formats import Outputs

TOLERANCE = 1e-5
"""How far outputs may differ, as a share of the largest one: rounding in another order."""

STEPS = 16
"""By how many of their steps networks may differ that round to few levels.

A last digit decides between two levels, and later layers between others.
"""


def random_inputs(network: Network, batch: int) -> tuple[Tensor, ...]:
    """Return random inputs, the same at every call."""
    generator = torch.Generator().manual_seed(batch)
    return tuple(
        torch.randn(batch, *node.out, generator=generator) for node in network.graph.inputs
    )


def largest_difference(
    network: Network,
    exported: Callable[..., Outputs],
    called: str,
    batches: tuple[int, ...] = (1, 3),
) -> float:
    """Return the largest difference of outputs, as a share of the largest output.

    `called` is what errors call the exported network. Raises GraphError if its outputs have other
    names or shapes, or differ by more than `TOLERANCE`, or by `STEPS` steps where it rounds.
    """
    largest = 0.0
    tolerance = max(TOLERANCE, *(STEPS * node.op.step for node in network.graph.nodes))
    for batch in batches:
        inputs = random_inputs(network, batch)
        with torch.no_grad():
            # A network may work in place, so each gets tensors of its own.
            expected = _by_name(network(*(tensor.clone() for tensor in inputs)))
            found = _by_name(exported(*(tensor.clone() for tensor in inputs)))
        if list(expected) != list(found):
            raise GraphError(f"the {called} has outputs {list(found)}, not {list(expected)}")
        for name, value in expected.items():
            if value.shape != found[name].shape:
                raise GraphError(f"the {called} gives '{name}' another shape at batch {batch}")
            if not value.isfinite().all():
                raise GraphError("with these weights the network's outputs are not finite numbers")
            scale = max(value.abs().max().item(), 1e-30)
            difference = (value - found[name]).abs().max().item() / scale
            if not difference <= tolerance:  # nor if it is not a number
                raise GraphError(
                    f"the {called} computes something else: its outputs differ by"
                    f" {difference:.1e} of the largest, more than {tolerance:.0e};"
                    " nothing was written"
                )
            largest = max(largest, difference)
    return largest


def _by_name(outputs: Outputs) -> Mapping[str, Tensor]:
    return {"": outputs} if isinstance(outputs, Tensor) else outputs

"""Whether an exported network computes what it was exported from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from archscope.build import Network
from archscope.errors import GraphError

NEAR = 1e-5
"""How far outputs may differ, as a share of the largest one: rounding in another order."""

Outputs = Tensor | Mapping[str, Tensor]


def examples(network: Network, batch: int) -> tuple[Tensor, ...]:
    """Return random inputs, the same at every call."""
    generator = torch.Generator().manual_seed(batch)
    return tuple(
        torch.randn(batch, *node.out, generator=generator) for node in network.graph.inputs
    )


def check(
    network: Network, again: Callable[..., Outputs], form: str, batches: tuple[int, ...] = (1, 3)
) -> float:
    """Return the largest difference of outputs, as a share of the largest output.

    Raises GraphError if it is too large.
    """
    worst = 0.0
    for batch in batches:
        inputs = examples(network, batch)
        with torch.no_grad():
            # A network may work in place, so each gets tensors of its own.
            wanted = _named(network(*(tensor.clone() for tensor in inputs)))
            found = _named(again(*(tensor.clone() for tensor in inputs)))
        if list(wanted) != list(found):
            raise GraphError(f"the {form} file has outputs {list(found)}, not {list(wanted)}")
        for name, value in wanted.items():
            if value.shape != found[name].shape:
                raise GraphError(f"the {form} file gives '{name}' another shape at batch {batch}")
            if not value.isfinite().all():
                raise GraphError("with these weights the network's outputs are not finite numbers")
            largest = max(value.abs().max().item(), 1e-30)
            difference = (value - found[name]).abs().max().item() / largest
            if not difference <= NEAR:  # nor if it is no number
                raise GraphError(
                    f"the {form} file computes something else: its outputs differ by"
                    f" {difference:.1e} of the largest, more than {NEAR:.0e}; nothing was written"
                )
            worst = max(worst, difference)
    return worst


def _named(outputs: Outputs) -> Mapping[str, Tensor]:
    return {"": outputs} if isinstance(outputs, Tensor) else outputs

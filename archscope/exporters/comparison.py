"""Check that an exported network computes the same as the original."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from archscope.build import Network
from archscope.errors import GraphError
from archscope.exporters.torch_errors import explained

if TYPE_CHECKING:
    from archscope.exporters.formats import Outputs

TOLERANCE = 1e-5
"""Accepted difference of outputs as a fraction of the largest output; rounding order varies."""

IN_BYTES = 16 / 256
"""Accepted difference of networks that round to levels: runtimes may compute in int8 in between."""

FLIPS = 4
"""Accepted difference as a multiple of what rounding errors before the levels were seen to cost."""

NUDGES = (1.0, -1.0, None, None)
"""The directions of these errors: up, down, and either at random."""


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
    names or shapes, or differ by more than `TOLERANCE`. Where it rounds to levels, a rounding error
    can select a neighbouring level: they may then differ by `IN_BYTES`, or by what that costs.
    """
    largest = 0.0
    rounds = any(node.op.result_levels for node in network.graph.nodes)
    usual = IN_BYTES if rounds else TOLERANCE
    for batch in batches:
        inputs = random_inputs(network, batch)
        with torch.no_grad():
            # A network may modify its inputs in place, so each gets its own tensors.
            with explained(f"'{network.graph.name}' cannot compute random inputs"):
                expected = _by_name(network(*(tensor.clone() for tensor in inputs)))
            with explained(f"the {called} cannot run at batch {batch}", last=True):
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
            tolerance = usual
            if rounds and not difference <= tolerance:
                flips = (_by_name(other)[name] for other in _nudged(network, inputs))
                cost = max((value - other).abs().max().item() / scale for other in flips)
                tolerance = max(tolerance, FLIPS * cost)
            if not difference <= tolerance:  # also refuses NaN
                why = ", which values between two levels explain" if rounds else ""
                raise GraphError(
                    f"the {called} computes different outputs: they differ by"
                    f" {difference:.1e} of the largest output, more than {tolerance:.0e}{why};"
                    " nothing was written"
                )
            largest = max(largest, difference)
    return largest


def _nudged(network: Network, inputs: tuple[Tensor, ...]) -> Iterator[Outputs]:
    """Yield outputs for which all values were moved by `TOLERANCE` before they are rounded.

    It is a fraction of the largest of them. Those close to the middle of two levels then round to
    the other.
    """
    generator = torch.Generator().manual_seed(0)
    rounding = {network.part(node.name) for node in network.graph.nodes if node.op.result_levels}
    for direction in NUDGES:

        def moved(
            module: nn.Module, args: tuple[Tensor], by: float | None = direction
        ) -> tuple[Tensor]:
            (x,) = args
            signs = torch.randint(0, 2, x.shape, generator=generator) * 2 - 1
            return (x + TOLERANCE * x.abs().max() * (signs if by is None else by),)

        hooks = [module.register_forward_pre_hook(moved) for module in rounding]
        try:
            with torch.no_grad():
                yield network(*(tensor.clone() for tensor in inputs))
        finally:
            for hook in hooks:
                hook.remove()


def _by_name(outputs: Outputs) -> Mapping[str, Tensor]:
    return {"": outputs} if isinstance(outputs, Tensor) else outputs

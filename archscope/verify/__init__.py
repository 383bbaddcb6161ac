"""Verify the static numbers against torch, fvcore, derivatives and publications."""

from __future__ import annotations

from collections.abc import Callable

import torch
from msgspec import Struct

from archscope.errors import GraphError
from archscope.ir import Graph
from archscope.verify import oracles, receptive_field
from archscope.verify.check import Check, Checker, Difference

__all__ = ["CHECKS", "Check", "Difference", "Verification", "verify"]

CHECKS: dict[str, Checker] = {
    "shapes": oracles.check_shapes,
    "params": oracles.check_params,
    "macs-fvcore": oracles.check_macs_fvcore,
    "macs-torch": oracles.check_macs_torch,
    "receptive-field": receptive_field.check,
    "saved": oracles.check_saved,
    "reference": oracles.check_reference,
}
"""Every check by name, in execution order."""


class Verification(Struct, frozen=True):
    """The results of all checks of a network."""

    name: str
    checks: tuple[Check, ...]

    @property
    def agrees(self) -> bool:
        """Whether all checks passed."""
        return not any(check.differences for check in self.checks)


def verify(
    graph: Graph,
    *,
    only: tuple[str, ...] = (),
    progress: Callable[[str], None] = lambda name: None,
) -> Verification:
    """Compare every static number of a graph with an independent oracle.

    `only` names the checks to run; if empty, all run. `progress` is called with the name of each
    check before it runs. Takes seconds, with torch on the CPU. The `saved` check includes the parts
    that serve only training; the others are for inference. Raises GraphError if torch refuses to
    run the network.
    """
    lean = graph.inference()
    results = []
    with torch.random.fork_rng(devices=()):  # keep the caller's random state
        torch.manual_seed(0)
        for name, check in CHECKS.items():
            if not only or name in only:
                progress(name)
                try:
                    results.append(check(graph if name == "saved" else lean))
                except (IndexError, RuntimeError) as error:  # of torch: ArchscopeError is neither
                    reason = str(error).partition("\n")[0]
                    raise GraphError(f"'{graph.name}' does not run in torch: {reason}") from error
    return Verification(graph.name, tuple(results))

"""Checks of the static numbers against torch, fvcore, derivatives and publications."""

from __future__ import annotations

from collections.abc import Callable

import torch
from msgspec import Struct

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
"""Every check by name, in the order in which they run."""


class Verification(Struct, frozen=True):
    """The outcome of all checks of one network."""

    name: str
    checks: tuple[Check, ...]

    @property
    def agrees(self) -> bool:
        """Whether no check found a difference."""
        return not any(check.differences for check in self.checks)


def verify(
    graph: Graph,
    *,
    only: tuple[str, ...] = (),
    progress: Callable[[str], None] = lambda name: None,
) -> Verification:
    """Compare every static number of a graph with an independent oracle.

    `only` names the checks to run; all if it is empty. `progress` is called with the name of each
    check before it runs. Runs torch on the CPU, for seconds. The `saved` check includes the parts
    that serve only training, the others are about inference.
    """
    lean = graph.inference()
    results = []
    with torch.random.fork_rng(devices=()):  # the caller's random numbers stay as they are
        torch.manual_seed(0)
        for name, check in CHECKS.items():
            if not only or name in only:
                progress(name)
                results.append(check(graph if name == "saved" else lean))
    return Verification(graph.name, tuple(results))

"""Pruning by asynchronous successive halving (ASHA, Li et al. 2018, arXiv:1810.05934)."""

from __future__ import annotations

from collections.abc import Sequence

from archscope.records.study import TrialResult
from archscope.stats import beyond_chance

Rungs = tuple[tuple[int, float], ...]
"""Epochs, in ascending order, and the highest validation loss to continue after each."""


def rungs_of(results: Sequence[TrialResult], eta: int) -> Rungs:
    """Return the rungs for a new training: the losses of the best 1/eta of the given trainings.

    There is a rung after 1, eta, eta^2 ... epochs, except where no network has a score better than
    chance yet. Below an `eta` of 2 there are none.
    """
    rungs = []
    epoch = 1
    while eta > 1 and any(len(result.losses) > epoch for result in results):
        reached = [result for result in results if len(result.losses) >= epoch]
        best = max(reached, key=lambda result: result.curve[epoch - 1])
        if len(reached) >= eta and beyond_chance(
            best.curve[epoch - 1], best.validated, best.chance, among=len(reached)
        ):
            losses = sorted(result.losses[epoch - 1] for result in reached)
            rungs.append((epoch, losses[len(losses) // eta - 1]))
        epoch *= eta
    return tuple(rungs)


def pruned(rungs: Rungs, epoch: int, loss: float) -> str:
    """Return why a training stops after an epoch, or "" if it continues."""
    most = dict(rungs).get(epoch)
    if most is None or loss <= most:
        return ""
    return f"validation loss {loss:.4f} after epoch {epoch}, above {most:.4f}"

"""Pruning by asynchronous successive halving (ASHA, Li et al. 2018, arXiv:1810.05934)."""

from __future__ import annotations

from collections.abc import Sequence

Rungs = tuple[tuple[int, float], ...]
"""Epochs, in ascending order, and the score that a training must have reached after each."""


def rungs_of(curves: Sequence[Sequence[float]], eta: int) -> Rungs:
    """Return the rungs for a new training: the scores of the best 1/eta of the given curves.

    A rung stands after 1, eta, eta^2 ... epochs. There are none below an `eta` of 2.
    """
    rungs = []
    epoch = 1
    while eta > 1 and any(len(curve) > epoch for curve in curves):
        reached = sorted((c[epoch - 1] for c in curves if len(c) >= epoch), reverse=True)
        if len(reached) >= eta:
            rungs.append((epoch, reached[len(reached) // eta - 1]))
        epoch *= eta
    return tuple(rungs)


def pruned(rungs: Rungs, epoch: int, score: float) -> str:
    """Return why a training ends after an epoch, an empty text if it goes on."""
    least = dict(rungs).get(epoch)
    if least is None or score >= least:
        return ""
    return f"{score:.4f} after epoch {epoch}, below {least:.4f}"

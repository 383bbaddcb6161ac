"""A predicted accuracy, as part of an analysis."""

from __future__ import annotations

from msgspec import Struct


class Prediction(Struct, frozen=True):
    """A predicted top-1 accuracy in percent, with a 90 % interval."""

    mean: float
    low: float
    high: float
    unlike: tuple[str, ...] = ()
    """In what the network differs from all networks that the prior was fitted to."""
    recipe: str = ""
    """The training recipe of the prediction."""
    networks: int = 0
    """The number of published results that the prior was fitted to."""

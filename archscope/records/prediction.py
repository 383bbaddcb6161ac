"""A predicted accuracy, as priors give it and analyses keep it."""

from __future__ import annotations

from msgspec import Struct


class Prediction(Struct, frozen=True):
    """A predicted top-1 accuracy in percent, and the interval that it lies in nine times of ten."""

    mean: float
    low: float
    high: float
    unlike: tuple[str, ...] = ()
    """In what the network is unlike all that the prior was fitted to, one sentence part each."""
    recipe: str = ""
    """The training recipe that the accuracy is predicted for."""
    networks: int = 0
    """How many published results the prior was fitted to."""

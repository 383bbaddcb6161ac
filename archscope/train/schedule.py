"""Learning rate schedules as pure functions of the progress."""

from __future__ import annotations

from math import cos, pi

from archscope.train.recipe import Recipe

START = 1 / 25
"""The initial rate of a warm-up, as a fraction of the highest; torch's for one-cycle."""

END = 1e-4
"""The final rate of one-cycle, as a fraction of the initial rate; also torch's."""


def rate(recipe: Recipe, progress: float) -> float:
    """Return the learning rate after a fraction of the training, from 0 to 1.

    A warm-up rises linearly; one-cycle rises and falls along cosines (Smith 2018), with constant
    momentum.
    """
    highest = recipe.learning_rate
    if progress < recipe.warmup:
        risen = progress / recipe.warmup
        if recipe.schedule == "one-cycle":
            return _between(highest * START, highest, risen)
        return highest * (START + (1 - START) * risen)
    rest = (progress - recipe.warmup) / (1 - recipe.warmup)
    match recipe.schedule:
        case "constant":
            return highest
        case "step":
            return highest * recipe.gamma ** sum(
                rest >= milestone for milestone in recipe.milestones
            )
        case "cosine":
            return _between(highest, 0.0, rest)
        case "one-cycle":
            return _between(highest, highest * START * END, rest)


def _between(start: float, end: float, share: float) -> float:
    """Interpolate from start to end along half a period of the cosine."""
    return end + (start - end) * (1 + cos(pi * min(share, 1.0))) / 2

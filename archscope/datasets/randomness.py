"""Random generators that depend on a seed and a purpose alone."""

from __future__ import annotations

import numpy as np

from archscope.errors import OptionError


def generator(seed: int, *path: int) -> np.random.Generator:
    """Return the generator of a seed for one purpose, epoch, step and rank.

    Different paths give independent streams (numpy's SeedSequence). Raises OptionError for a
    negative seed.
    """
    if seed < 0:
        raise OptionError(f"a seed is 0 or greater, got {seed}")
    return np.random.default_rng([seed, *path])

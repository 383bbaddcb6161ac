"""Random numbers that depend on nothing but the numbers they are asked with."""

from __future__ import annotations

import numpy as np

from archscope.errors import OptionError


def generator(seed: int, *path: int) -> np.random.Generator:
    """Return the generator of a seed for one purpose: epoch, step, rank and the like.

    Different paths give independent streams (numpy's SeedSequence). Raises OptionError for a
    negative seed.
    """
    if seed < 0:
        raise OptionError(f"a seed is 0 or greater, got {seed}")
    return np.random.default_rng([seed, *path])

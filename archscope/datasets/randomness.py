"""Random generators that depend only on a seed and a purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archscope.errors import OptionError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def generator(seed: int, *path: int) -> np.random.Generator:
    """Return the generator for a seed, a purpose, an epoch, a step and a rank.

    Different paths give independent streams (numpy's SeedSequence). Raises OptionError for a
    negative seed.
    """
    import numpy as np

    if seed < 0:
        raise OptionError(f"a seed must be 0 or greater, got {seed}")
    return np.random.default_rng([seed, *path])


def shuffled_by_class(
    labels: NDArray[Any], random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of labels (N,) by class, in random order within, and places within."""
    import numpy as np

    order = random.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    counts = np.bincount(labels)
    return order, np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)

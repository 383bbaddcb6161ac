"""What the numbers of weights are like: their range, spread, zeros and levels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

MOST_LEVELS = 256
"""The most distinct values that are counted: those of 8 bits."""
BINS = 16
"""The bins of a histogram, equally wide from the least finite value to the largest."""


class WeightStatistics(Struct, frozen=True):
    """Statistics of a tensor; those of finite values are None if there are none."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    values: int
    mean: float | None
    std: float | None  # of all values, divided by their number
    least: float | None
    largest: float | None
    zeros: int
    zero_rows: int | None  # slices of the first axis with zeros only; None for vectors and numbers
    levels: int | None  # distinct values, None if they are more than `MOST_LEVELS`
    not_finite: int
    histogram: tuple[int, ...]  # finite values in each of `BINS`


def weight_statistics(weights: Mapping[str, Tensor]) -> tuple[WeightStatistics, ...]:
    """Return the statistics of each tensor with real numbers, computed in float64."""
    real = {name: tensor for name, tensor in weights.items() if not tensor.is_complex()}
    return tuple(_statistics(name, tensor) for name, tensor in real.items())


def _statistics(name: str, tensor: Tensor) -> WeightStatistics:
    import numpy as np

    values: NDArray[np.float64] = tensor.detach().cpu().double().numpy()
    finite = values[np.isfinite(values)]
    some = finite.size > 0
    rows = values.reshape(len(values), -1) if values.ndim > 1 and values.size else None
    return WeightStatistics(
        name=name,
        shape=tuple(tensor.shape),
        dtype=str(tensor.dtype).removeprefix("torch."),
        values=values.size,
        mean=float(finite.mean()) if some else None,
        std=float(finite.std()) if some else None,
        least=float(finite.min()) if some else None,
        largest=float(finite.max()) if some else None,
        zeros=values.size - int(np.count_nonzero(values)),
        zero_rows=None if rows is None else int(np.count_nonzero(~rows.any(axis=1))),
        levels=distinct(finite) if some else None,
        not_finite=values.size - finite.size,
        histogram=tuple(np.histogram(finite, BINS)[0].tolist()) if some else (),
    )


def distinct(values: NDArray[np.float64] | NDArray[np.complex128]) -> int | None:
    """Return the number of distinct values, None if they are more than `MOST_LEVELS`."""
    import numpy as np

    first = np.unique(values[: 16 * MOST_LEVELS])  # of most tensors these are too many already
    if first.size > MOST_LEVELS:
        return None
    count = np.unique(values).size
    return count if count <= MOST_LEVELS else None

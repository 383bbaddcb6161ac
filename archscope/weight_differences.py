"""How the numbers of two sets of weights differ, tensor by tensor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from archscope.weight_statistics import distinct

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    Values = NDArray[np.float64] | NDArray[np.complex128]


class WeightDifference(Struct, frozen=True):
    """How a tensor differs from the one of the same name; None where that is not defined."""

    name: str
    shape: tuple[int, ...]
    values: int
    changed: int  # values that are not equal
    largest: float | None  # absolute difference; None if a value is not finite
    relative: float | None  # norm of the difference over that of the first tensor
    cosine: float | None  # of the angle between both; None if one is zero
    levels: tuple[int | None, int | None]  # distinct values of both, None if they are many


class WeightDifferences(Struct, frozen=True):
    """How two sets of weights differ."""

    tensors: tuple[WeightDifference, ...]  # of both, with equal shapes
    reshaped: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]  # names with other shapes
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether both sets have the same names, shapes and numbers."""
        apart = self.reshaped or self.only_first or self.only_second
        return not apart and not any(each.changed for each in self.tensors)


def weight_differences(
    first: Mapping[str, Tensor], second: Mapping[str, Tensor]
) -> WeightDifferences:
    """Return how the second set differs from the first, computed in float64 or complex128."""
    both = [name for name in first if name in second]
    shapes = {name: (tuple(first[name].shape), tuple(second[name].shape)) for name in both}
    return WeightDifferences(
        tuple(
            _difference(name, first[name], second[name])
            for name in both
            if shapes[name][0] == shapes[name][1]
        ),
        {name: pair for name, pair in shapes.items() if pair[0] != pair[1]},
        tuple(name for name in first if name not in second),
        tuple(name for name in second if name not in first),
    )


def _difference(name: str, first: Tensor, second: Tensor) -> WeightDifference:
    import numpy as np

    old, new = _numbers(first), _numbers(second)
    same = (old == new) | (np.isnan(old) & np.isnan(new))
    finite = bool(np.isfinite(old).all() and np.isfinite(new).all())
    norms = [float(np.linalg.norm(each)) for each in (old, new)]
    apart = new - old if finite else None
    return WeightDifference(
        name=name,
        shape=tuple(first.shape),
        values=old.size,
        changed=old.size - int(np.count_nonzero(same)),
        largest=None if apart is None else float(np.abs(apart).max(initial=0.0)),
        relative=None if apart is None or not norms[0] else float(np.linalg.norm(apart)) / norms[0],
        cosine=_cosine(old, new, norms) if finite and all(norms) else None,
        levels=(distinct(old[np.isfinite(old)]), distinct(new[np.isfinite(new)])),
    )


def _numbers(tensor: Tensor) -> Values:
    """Return the values of a tensor in one row."""
    import torch

    exact = torch.complex128 if tensor.is_complex() else torch.float64
    found: Values = tensor.detach().cpu().to(exact).numpy().reshape(-1)
    return found


def _cosine(old: Values, new: Values, norms: list[float]) -> float:
    """Return the cosine of the angle between two tensors, as if each were one vector."""
    import numpy as np

    return float(np.vdot(old / norms[0], new / norms[1]).real)

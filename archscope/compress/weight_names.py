"""Which tensors of a state dict are kernels and matrices, by their names."""

from __future__ import annotations

LENGTH = "weight_g"
"""The lengths of the filters of a layer with weight norm; `weight_v` are their directions."""


def is_weight(name: str, axes: int) -> bool:
    """Return whether a tensor of a layer is a kernel or matrix, not a bias, norm or factor."""
    kind = name.rpartition(".")[2]
    return axes > 1 and "weight" in kind and kind != LENGTH

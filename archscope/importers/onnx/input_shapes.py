"""The shapes of a model's inputs: what the file says, completed by what the user says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archscope.errors import DataError, OptionError
from archscope.ir import Shape, text_of

Sizes = Shape | Mapping[str, Shape] | None
"""What a user may say of the inputs: the size of the one input, or of each by name; no batch."""


def input_shapes(inputs: Sequence[Any], sizes: Sizes, file: str) -> dict[str, tuple[int, ...]]:
    """Return the shape of each input with the batch, which is 1 where the file leaves it open.

    Raises DataError for inputs that a network cannot have, OptionError for sizes that do not fit.
    """
    if not inputs:
        raise DataError(f"{file}: the model has no input")
    given = _by_name([info.name for info in inputs], sizes, file)
    shapes = {info.name: _shape(info, given.get(info.name), file) for info in inputs}
    if len({shape[0] for shape in shapes.values()}) > 1:
        raise DataError(f"{file}: its inputs have different batch sizes")
    return shapes


def _by_name(names: list[str], sizes: Sizes, file: str) -> Mapping[str, Shape]:
    if sizes is None:
        return {}
    known = ", ".join(names)
    if not isinstance(sizes, Mapping):
        if len(names) > 1:
            raise OptionError(f"{file} has the inputs {known}; say the size of each by name")
        return {names[0]: tuple(sizes)}
    for name in sizes:
        if name not in names:
            raise OptionError(f"{file} has no input '{name}', it has {known}")
    return sizes


def _shape(info: Any, size: Shape | None, file: str) -> tuple[int, ...]:
    """Return the shape of one input, with the batch."""
    if not info.type.HasField("tensor_type"):
        raise DataError(f"{file}: input '{info.name}' is not a tensor")
    dims: list[int | None] = [None] * (1 + len(size or ()))
    text = "?"
    if info.type.tensor_type.HasField("shape"):
        axes = info.type.tensor_type.shape.dim
        dims = [axis.dim_value if axis.HasField("dim_value") else None for axis in axes]
        text = "x".join(
            (axis.dim_param or "?") if dim is None else str(dim)
            for dim, axis in zip(dims, axes, strict=True)
        )
    if len(dims) < 2:
        raise DataError(f"{file}: input '{info.name}' needs a batch and a size, got {text!r}")
    batch, *fixed = dims
    if size is None:
        if not all(fixed):
            raise OptionError(
                f"{file}: input '{info.name}' is {text}, which leaves sizes open;"
                f" say them with --input {'x'.join(str(dim or 'N') for dim in fixed)}"
            )
        return (batch or 1, *(dim for dim in fixed if dim))
    if len(size) != len(fixed) or any(
        dim not in (None, n) for dim, n in zip(fixed, size, strict=True)
    ):
        raise OptionError(
            f"{file}: input '{info.name}' is {text} with the batch in front,"
            f" {text_of(size)} does not fit it"
        )
    return (batch or 1, *size)

"""The shapes of a model's inputs: those of the file, completed by the user's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archscope.errors import DataError, OptionError
from archscope.importers.formats import Inputs
from archscope.ir import Shape, text_of

IMAGE_RANK = 4
"""Inputs with at least this many axes are images, whose first axis is the batch."""


def input_shapes(inputs: Sequence[Any], sizes: Inputs) -> dict[str, tuple[int, ...]]:
    """Return the shape of each input with the batch, which is 1 if the file leaves it open.

    Raises DataError for inputs that a network cannot have, OptionError for sizes that do not fit.
    """
    names = [info.name for info in inputs]
    known = ", ".join(names)
    if not inputs:
        raise DataError("the model has no input")
    if not isinstance(sizes, Mapping):
        if sizes is not None and len(names) > 1:
            raise OptionError(f"has the inputs {known}; give the shape of each by name")
        sizes = {} if sizes is None else {names[0]: sizes}
    for name in sizes:
        if name not in names:
            raise OptionError(f"has no input '{name}', it has {known}")
    shapes = {info.name: _shape(info, sizes.get(info.name)) for info in inputs}
    # The first axis of states and numbers need not be the batch.
    if len({shape[0] for shape in shapes.values() if len(shape) >= IMAGE_RANK}) > 1:
        raise DataError("its inputs have different batch sizes")
    return shapes


def batch_of(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Return the batch size of inputs: that of images if any, else of the first with a size."""
    sized = [shape for shape in shapes.values() if len(shape) > 1]
    images = [shape for shape in sized if len(shape) >= IMAGE_RANK]
    return (*images, *sized, (1,))[0][0]


def fixed_axes(tensor: Any) -> list[int | None]:
    """Return the size of each axis of a tensor type, None if the file leaves it open."""
    return [axis.dim_value if axis.HasField("dim_value") else None for axis in tensor.shape.dim]


def _shape(info: Any, size: Shape | None) -> tuple[int, ...]:
    """Return the shape of one input, with the batch."""
    if not info.type.HasField("tensor_type"):
        raise DataError(f"input '{info.name}' is not a tensor")
    tensor = info.type.tensor_type
    dims: list[int | None] = [None] * (1 + len(size or ()))
    text = "?"
    if tensor.HasField("shape"):
        dims = [None if dim is not None and dim < 0 else dim for dim in fixed_axes(tensor)]
        text = "x".join(
            (axis.dim_param or "?") if dim is None else str(dim)
            for dim, axis in zip(dims, tensor.shape.dim, strict=True)
        )
        if len(dims) < 2:  # a scalar, or one per image
            if size not in (None, (), tuple(dims)):
                raise OptionError(
                    f"input '{info.name}' is a number, {text_of(size or ())} does not fit it"
                )
            return tuple(dim or 1 for dim in dims)
    if len(dims) < 2:
        raise DataError(f"input '{info.name}' needs a batch and a size, got {text!r}")
    batch, *fixed = dims
    if size is None:
        if not all(fixed):
            raise OptionError(
                f"input '{info.name}' is {text}, which leaves sizes open;"
                f" give them with --input {'x'.join(str(dim or 'N') for dim in fixed)}"
            )
        return (batch or 1, *(dim for dim in fixed if dim))
    if len(size) != len(fixed) or any(
        dim not in (None, n) for dim, n in zip(fixed, size, strict=True)
    ):
        raise OptionError(
            f"input '{info.name}' is {text} with the batch in front,"
            f" {text_of(size)} does not fit it"
        )
    return (batch or 1, *size)

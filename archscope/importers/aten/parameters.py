"""Constants as layers of their own, for operators that read values only."""

from __future__ import annotations

from msgspec import structs

from archscope.importers.aten.canonical import JOINING, POINTWISE, PRODUCTS, WRITING
from archscope.importers.aten.names import name_of
from archscope.ops.foreign import Foreign, Recognised, Tensor
from archscope.ops.parameter import Parameter

READING = POINTWISE | PRODUCTS | JOINING | WRITING | {"gather", "grid_sampler"}
"""Operators whose constants may be layers."""


def parameters_of(form: Foreign, images: int) -> dict[str, tuple[Recognised, Tensor]]:
    """Return a layer and its result for each constant that an operator reads, by its name.

    Empty if there are no constants, or if they differ between images.
    """
    held = [tensor for tensor in form.tensors if tensor.constant]
    if name_of(form.target) not in READING:
        return {}
    rank = max(2, *(len(tensor.shape) for tensor in form.tensors))
    found: dict[str, tuple[Recognised, Tensor]] = {}
    for tensor in held:
        first, *size = (1,) * (rank - len(tensor.shape)) + tensor.shape
        if first == images and isinstance(tensor.value, int | float):
            first, tensor = 1, structs.replace(tensor, shape=(1, *size))  # one number fills it
        if first != 1:
            return {}
        op = Parameter(size=tuple(size), fixed=not tensor.learned)
        layer = Recognised(op, form.ins[:1], {"weight": tensor})
        found[tensor.name] = layer, Tensor(tensor.name, (images, *size))
    return found

"""Recognise our operators in those of torch."""

from __future__ import annotations

from archscope.errors import ShapeError
from archscope.importers.aten.batch import Batch
from archscope.ops.foreign import Foreign, Recognised, recogniser


def recognised(foreign: Foreign | None, batch: Batch) -> Recognised | None:
    """Return our form of an operator, None if there is none or if its shape is another.

    All of its tensors must have the batch first.
    """
    recognise = recogniser(foreign.target) if foreign is not None else None
    if foreign is None or recognise is None:
        return None
    if not all(map(batch.leads, (foreign.out, *(tensor.shape for tensor in foreign.ins)))):
        return None
    found = recognise(foreign)
    if found is None:
        return None
    try:
        out = found.op.shape(*(tensor.shape[1:] for tensor in found.inputs))
        for op in found.then:
            out = op.shape(out)
    except (ShapeError, IndexError):  # a scalar per image has no axes
        return None
    return found if out == foreign.out[1:] else None

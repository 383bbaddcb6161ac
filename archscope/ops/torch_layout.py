"""Recognise torch's permutations of axes."""

from __future__ import annotations

from archscope.ops.foreign import Foreign, Recognised, recognises
from archscope.ops.layout import Permute
from archscope.ops.reshape import Identity


@recognises("aten.permute.default", "aten.transpose.int", "aten.t.default", "aten.movedim.int",
            "aten.movedim.intlist", "aten.swapaxes.default", "aten.swapdims.default",
            "aten.mT.default", "aten.numpy_T.default", "aten.adjoint.default")  # fmt: skip
def permute_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a permutation of axes that keeps the batch first."""
    (x,) = foreign.ins
    order = order_of_torch(foreign, len(x.shape))
    if order is None or order[0] != 0 or len(order) < 2:
        return None
    axes = tuple(axis - 1 for axis in order[1:])
    same = axes == tuple(range(len(axes)))
    return Recognised(Identity() if same else Permute(order=axes), (x,))


def order_of_torch(foreign: Foreign, rank: int) -> list[int] | None:
    """Return the axis of the input for each axis of the result, including the batch."""
    name, args = foreign.target.split(".")[1], foreign.args
    if name == "permute":
        return [axis % rank for axis in args["dims"]]
    order = [*range(rank)]
    if name == "numpy_T":
        return order[::-1]
    if name == "movedim":
        sources, places = args["source"], args["destination"]
        if isinstance(sources, int):
            sources, places = (sources,), (places,)
        moved = {place % rank: source % rank for source, place in zip(sources, places, strict=True)}
        rest = iter([axis for axis in order if axis not in moved.values()])
        return [moved[place] if place in moved else next(rest) for place in order]
    words = {
        "transpose": ("dim0", "dim1"),
        "swapaxes": ("axis0", "axis1"),
        "swapdims": ("dim0", "dim1"),
    }
    first, second = (args[word] for word in words[name]) if name in words else (-2, -1)
    order[first % rank], order[second % rank] = order[second % rank], order[first % rank]
    return order

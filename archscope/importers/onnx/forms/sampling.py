"""Samples of a map at places, which may be those of a linear map."""

from __future__ import annotations

from typing import Any

from archscope.importers.onnx.forms.applied import Applied, Chain, Steps, form, single


@form("GridSample")
def _grid_sample(applied: Applied) -> Steps:
    modes = {"linear": 0, "bilinear": 0, "nearest": 1, "cubic": 2, "bicubic": 2}
    paddings = ("zeros", "border", "reflection")
    return single(applied, "grid_sampler.default", input=applied.x, grid=applied.input(1),
                interpolation_mode=modes[applied.attribute("mode", "linear")],
                padding_mode=paddings.index(applied.attribute("padding_mode", "zeros")),
                align_corners=bool(applied.attribute("align_corners", 0)))  # fmt: skip


@form("AffineGrid")
def _affine_grid(applied: Applied) -> Steps:
    """The places to which a matrix for each image maps those of a regular grid."""
    chain, theta = Chain(), applied.x
    images, rank, _ = theta.shape
    sizes, corners = applied.out[1:-1], bool(applied.attribute("align_corners", 0))
    columns = []
    for axis in range(rank + 1):  # x, y, and z if it is there, and the shift
        words = {"dim": 2, "start": axis, "end": axis + 1, "step": 1}
        column = chain.add("slice.Tensor", (images, rank, 1), self=theta, **words)
        columns.append(chain.add("reshape.default", (images, rank, *(1,) * rank), self=column))
    total = columns.pop()
    for axis, column in enumerate(columns):
        place = rank - 1 - axis  # the last axis of the grid is x
        shape = tuple(size if at == place else 1 for at, size in enumerate(sizes))
        held = applied.made(f"|axis {axis}", _coordinates(sizes[place], corners).reshape(shape))
        along = (images, rank, *shape)
        moved = chain.add("mul.Tensor", along, self=column, other=held)
        wide = tuple(max(pair) for pair in zip(total.shape, along, strict=True))
        total = chain.add("add.Tensor", wide, self=total, other=moved)
    order = (0, *range(2, rank + 2), 1)
    chain.add("permute.default", applied.out, self=total, dims=order)
    return chain.steps


def _coordinates(count: int, corners: bool) -> Any:
    """Return regular coordinates from -1 to 1: of the outermost places or of their borders."""
    import numpy

    if corners:
        return numpy.linspace(-1, 1, count, dtype=numpy.float32)
    return ((2 * numpy.arange(count) + 1) / count - 1).astype(numpy.float32)

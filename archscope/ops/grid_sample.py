"""Sample a map at computed places: spatial transformers, warping by optical flow."""

from __future__ import annotations

from math import prod
from typing import Annotated

from archscope.errors import ShapeError
from archscope.ir import Call, Example, Saved, Shape, call, text_of
from archscope.onnx_form import Input, Value, X, node
from archscope.ops.attributes import Flag, choice
from archscope.ops.facts import Weightless, whole
from archscope.ops.foreign import Foreign, Recognised, recognises
from archscope.ops.registry import op

MODES = {"linear": "bilinear", "nearest": "nearest", "cubic": "bicubic"}
"""Interpolation modes with torch's names, in the order by which torch numbers them."""
PADDINGS = ("zeros", "border", "reflection")


@op("grid_sample")
class GridSample(Weightless, frozen=True, kw_only=True):
    """Sample the first input at the places in the second, a grid of coordinates from -1 to 1.

    A map of CxHxW and a grid of height x width x 2 yield C x height x width, Jaderberg et al. 2015.
    """

    principal = "mode"
    arity = (2, 2)

    mode: Annotated[str, choice(*MODES), "interpolation"] = "linear"
    padding: Annotated[
        str, choice(*PADDINGS), "what is beyond the map: zeros, its border, its reflection"
    ] = "zeros"
    align_corners: Annotated[
        Flag, "-1 and 1 are the centres of the outermost positions, not the borders of the map"
    ] = False

    keeps_zero = may_see_less = True
    window = whole

    def is_zero(self, *zero: bool) -> bool:
        return zero[0]

    def shape(self, *ins: Shape) -> Shape:
        x, grid = ins
        rank = len(x) - 1
        if rank not in (2, 3) or len(grid) != rank + 1 or grid[-1] != rank:
            raise ShapeError(
                "'grid_sample' needs a map and a grid with as many coordinates at each place as"
                f" the map has spatial axes, 2 or 3, got {text_of(x)} and {text_of(grid)}"
            )
        if rank == 3 and self.mode == "cubic":
            raise ShapeError(
                f"'grid_sample' of mode 'cubic' needs 2 spatial axes, got {text_of(x)}"
            )
        return x[0], *grid[:-1]

    def elementwise(self, *ins: Shape) -> int:
        """Count the computation of the weights at each place, and the weighted sum.

        A coordinate is scaled, shifted and rounded. Linear weights are products of its distances
        to the surrounding positions; cubic ones are polynomials of these, on each axis.
        """
        rank, places = len(ins[0]) - 1, prod(ins[1][:-1])
        each, mix = {
            "nearest": (3 * rank, 0),
            "linear": (5 * rank + (rank - 1) * (1 << rank), (2 << rank) - 1),
            "cubic": (29 * rank, 7 * (4 + 1)),
        }[self.mode]
        return each * places + mix * prod(self.shape(*ins))

    def saved(self, *ins: Shape) -> Saved:
        return Saved(input=True)

    def torch(self, *ins: Shape) -> Call:
        words = (MODES[self.mode], self.padding, self.align_corners)
        return call("archscope.nn.GridSample", *words)

    def onnx(self, *ins: Shape) -> Value:
        words = {"padding_mode": self.padding, "align_corners": int(self.align_corners)}
        return node("GridSample", X, Input(1), mode=self.mode, **words)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        map_and_grid = ((3, 6, 7), (4, 5, 2))
        return (
            Example(cls(), map_and_grid),
            Example(cls(padding="border", align_corners=True), map_and_grid),
            Example(cls(mode="nearest", padding="reflection"), map_and_grid),
            Example(cls(mode="cubic"), map_and_grid),
        )


@recognises("aten.grid_sampler.default", "aten.grid_sampler_2d.default",
            "aten.grid_sampler_3d.default")  # fmt: skip
def grid_sample_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise sampling at computed places, or at the same places for each image."""
    if len(foreign.ins) != 2:
        return None
    found = GridSample(
        mode=[*MODES][foreign.args["interpolation_mode"]],
        padding=PADDINGS[foreign.args["padding_mode"]],
        align_corners=bool(foreign.args["align_corners"]),
    )
    return Recognised(found, (foreign.args["input"], foreign.args["grid"]))

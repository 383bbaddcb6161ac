"""Attention among positions: every position reads the others, in several heads.

The products with weights around it are convolutions with a kernel of 1, so that they count, train
and shrink like any other; `specs/blocks/transformer.yaml` has the layers that are made of both.
"""

from __future__ import annotations

from math import prod
from typing import Annotated

from archscope.axes import Resample
from archscope.errors import ShapeError
from archscope.ir import Call, Example, Op, Saved, Shape, Windows, call, text_of
from archscope.ops.attributes import Count, Flag, Positive, Size
from archscope.ops.facts import Weightless, free, moved, whole
from archscope.ops.geometry import per_axis
from archscope.ops.registry import op

SCORE = 6
"""Other work on each score: its scale, and 5 operations for the softmax."""


@op("dot_product_attention")
class DotProductAttention(Weightless, frozen=True, kw_only=True):
    """Scaled dot-product attention of all positions to all, Vaswani et al. 2017.

    Its input has queries, keys and values one behind another along the channels, each as heads of
    equal width; with three inputs they are these. Fewer heads of keys and values than of queries
    are grouped queries, Ainslie et al. 2023.
    """

    principal = "heads"
    arity = (1, 3)
    nonlinear = relates = True

    heads: Annotated[Positive, "heads of the queries"]
    key_heads: Annotated[Count, "heads of the keys and of the values; 0 means as many"] = 0
    causal: Annotated[Flag, "a position reads itself and those before it alone"] = False

    keeps_zero = True
    window = whole

    def _widths(self, *ins: Shape) -> tuple[int, int, int, int]:
        """Return the width of the heads of keys and of values, and the positions of both sides.

        Raises ShapeError if the inputs do not suit.
        """
        keys = self.key_heads or self.heads
        if self.heads % keys:
            raise ShapeError(
                f"'dot_product_attention' cannot give {self.heads} heads {keys} heads of keys"
            )
        flat = next((x for x in ins if len(x) < 2), None)
        if flat is not None:
            raise ShapeError(f"'dot_product_attention' needs positions, got {text_of(flat)}")
        if len(ins) == 2:
            raise ShapeError("'dot_product_attention' takes 1 or 3 inputs, got 2")
        if len(ins) == 1:
            width, rest = divmod(ins[0][0], self.heads + 2 * keys)
            if rest or not width:
                raise ShapeError(
                    f"'dot_product_attention' needs channels for {self.heads + 2 * keys} heads of"
                    f" queries, keys and values, got {ins[0][0]}"
                )
            return width, width, prod(ins[0][1:]), prod(ins[0][1:])
        q, k, v = ins
        width = q[0] // self.heads
        fits = width and q[0] == width * self.heads and k[0] == width * keys and not v[0] % keys
        if not fits or k[1:] != v[1:]:
            raise ShapeError(
                f"'dot_product_attention' of {self.heads} heads does not take queries of"
                f" {text_of(q)}, keys of {text_of(k)} and values of {text_of(v)}"
            )
        return width, v[0] // keys, prod(q[1:]), prod(k[1:])

    def shape(self, *ins: Shape) -> Shape:
        _, width, _, _ = self._widths(*ins)
        return self.heads * width, *ins[0][1:]

    def macs(self, *ins: Shape) -> int:
        """Count the scores and the sums of values, also those that a causal mask hides."""
        width, value_width, queries, keys = self._widths(*ins)
        return self.heads * queries * keys * (width + value_width)

    def elementwise(self, *ins: Shape) -> int:
        """Count 6 operations for each score, and 1 more for a mask."""
        _, _, queries, keys = self._widths(*ins)
        return (SCORE + self.causal) * self.heads * queries * keys

    def saved(self, *ins: Shape) -> Saved:
        """State copies of the inputs, those of repeated heads, and a sum for each query."""
        width, value_width, queries, keys = self._widths(*ins)
        elements = sum(map(prod, ins)) + self.heads * queries
        if (self.key_heads or self.heads) < self.heads:
            elements += self.heads * keys * (width + value_width)
            if len(ins) == 3:
                elements -= prod(ins[1]) + prod(ins[2])
        return Saved(output=True, elements=elements)

    def torch(self, *ins: Shape) -> Call:
        words = {"causal": True} if self.causal else {}
        more = (self.key_heads,) if self.key_heads not in (0, self.heads) else ()
        return call("archscope.nn.Attention", self.heads, *more, **words)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(heads=2), ((24, 10),)),
            Example(cls(heads=4, key_heads=2), ((32, 3, 4),)),
            Example(cls(heads=2, causal=True), ((12, 5),)),
            Example(cls(heads=2), ((8, 5), (8, 3, 2), (8, 3, 2))),
        )


@op("window_attention")
class WindowAttention(Op, frozen=True, kw_only=True):
    """Attention within windows that tile the map, Liu et al. 2021 (Swin transformer).

    Its input has queries, keys and values one behind another along the channels. Shifted windows
    lie across the border and are cut there; a window as large as the map is not shifted.
    """

    principal = "heads"
    nonlinear = relates = True
    buffers = free
    access = moved

    heads: Annotated[Positive, "heads of queries, keys and values"]
    size: Annotated[Size, "positions of a window along each axis"]
    shift: Annotated[Count, "positions by which the windows are moved along each axis"] = 0
    relative_bias: Annotated[
        Flag, "learn a number for each head and distance between two positions"
    ] = True

    keeps_zero = True

    def _tiles(self, x: Shape) -> tuple[Shape, Shape]:
        """Return the size and the shift of windows along each axis. Raises ShapeError."""
        if len(x) < 2 or x[0] % (3 * self.heads):
            raise ShapeError(
                f"'window_attention' needs positions, and channels for {self.heads} heads of"
                f" queries, keys and values, got {text_of(x)}"
            )
        window = per_axis(self.size, len(x) - 1, "size of 'window_attention'")
        if any(size % width for size, width in zip(x[1:], window, strict=True)):
            raise ShapeError(
                f"'window_attention' needs sizes divisible by its window {text_of(window)}, got"
                f" {text_of(x)}; put 'pad' before the layer that makes queries, keys and values"
            )
        shift = tuple(
            self.shift % width if width < size else 0
            for size, width in zip(x[1:], window, strict=True)
        )
        return window, shift

    def shape(self, *ins: Shape) -> Shape:
        self._tiles(ins[0])
        return ins[0][0] // 3, *ins[0][1:]

    def params(self, *ins: Shape) -> int:
        window, _ = self._tiles(ins[0])
        return self.heads * prod(2 * width - 1 for width in window) * self.relative_bias

    def biases(self, *ins: Shape) -> int:
        return self.params(*ins)

    def macs(self, *ins: Shape) -> int:
        """Count the scores and the sums of values, also those that the border cuts."""
        window, _ = self._tiles(ins[0])
        return 2 * prod(self.shape(*ins)) * prod(window)

    def _scores(self, *ins: Shape) -> int:
        window, _ = self._tiles(ins[0])
        return self.heads * prod(ins[0][1:]) * prod(window)

    def elementwise(self, *ins: Shape) -> int:
        """Count 6 operations for each score, 1 more for the bias and 1 for a mask."""
        _, shift = self._tiles(ins[0])
        return (SCORE + self.relative_bias + any(shift)) * self._scores(*ins)

    def window(self, *ins: Shape) -> Windows:
        window, shift = self._tiles(ins[0])
        return tuple(
            Resample(
                width,
                tuple(
                    range(step - width, step) if place < step else range(step, step + width)
                    for place in range(width)
                ),
            )
            for width, step in zip(window, shift, strict=True)
        )

    def saved(self, *ins: Shape) -> Saved:
        """State queries, keys, values and what the softmax gives."""
        return Saved(elements=prod(ins[0]) + self._scores(*ins))

    def torch(self, *ins: Shape) -> Call:
        window, shift = self._tiles(ins[0])
        words = {} if self.relative_bias else {"relative_bias": False}
        sizes = ins[0][1:]
        return call("archscope.nn.WindowAttention", self.heads, window, shift, sizes, **words)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(heads=2, size=3), ((12, 6, 9),)),
            Example(cls(heads=2, size=4, shift=1), ((12, 8, 8),)),
            Example(cls(heads=1, size=(2, 3), relative_bias=False), ((6, 4, 6),)),
            Example(cls(heads=2, size=4, shift=2), ((12, 12),)),
        )

"""Multi-head attention among positions.

The products with weights around it are convolutions with a kernel of 1, so they are counted,
trained and pruned like any other; `specs/blocks/transformer.yaml` has the layers made of both.
"""

from __future__ import annotations

from itertools import pairwise, product
from math import prod
from typing import Annotated, Any

from archscope.axes import Resample
from archscope.errors import ShapeError
from archscope.ir import INNER, WHOLE, Call, Example, Op, Saved, Shape, Windows, call, text_of
from archscope.onnx_form import Constant, Input, Value, X, floats, ints, node, scalar, weight
from archscope.ops.attributes import Count, Flag, Number, Positive, Size
from archscope.ops.facts import Weightless, free, moved, whole
from archscope.ops.foreign import Foreign, Recognised, recognises
from archscope.ops.geometry import per_axis
from archscope.ops.registry import op

SCORE = 6
"""Other work per score: its scale, and 5 operations for the softmax."""


@op("dot_product_attention")
class DotProductAttention(Weightless, frozen=True, kw_only=True):
    """Scaled dot-product attention among all positions, Vaswani et al. 2017.

    Its input has queries, keys and values one after another along the channels, each as heads of
    equal width; alternatively, they are three inputs. With fewer heads of keys and values than of
    queries, it is grouped-query attention, Ainslie et al. 2023.
    """

    principal = "heads"
    arity = (1, 3)
    nonlinear = relates = True

    heads: Annotated[Positive, "number of heads of the queries"]
    key_heads: Annotated[Count, "number of heads of the keys and values; 0 for the same number"] = 0
    causal: Annotated[Flag, "each position attends only to itself and earlier positions"] = False
    scale: Annotated[Number | None, "factor of the scores; defaults to 1 / sqrt(width)"] = None

    keeps_zero = True
    window = whole

    @property
    def may_see_less(self) -> bool:  # type: ignore[override]
        return self.causal

    def _widths(self, *ins: Shape) -> tuple[int, int, int, int]:
        """Return the widths of key and value heads, and the numbers of queries and keys.

        Raises ShapeError if the inputs do not fit.
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
        """Count the scores and the weighted sums, including those hidden by a causal mask."""
        width, value_width, queries, keys = self._widths(*ins)
        return self.heads * queries * keys * (width + value_width)

    def factors(self, *ins: Shape) -> tuple[tuple[int, int, int], ...]:
        width, value_width, queries, keys = self._widths(*ins)
        scores = self.heads * queries * keys
        key, value = (0, 0) if len(ins) == 1 else (1, 2)
        return (key, 0, scores * width), (value, INNER, scores * value_width)

    def backward_macs(self, *ins: Shape, needed: tuple[bool, ...]) -> int:
        """Count the gradients of each product; that of scores is needed for queries and keys."""
        width, value_width, queries, keys = self._widths(*ins)
        for_queries, for_keys, for_values = needed * 3 if len(ins) == 1 else needed
        scores = width * (for_queries + for_keys)
        sums = value_width * (for_values + (for_queries or for_keys))
        return self.heads * queries * keys * (scores + sums)

    def elementwise(self, *ins: Shape) -> int:
        """Count 6 operations for each score, and 1 more for a mask."""
        _, _, queries, keys = self._widths(*ins)
        return (SCORE + self.causal) * self.heads * queries * keys

    def saved(self, *ins: Shape) -> Saved:
        """State copies of the inputs, with repeated heads, and a sum for each query."""
        width, value_width, queries, keys = self._widths(*ins)
        elements = sum(map(prod, ins)) + self.heads * queries
        if (self.key_heads or self.heads) < self.heads:
            elements += self.heads * keys * (width + value_width)
            if len(ins) == 3:
                elements -= prod(ins[1]) + prod(ins[2])
        return Saved(output=True, elements=elements)

    def torch(self, *ins: Shape) -> Call:
        words: dict[str, Any] = {"causal": True} if self.causal else {}
        if self.scale is not None:
            words["scale"] = self.scale
        more = (self.key_heads,) if self.key_heads not in (0, self.heads) else ()
        return call("archscope.nn.Attention", self.heads, *more, **words)

    def onnx(self, *ins: Shape) -> Value:
        width, value_width, queries, keys = self._widths(*ins)
        key_heads = self.key_heads or self.heads
        rows = [(self.heads, width), (key_heads, width), (key_heads, value_width)]
        parts: list[Value] = [Input(place) for place in range(len(ins))]
        if len(ins) == 1:
            ends = (0, self.heads * width, (self.heads + key_heads) * width, ins[0][0])
            parts = [
                node("Slice", X, ints(start), ints(stop), ints(1)) for start, stop in pairwise(ends)
            ]
        heads: list[Value] = [
            node("Reshape", part, ints(0, count, each, -1))
            for part, (count, each) in zip(parts, rows, strict=True)
        ]
        q, k, v = heads
        if key_heads < self.heads:
            k, v = (self._repeated(x, each, keys) for x, each in ((k, width), (v, value_width)))
        mask = None
        if self.causal:
            mask = floats(*(
                tuple(0.0 if key <= query else NEVER for key in range(keys))
                for query in range(queries)
            ))  # fmt: skip
        # Heads are (channels, positions) here, so that nothing has to be transposed.
        scores = node("MatMul", node("Transpose", q, perm=(0, 1, 3, 2)), k)
        scale = width**-0.5 if self.scale is None else self.scale
        weights = node("Transpose", _weights(scores, scale, mask), perm=(0, 1, 3, 2))
        return node(
            "Reshape", node("MatMul", v, weights), ints(0, self.heads * value_width, *ins[0][1:])
        )

    def _repeated(self, heads: Value, width: int, positions: int) -> Value:
        """Describe heads of keys or values, each repeated for the queries that it serves."""
        few = self.key_heads or self.heads
        each = self.heads // few
        apart = node("Reshape", heads, ints(0, few, 1, width, positions))
        wide = node("Expand", apart, ints(1, 1, each, 1, 1))
        return node("Reshape", wide, ints(0, self.heads, width, positions))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(heads=2), ((24, 10),)),
            Example(cls(heads=4, key_heads=2), ((32, 3, 4),)),
            Example(cls(heads=2, causal=True), ((12, 5),)),
            Example(cls(heads=2, scale=0.3), ((12, 5),)),
            Example(cls(heads=2), ((8, 5), (8, 3, 2), (8, 3, 2))),
        )


NEVER = -1e30
"""The value that hides a score from a softmax."""


def _weights(scores: Value, scale: float, *added: Value | None) -> Value:
    """Describe the softmax of scaled scores."""
    scores = node("Mul", scores, scalar(scale))
    for more in added:
        scores = scores if more is None else node("Add", scores, more)
    return node("Softmax", scores, axis=-1)


@op("window_attention")
class WindowAttention(Op, frozen=True, kw_only=True):
    """Attention within windows that tile the map, Liu et al. 2021 (Swin transformer).

    Its input has queries, keys and values one after another along the channels. Shifted windows
    lie across the border and are cut there; a window as large as the map is not shifted. A window
    of a `grid` takes every so many positions, so that it spans the map, as in Tu et al. 2022
    (MaxViT); with half of the map as its size it is what MobileViT does with patches of 2x2.
    """

    principal = "heads"
    nonlinear = relates = in_windows = True
    buffers = free
    access = moved

    heads: Annotated[Positive, "heads of queries, keys and values"]
    size: Annotated[Size, "positions of a window along each axis"]
    shift: Annotated[Count, "positions by which the windows are moved along each axis"] = 0
    relative_bias: Annotated[
        Flag, "learn a number for each head and distance between two positions"
    ] = True
    grid: Annotated[Flag, "positions of a window lie as far apart as there are windows"] = False
    scale: Annotated[Number | None, "factor of the scores; defaults to 1 / sqrt(width)"] = None

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
            self.shift % width if width < size and not self.grid else 0
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
        """Count the scores and the weighted sums, including those cut by the border."""
        window, _ = self._tiles(ins[0])
        return 2 * prod(self.shape(*ins)) * prod(window)

    def factors(self, *ins: Shape) -> tuple[tuple[int, int, int], ...]:
        each = self.macs(*ins) // 2
        return (0, 0, each), (0, INNER, each)

    def backward_macs(self, *ins: Shape, needed: tuple[bool, ...]) -> int:
        """Count each product twice; the gradient of scores is also that of the bias."""
        macs = self.macs(*ins)
        return 2 * macs if needed[0] else macs // 2 * self.relative_bias

    def _scores(self, *ins: Shape) -> int:
        window, _ = self._tiles(ins[0])
        return self.heads * prod(ins[0][1:]) * prod(window)

    def elementwise(self, *ins: Shape) -> int:
        """Count 6 operations for each score, 1 more for the bias and 1 for a mask."""
        _, shift = self._tiles(ins[0])
        return (SCORE + self.relative_bias + any(shift)) * self._scores(*ins)

    @property
    def may_see_less(self) -> bool:  # type: ignore[override]
        return self.grid

    def window(self, *ins: Shape) -> Windows:
        window, shift = self._tiles(ins[0])
        if self.grid:
            return WHOLE
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
        """State queries, keys, values and the result of the softmax."""
        return Saved(elements=prod(ins[0]) + self._scores(*ins))

    def torch(self, *ins: Shape) -> Call:
        window, shift = self._tiles(ins[0])
        words: dict[str, Any] = {} if self.relative_bias else {"relative_bias": False}
        if self.grid:
            words["grid"] = True
        if self.scale is not None:
            words["scale"] = self.scale
        sizes = ins[0][1:]
        return call("archscope.nn.WindowAttention", self.heads, window, shift, sizes, **words)

    def onnx(self, *ins: Shape) -> Value:
        window, shift = self._tiles(ins[0])
        sizes, width = ins[0][1:], ins[0][0] // (3 * self.heads)
        rank, area = len(sizes), prod(window)
        tiles = tuple(size // side for size, side in zip(sizes, window, strict=True))
        pairs = [(side, tile) if self.grid else (tile, side)
                 for side, tile in zip(window, tiles, strict=True)]  # fmt: skip
        split = tuple(side for pair in pairs for side in pair)
        outer, inner = range(4, 4 + 2 * rank, 2), range(5, 4 + 2 * rank, 2)
        if self.grid:
            outer, inner = inner, outer
        x = node("Reshape", _rolled(X, sizes, shift), ints(0, 3, self.heads, width, *split))
        x = node("Transpose", x, perm=(1, 0, 2, *outer, *inner, 3))
        x = node("Reshape", x, ints(3, -1, self.heads, prod(tiles), area, width))
        q, k, v = (node("Gather", x, Constant(part, "int64"), axis=0) for part in range(3))
        scores = node("MatMul", q, node("Transpose", k, perm=(0, 1, 2, 4, 3)))
        scale = width**-0.5 if self.scale is None else self.scale
        weights = _weights(scores, scale, self._bias(window), _mask(sizes, window, shift))
        shape = ints(0, self.heads, *tiles, *window, width)
        x = node("Reshape", node("MatMul", weights, v), shape)
        ends = [(2 + axis, 2 + rank + axis) for axis in range(rank)]  # a tile, and what is inside
        order = (axis for end in ends for axis in (end[::-1] if self.grid else end))
        x = node("Transpose", x, perm=(0, 1, 2 + 2 * rank, *order))
        x = node("Reshape", x, ints(0, self.heads * width, *sizes))
        return _rolled(x, sizes, tuple(-step for step in shift))

    def _bias(self, window: Shape) -> Value | None:
        """Describe the learned bias for each head and pair of positions."""
        if not self.relative_bias:
            return None
        distances = prod(2 * width - 1 for width in window)
        table = weight("relative_position_bias_table", distances, self.heads, spread=0.02)
        places = [*product(*map(range, window))]
        index = ints(*(tuple(_distance(a, b, window) for b in places) for a in places))
        bias = node("Transpose", node("Gather", table, index, axis=0), perm=(2, 0, 1))
        return node("Unsqueeze", bias, ints(1))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(heads=2, size=3), ((12, 6, 9),)),
            Example(cls(heads=2, size=4, shift=1), ((12, 8, 8),)),
            Example(cls(heads=2, size=4, scale=0.3), ((12, 8, 8),)),
            Example(cls(heads=1, size=(2, 3), relative_bias=False), ((6, 4, 6),)),
            Example(cls(heads=2, size=4, shift=2), ((12, 12),)),
            Example(cls(heads=2, size=(2, 3), grid=True), ((12, 4, 6),)),
        )


def _distance(a: Shape, b: Shape, window: Shape) -> int:
    """Return an index for the offset between two positions of a window."""
    index = 0
    for place, other, width in zip(a, b, window, strict=True):
        index = index * (2 * width - 1) + place - other + width - 1
    return index


def _rolled(x: Value, sizes: Shape, shift: Shape) -> Value:
    """Describe a map rolled so that position `shift` comes first along each axis."""
    for axis, (size, step) in enumerate(zip(sizes, shift, strict=True), start=2):
        if step:
            start = ints(step % size)
            tail = node("Slice", x, start, ints(size), ints(axis))
            x = node("Concat", tail, node("Slice", x, ints(0), start, ints(axis)), axis=axis)
    return x


def _mask(sizes: Shape, window: Shape, shift: Shape) -> Value | None:
    """Describe the mask for pairs of a window separated by the border; None without a shift."""
    if not any(shift):
        return None

    def region(place: Shape) -> tuple[int, ...]:
        """Return the part of the map that a position belonged to before rolling."""
        return tuple(
            (at >= size - side) + (at >= size - step) if step else 0
            for at, size, side, step in zip(place, sizes, window, shift, strict=True)
        )

    corners = product(*(range(0, size, side) for size, side in zip(sizes, window, strict=True)))
    inside = [*product(*map(range, window))]
    rows = []
    for corner in corners:
        places = (tuple(map(sum, zip(corner, place, strict=True))) for place in inside)
        parts = [region(place) for place in places]
        rows.append(tuple(tuple(0.0 if a == b else NEVER for b in parts) for a in parts))
    return floats(*rows)


@recognises("channels.attention")
def attention_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise attention on a tensor of queries, keys and values, as prepared by the importer."""
    found = DotProductAttention(heads=foreign.args["heads"])
    return Recognised(found, (foreign.args["qkv"],))

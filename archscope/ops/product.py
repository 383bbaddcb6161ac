"""Matrix products of two values, einsum, and attention as in torch.

Inputs may have any number of axes; those before the last two are batch axes.
"""

from __future__ import annotations

from math import prod
from typing import Annotated, Any

from archscope.errors import ShapeError
from archscope.ir import INNER, Call, Example, Op, Saved, Shape, call, text_of
from archscope.onnx_form import Input, Value, X, floats, node, scalar, weight
from archscope.ops.attention import NEVER, SCORE
from archscope.ops.attributes import COUNT, Flag, Kind, Number, TensorShape, array_schema, listed
from archscope.ops.facts import Weightless, free, moved, whole
from archscope.ops.foreign import Foreign, Recognised, Tensor, recognises
from archscope.ops.registry import op


@op("matmul")
class MatMul(Weightless, frozen=True, kw_only=True):
    """Matrix product of two inputs along their last two axes, such as the scores of attention."""

    arity = (2, 2)
    keeps_zero = nonlinear = True
    window = whole
    may_see_less = True
    elementwise = free

    def is_zero(self, *zero: bool) -> bool:
        return any(zero)

    def shape(self, *ins: Shape) -> Shape:
        a, b = ins
        if min(len(a), len(b)) < 2 or a[:-2] != b[:-2] or a[-1] != b[-2]:
            raise ShapeError(
                "'matmul' needs (..., m, k) and (..., k, n) with equal axes in front, got"
                f" {text_of(a)} and {text_of(b)}"
            )
        return *a[:-1], b[-1]

    def macs(self, *ins: Shape) -> int:
        return prod(self.shape(*ins)) * ins[0][-1]

    def saved(self, *ins: Shape) -> Saved:
        return Saved(input=True)

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.MatMul")

    def onnx(self, *ins: Shape) -> Value:
        return node("MatMul", X, Input(1))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((3, 5), (5, 4))),
            Example(cls(), ((2, 3, 5), (2, 5, 4))),
        )


def _equation(value: Any) -> str:
    operands, arrow, result = str(value).replace(" ", "").partition("->")
    terms = operands.split(",")
    letters = "".join(terms)
    known = isinstance(value, str) and arrow and letters.isascii() and letters.isalpha()
    if not known or not set(result) <= set(letters) or len(set(result)) < len(result):
        raise ValueError
    if len(terms) < 2 or any(len(set(term)) < len(term) or not term for term in terms):
        raise ValueError
    if len(set(letters)) > 20:  # another one is for the batch
        raise ValueError
    return f"{operands}->{result}"


Equation = Annotated[
    str,
    Kind(
        "an equation such as 'hqd,hkd->hqk': axes of two or more inputs, each named once, and of"
        " the result",
        _equation,
        {"type": "string", "pattern": "^[A-Za-z, ]+->[A-Za-z ]*$"},
    ),
]


MOST = 16
"""Inputs of an einsum."""

Path = Annotated[
    tuple[int, ...],
    Kind(
        "a list of places, two for each product",
        listed(COUNT.read, 2 * MOST),
        array_schema(COUNT.schema, 2 * MOST, least=2),
    ),
]


@op("einsum")
class Einsum(Weightless, frozen=True, kw_only=True):
    """Sum of products of inputs over the axes that are not in the result, as in numpy.

    Inputs are multiplied in pairs. Axes that are only summed are other work; if no axis is left to
    sum, torch multiplies element by element.
    """

    principal = "equation"
    arity = (2, MOST)
    keeps_zero = nonlinear = True

    equation: Annotated[Equation, "the axes of each input and of the result, without the batch"]

    path: Annotated[
        Path | None,
        "which two to multiply next, pair by pair: the product stands behind those that are left;"
        " the default goes from left to right",
    ] = None

    window = whole
    may_see_less = True

    def is_zero(self, *zero: bool) -> bool:
        return any(zero)

    def _path(self, count: int) -> tuple[int, ...]:
        """Return the pairs to multiply as a flat tuple. Raises ShapeError."""
        later = (place for left in range(count - 2, 0, -1) for place in (0, left))
        path = self.path or (0, 1, *later)
        pairs = [*zip(path[::2], path[1::2], strict=False)]
        sizes = range(count, 1, -1)
        if len(path) != 2 * (count - 1) or any(
            a == b or max(a, b) >= size for (a, b), size in zip(pairs, sizes, strict=True)
        ):
            raise ShapeError(f"'einsum' cannot multiply {count} inputs by the path {list(path)}")
        return path

    def _sizes(self, *ins: Shape) -> tuple[list[str], str, dict[str, int]]:
        """Return the axes of the inputs and of the result, and their sizes. Raises ShapeError."""
        operands, _, result = self.equation.partition("->")
        terms = operands.split(",")
        sizes: dict[str, int] = {}
        fits = len(terms) == len(ins) and all(
            len(axes) == len(shape) for axes, shape in zip(terms, ins, strict=False)
        )
        for axes, shape in zip(terms, ins, strict=False):
            for axis, size in zip(axes, shape, strict=False):
                fits = fits and sizes.setdefault(axis, size) == size
        if not fits:
            given = " and ".join(map(text_of, ins))
            raise ShapeError(f"'einsum' of {self.equation} does not take {given}")
        return terms, result, sizes

    def shape(self, *ins: Shape) -> Shape:
        _, result, sizes = self._sizes(*ins)
        self._path(len(ins))
        if not result:
            raise ShapeError(f"'einsum' of {self.equation} leaves no axis")
        return tuple(sizes[axis] for axis in result)

    def _products(self, *ins: Shape) -> list[tuple[int, int]]:
        terms, result, sizes = self._sizes(*ins)
        return einsum_work(terms, result, sizes, self._path(len(ins)))

    def macs(self, *ins: Shape) -> int:
        return sum(macs for macs, _ in self._products(*ins))

    def factors(self, *ins: Shape) -> tuple[tuple[int, int, int], ...]:
        path, places, found = self._path(len(ins)), list(range(len(ins))), []
        for step, (macs, _) in enumerate(self._products(*ins)):
            left, right = path[2 * step : 2 * step + 2]
            found.append((places[right], places[left], macs))
            places = [p for at, p in enumerate(places) if at not in (left, right)] + [INNER]
        return tuple(found)

    def backward_macs(self, *ins: Shape, needed: tuple[bool, ...]) -> int:
        """Count each product again for each side that needs a gradient."""
        path, wanted, macs = self._path(len(ins)), [*needed], 0
        for step, (products, _) in enumerate(self._products(*ins)):
            a, b = path[2 * step : 2 * step + 2]
            macs += products * (wanted[a] + wanted[b])
            either = wanted[a] or wanted[b]
            wanted = [*(w for place, w in enumerate(wanted) if place not in (a, b)), either]
        return macs

    def elementwise(self, *ins: Shape) -> int:
        return sum(work for _, work in self._products(*ins))

    def saved(self, *ins: Shape) -> Saved:
        """State the inputs."""
        return Saved(input=True, least=True)

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.Einsum", self.equation, *self._path(len(ins)))

    def onnx(self, *ins: Shape) -> Value:
        operands, _, result = self.equation.partition("->")
        batch = next(letter for letter in "NBXYZbnxyz" if letter not in self.equation)
        terms = ",".join(batch + axes for axes in operands.split(","))
        inputs = (Input(place) for place in range(len(ins)))
        return node("Einsum", *inputs, equation=f"{terms}->{batch}{result}")

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(equation="hqd,hkd->hqk"), ((2, 3, 5), (2, 4, 5))),
            Example(cls(equation="ij,jk,kl->il", path=(1, 2, 0, 1)), ((3, 4), (4, 5), (5, 2))),
        )


def einsum_work(
    terms: list[str], result: str, sizes: dict[str, int], path: tuple[int, ...]
) -> list[tuple[int, int]]:
    """Return the multiply-accumulates and the other work of each product of a sum, as in torch.

    torch removes axes of size 1 from the products, and first sums axes that only one input has.
    """
    sizes = {axis: size for axis, size in sizes.items() if size > 1}
    held = [{axis for axis in term if axis in sizes} for term in terms]
    products = []
    for a, b in zip(path[::2], path[1::2], strict=True):
        left, right = held[a], held[b]
        held = [axes for place, axes in enumerate(held) if place not in (a, b)]
        later = set(result).union(*held) & sizes.keys()
        kept = {x for x in left | right if x in later or (x in left and x in right)}
        work = 0
        for axes in (left, right):
            if axes - kept:
                work += prod(sizes[axis] for axis in axes)
        whole = prod(sizes[axis] for axis in kept)
        products.append((0, work + whole) if kept <= later else (whole, work))
        held.append(kept & later)
    return products


@op("scaled_dot_product_attention")
class ScaledDotProductAttention(Op, frozen=True, kw_only=True):
    """torch's attention of queries, keys and values (heads, positions, width), with a mask.

    `dot_product_attention` takes them in the form in which they leave a convolution.
    """

    arity = (3, 3)
    nonlinear = relates = True

    causal: Annotated[Flag, "each position attends only to itself and earlier positions"] = False
    scale: Annotated[Number | None, "factor of the scores; defaults to 1 / sqrt(width)"] = None
    mask: Annotated[TensorShape | None, "shape of the mask to add to the scores, broadcast"] = None
    fixed: Annotated[Flag, "the mask is a constant, not learned"] = False

    keeps_zero = True
    window = whole
    may_see_less = True
    access = moved

    def _scores(self, *ins: Shape) -> int:
        q, k, _ = ins
        return prod(q[:-1]) * k[-2]

    def shape(self, *ins: Shape) -> Shape:
        q, k, v = ins
        fits = len(q) > 1 and q[:-2] == k[:-2] == v[:-2] and q[-1] == k[-1] and k[-2] == v[-2]
        if not fits:
            raise ShapeError(
                f"'{self.name}' needs (..., positions, width) of queries, keys and values, got"
                f" {text_of(q)}, {text_of(k)} and {text_of(v)}"
            )
        scores = (*q[:-1], k[-2])
        mask = self.mask or (1,)
        ends = zip(mask[::-1], scores[::-1], strict=False)
        if len(mask) > len(scores) or any(size not in (1, most) for size, most in ends):
            raise ShapeError(
                f"'{self.name}' has scores of {text_of(scores)}, its mask is {text_of(mask)}"
            )
        return *q[:-1], v[-1]

    def params(self, *ins: Shape) -> int:
        return prod(self.mask) if self.mask and not self.fixed else 0

    def buffers(self, *ins: Shape) -> int:
        return prod(self.mask) if self.mask and self.fixed else 0

    biases = params

    def macs(self, *ins: Shape) -> int:
        """Count the scores and the weighted sums, including those hidden by a mask."""
        return self._scores(*ins) * (ins[0][-1] + ins[2][-1])

    def factors(self, *ins: Shape) -> tuple[tuple[int, int, int], ...]:
        scores = self._scores(*ins)
        return (1, 0, scores * ins[0][-1]), (2, INNER, scores * ins[2][-1])

    def backward_macs(self, *ins: Shape, needed: tuple[bool, ...]) -> int:
        """Count the gradients of each product; that of scores is needed for queries and keys."""
        for_queries, for_keys, for_values = needed
        learned = self.params(*ins) > 0
        scores = ins[0][-1] * (for_queries + for_keys)
        sums = ins[2][-1] * (for_values + (for_queries or for_keys or learned))
        return self._scores(*ins) * (scores + sums)

    def elementwise(self, *ins: Shape) -> int:
        """Count 6 operations for each score, and 1 more for each mask."""
        return (SCORE + self.causal + (self.mask is not None)) * self._scores(*ins)

    def saved(self, *ins: Shape) -> Saved:
        """State what torch's fused kernel keeps for heads without a mask, else the inputs."""
        if len(ins[0]) != 3 or self.mask is not None or ins[0][-1] != ins[2][-1]:
            left = sum(map(prod, ins)) - prod(self.shape(*ins))
            return Saved(output=True, elements=max(left, 0), least=True)
        return Saved(input=True, output=True, elements=prod(ins[0][:-1]))

    def torch(self, *ins: Shape) -> Call:
        words: dict[str, Any] = {}
        if self.causal:
            words["causal"] = True
        if self.scale is not None:
            words["scale"] = self.scale
        if self.fixed and self.mask:
            words["fixed"] = True
        return call("archscope.nn.ScaledDotProductAttention", *(self.mask or ()), **words)

    def onnx(self, *ins: Shape) -> Value:
        q, k, _ = ins
        rank = len(q) + 1
        turned = (*range(rank - 2), rank - 1, rank - 2)
        scores = node("MatMul", X, node("Transpose", Input(1), perm=turned))
        scores = node("Mul", scores, scalar(q[-1] ** -0.5 if self.scale is None else self.scale))
        if self.mask:
            mask = weight("mask", *self.mask, spread=0.0, learned=not self.fixed)
            scores = node("Add", scores, mask)
        if self.causal:
            rows = (
                tuple(0.0 if key <= query else NEVER for key in range(k[-2]))
                for query in range(q[-2])
            )
            scores = node("Add", scores, floats(*rows))
        return node("MatMul", node("Softmax", scores, axis=-1), Input(2))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((2, 5, 4), (2, 7, 4), (2, 7, 4))),
            Example(cls(causal=True, scale=0.3), ((2, 5, 4),) * 3),
            Example(cls(mask=(2, 5, 5)), ((3, 2, 5, 4),) * 3),
            Example(cls(mask=(5, 5), fixed=True), ((2, 5, 4),) * 3),
        )


@recognises("aten.matmul.default", "aten.bmm.default")
def matmul_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise the product of two tensors that both depend on the input."""
    ins = foreign.ins
    if len(ins) != 2 or len(ins[0].shape) != len(ins[1].shape) or len(ins[0].shape) < 3:
        return None
    return Recognised(MatMul(), ins)


@recognises("aten.einsum.default")
def einsum_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise an equation in which the batch is the first axis of all tensors."""
    equation, tensors = foreign.args["equation"].replace(" ", ""), foreign.tensors
    operands, arrow, result = equation.partition("->")
    terms = operands.split(",")
    if not arrow or "." in equation or len(foreign.ins) != len(tensors) or len(tensors) < 2:
        return None
    batch = result[:1]
    if not batch or any(term[:1] != batch or batch in term[1:] for term in terms):
        return None
    if not all(term[1:] for term in terms):
        return None
    try:
        short = _equation(",".join(term[1:] for term in terms) + "->" + result[1:])
    except ValueError:
        return None
    path = tuple(foreign.get("path") or ())
    return Recognised(Einsum(equation=short, path=path or None), tensors)


@recognises("aten.scaled_dot_product_attention.default")
def attention_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise attention, with a mask that does not depend on the input."""
    q, k, v = (foreign.args[name] for name in ("query", "key", "value"))
    mask = foreign.get("attn_mask")
    if any(tensor.constant for tensor in (q, k, v)) or foreign.get("enable_gqa"):
        return None
    settings: dict[str, Any] = {"causal": bool(foreign.get("is_causal"))}
    if foreign.get("scale") is not None:
        settings["scale"] = float(foreign.args["scale"])
    if mask is None:
        return Recognised(ScaledDotProductAttention(**settings), (q, k, v))
    if not isinstance(mask, Tensor) or not mask.constant or len(mask.shape) < 2:
        return None
    shape = mask.shape
    if len(shape) == len(q.shape):
        if shape[0] != 1:
            return None
        shape = shape[1:]
    found = ScaledDotProductAttention(**settings, mask=shape, fixed=not mask.learned)
    return Recognised(found, (q, k, v), {"mask": mask})

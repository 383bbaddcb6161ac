"""Products and sums that an equation states, such as `bchw,oc->bohw`."""

from __future__ import annotations

from math import prod
from typing import Any

from archscope.importers.onnx.forms.applied import Applied, Chain, Steps, form, single
from archscope.ops.foreign import Tensor


@form("Einsum")
def _einsum(applied: Applied) -> Steps:
    equation = applied.attribute("equation").replace(" ", "")
    operands, arrow, result = equation.partition("->")
    terms = operands.split(",")
    constant = [tensor.constant for tensor in applied.tensors if tensor]
    if arrow and "." not in equation and all(len({*term}) == len(term) for term in terms):
        if constant == [False]:
            return _rearranged(applied, terms[0], result)
        if sorted(constant) == [False, True]:
            return _with_constant(applied, terms, result, constant.index(True))
    return single(applied, "einsum.default", equation=equation, tensors=applied.tensors)


def _rearranged(applied: Applied, term: str, result: str) -> Steps:
    """Sum over the letters that the result lacks, and order the others."""
    chain = Chain()
    x, kept = _summed(chain, applied.x, term, result)
    _ordered(chain, x, kept, result)
    return chain.steps or single(applied, "alias.default", self=x)


def _with_constant(applied: Applied, terms: list[str], result: str, place: int) -> Steps:
    """A product with a constant: number by number, or of its matrices with rows of the input."""
    letters, of_constant, array = terms[1 - place], terms[place], applied.array(place)
    gone = [at for at, c in enumerate(of_constant) if c not in letters + result]
    array = array.sum(axis=tuple(gone)) if gone else array
    of_constant = "".join(c for c in of_constant if c in letters + result)
    chain = Chain()
    x, letters = _summed(chain, applied.input(1 - place), letters, result + of_constant)
    both = [c for c in of_constant if c in letters]
    inner = "".join(c for c in both if c not in result)
    shared = "".join(c for c in both if c in result)
    new = "".join(c for c in of_constant if c not in letters)
    sizes = dict(zip(letters + of_constant, x.shape + array.shape, strict=True))
    if not inner and not new:
        held = _aligned(array, of_constant, letters, sizes)
        factor = applied.constant(place, "aligned", held)
        x = chain.add("mul.Tensor", x.shape, self=x, other=factor)
    elif not inner:
        return ()
    else:
        rows = "".join(c for c in letters if c not in both)
        matrix = array.transpose([of_constant.index(c) for c in shared + new + inner])
        if shared:
            first, rows = rows[:1], rows[1:]
            x = _of_each(
                applied, chain, x, letters, (first, shared, rows, inner, new), place, matrix
            )
            letters = first + shared + rows + new
        else:
            x = _ordered(chain, x, letters, rows + inner)
            flat = tuple(sizes[c] for c in rows)
            width = prod(matrix.shape[: len(new)])
            x = _reshaped(chain, x, (*flat, prod(sizes[c] for c in inner)))
            weight = applied.constant(place, "rows", matrix.reshape(width, -1))
            x = chain.add("linear.default", (*flat, width), input=x, weight=weight, bias=None)
            letters = rows + new
        x = _reshaped(chain, x, tuple(sizes[c] for c in letters))
    if letters != result:
        _ordered(chain, x, letters, result)
    return chain.steps


def _of_each(
    applied: Applied,
    chain: Chain,
    x: Tensor,
    letters: str,
    parts: tuple[str, str, str, str, str],
    place: int,
    matrices: Any,
) -> Tensor:
    """A product with a matrix for each place along the shared letters, such as heads."""
    first, shared, rows, inner, new = parts
    x = _ordered(chain, x, letters, first + shared + rows + inner)
    ends = [len(first), len(first + shared), len(first + shared + rows)]
    size, each, count, depth = (
        prod(x.shape[start:stop]) for start, stop in zip([0, *ends], [*ends, None], strict=True)
    )
    x = _reshaped(chain, x, (size, each, count, depth))
    width = prod(matrices.shape[len(shared) : len(shared) + len(new)])
    turned = matrices.reshape(each, width, depth).transpose(0, 2, 1)
    weight = applied.constant(place, "matrices", turned)
    return chain.add("matmul.default", (size, each, count, width), self=x, other=weight)


def _summed(chain: Chain, x: Tensor, letters: str, kept: str) -> tuple[Tensor, str]:
    """Sum over the letters that are not kept."""
    gone = tuple(at for at, c in enumerate(letters) if c not in kept)
    if not gone:
        return x, letters
    shape = tuple(size for at, size in enumerate(x.shape) if at not in gone)
    x = chain.add("sum.dim_IntList", shape, self=x, dim=gone, keepdim=False)
    return x, "".join(c for c in letters if c in kept)


def _ordered(chain: Chain, x: Tensor, letters: str, result: str) -> Tensor:
    order = tuple(map(letters.index, result))
    if order == tuple(range(len(letters))):
        return x
    shape = tuple(x.shape[axis] for axis in order)
    return chain.add("permute.default", shape, self=x, dims=order)


def _reshaped(chain: Chain, x: Tensor, shape: tuple[int, ...]) -> Tensor:
    return x if x.shape == shape else chain.add("reshape.default", shape, self=x)


def _aligned(array: Any, of_constant: str, letters: str, sizes: dict[str, int]) -> Any:
    """Return an array with an axis for each letter, of size 1 where it has none."""
    order = sorted(of_constant, key=letters.index)
    turned = array.transpose([of_constant.index(c) for c in order])
    return turned.reshape([sizes[c] if c in of_constant else 1 for c in letters])

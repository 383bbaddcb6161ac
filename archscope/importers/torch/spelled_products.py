"""Express products with a weight in any layout as linear layers, sums of products as matrices.

Linear layers can be recognised, built and counted; models arrange the axes for them in many
different ways.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from string import ascii_letters, ascii_lowercase
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

IsData = Callable[[Any], bool]
"""Whether a value depends on the input and is not a weight."""


def _matmul(is_data: IsData, input: Tensor, other: Tensor) -> Any:
    """Multiply with a matrix of weights from either side, or with one that several others share."""
    if is_data(input) == is_data(other):
        return _with_shared(input, other)
    if is_data(input) and input.dim() >= 2 and other.dim() == 2:
        return functional.linear(input, other.transpose(0, 1))
    if is_data(input) and input.dim() >= 2 and other.dim() == 1:
        return functional.linear(input, other.unsqueeze(0)).squeeze(-1)
    if is_data(other) and other.dim() >= 3 and input.dim() == 2:
        return functional.linear(other.transpose(-1, -2), input).transpose(-1, -2)
    data, held = (input, other) if is_data(input) else (other, input)
    if data.dim() < held.dim() or held.dim() < 2:
        raise NotImplementedError
    held = held[(None,) * (data.dim() - held.dim())]
    axes = ascii_lowercase[: data.dim() - 2]  # the leading axes, with a matrix each
    pairs = [*zip(axes, data.shape, held.shape, strict=False)]
    of_data = "".join(axis for axis, many, few in pairs if many > 1 or few == 1)
    of_held = "".join(axis for axis, many, few in pairs if few > 1)
    data = data.reshape([n for axis, n, _ in pairs if axis in of_data] + [*data.shape[-2:]])
    held = held.reshape([n for axis, _, n in pairs if axis in of_held] + [*held.shape[-2:]])
    if is_data(input):
        return _with_weight(data, f"{of_data}YZ", held, f"{of_held}ZO", f"{axes}YO")
    return _with_weight(data, f"{of_data}YZ", held, f"{of_held}OY", f"{axes}OZ")


def _with_shared(left: Tensor, right: Tensor) -> Tensor:
    """Multiply values along axes of which one side has a single position."""
    rank, before, after = left.dim(), left.shape[:-2], right.shape[:-2]
    if rank != right.dim() or rank < 4 or left.shape[-1] == 1 or before == after:
        raise NotImplementedError
    axes = ascii_lowercase[: rank - 2]
    first, second = (
        [a for a, (own, most) in enumerate(zip(*sizes, strict=True)) if own == 1 < most]
        for sizes in ((before, after), (after, before))
    )
    terms = ("".join(x for a, x in enumerate(axes) if a not in gone) for gone in (first, second))
    parts = (x.squeeze(gone) if gone else x for x, gone in ((left, first), (right, second)))
    return torch.einsum("{}YZ,{}ZX".format(*terms) + f"->{axes}YX", *parts)


def _rmatmul(is_data: IsData, input: Tensor, other: Tensor) -> Any:
    return _matmul(is_data, other, input)


def _addmm(
    is_data: IsData, input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1
) -> Any:
    if is_data(mat1) and not is_data(input) and input.dim() == 1 and (beta, alpha) == (1, 1):
        return functional.linear(mat1, mat2.transpose(0, 1), input)
    raise NotImplementedError


def _baddbmm(
    is_data: IsData, input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1
) -> Any:
    product = torch.bmm(batch1, batch2)
    product = product if alpha == 1 else product * alpha
    return product if beta == 0 else product + (input if beta == 1 else input * beta)


def _bilinear(
    is_data: IsData, input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Any:
    """Multiply with the first input by a linear layer, and with the second element-wise."""
    if not (is_data(input1) and is_data(input2)):
        raise NotImplementedError
    out, first, second = weight.shape
    rows = weight.transpose(1, 2).reshape(out * second, first)
    each = torch.unflatten(functional.linear(input1, rows), -1, (out, second))
    result = (each * input2.unsqueeze(-2)).sum(-1)
    return result if bias is None else result + bias


def _cdist(is_data: IsData, x1: Tensor, x2: Tensor, p: float = 2.0, **words: Any) -> Any:
    """Return the norms of all differences of two sets, which torch counts no products for."""
    fits = is_data(x1) or is_data(x2)
    if not fits or p not in (1, 2) or x1.dim() < 3 or x2.dim() < 2:
        raise NotImplementedError
    return torch.linalg.vector_norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, dim=-1)


def axes_of(equation: str, operands: Sequence[Tensor]) -> tuple[list[str], str]:
    """Return the axes of each operand and of the result, without an ellipsis.

    Raises NotImplementedError for an axis that stands twice in a term, or that broadcasts.
    """
    left, arrow, result = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise NotImplementedError
    used = set(equation)
    free = [letter for letter in ascii_letters if letter not in used]
    unnamed = [t.dim() - len(w.replace("...", "")) for w, t in zip(terms, operands, strict=True)]
    most = max(unnamed)
    more = "".join(free[:most])
    terms = [term.replace("...", more[most - n :]) for term, n in zip(terms, unnamed, strict=True)]
    if not arrow:
        named = left.replace("...", "").replace(",", "")
        result = more + "".join(sorted(axis for axis in set(named) if named.count(axis) == 1))
    result = result.replace("...", more)
    sizes: dict[str, int] = {}
    for term, tensor in zip(terms, operands, strict=True):
        if len(set(term)) < len(term) or len(term) != tensor.dim():
            raise NotImplementedError
        for axis, size in zip(term, tensor.shape, strict=True):
            if sizes.setdefault(axis, size) != size:
                raise NotImplementedError
    return terms, result


def _permuted(x: Tensor, term: str, order: str) -> Tensor:
    places = [term.index(axis) for axis in order]
    return x if places == sorted(places) else x.permute(places)


def _summed(x: Tensor, term: str, kept: set[str]) -> tuple[Tensor, str]:
    """Return a tensor without the axes that nothing else reads, and its term."""
    gone = [place for place, axis in enumerate(term) if axis not in kept]
    if not gone:
        return x, term
    return x.sum(gone), "".join(axis for axis in term if axis in kept)


def _einsum(is_data: IsData, equation: Any, *operands: Any) -> Any:
    """Sum over axes of a tensor, or multiply it with a weight by a linear layer."""
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    if not isinstance(equation, str):
        raise NotImplementedError
    terms, result = axes_of(equation, operands)
    if len(operands) > 2:
        return _in_pairs(is_data, terms, result, operands)
    if len(operands) == 1:
        x, term = _summed(operands[0], terms[0], set(result))
        return _permuted(x, term, result)
    if sum(map(is_data, operands)) != 1:
        product = _of_matrices(operands, terms, result) if all(map(is_data, operands)) else None
        if product is not None:
            return product
        return _with_named_axes(equation, terms, result, operands)
    data, held = (0, 1) if is_data(operands[0]) else (1, 0)
    return _with_weight(operands[data], terms[data], operands[held], terms[held], result)


def _of_matrices(operands: Sequence[Tensor], terms: list[str], result: str) -> Tensor | None:
    """Return the products of matrices in the last two axes, such as `bhid,bhjd->bhij`, or None."""
    (x, y), (left, right) = operands, terms
    batch = left[:-2]
    alike = batch and batch == right[:-2] == result[:-2] and len(left) == len(right) == len(result)
    summed = {*left[-2:]} & {*right[-2:]}
    if not alike or len(summed) != 1 or summed & {*result}:
        return None
    (axis,) = summed
    rows, columns = left[-2:].replace(axis, ""), right[-2:].replace(axis, "")
    product = torch.matmul(
        _permuted(x, left, batch + rows + axis), _permuted(y, right, batch + axis + columns)
    )
    return _permuted(product, batch + rows + columns, result)


def _in_pairs(is_data: IsData, terms: list[str], result: str, operands: Sequence[Tensor]) -> Any:
    """Multiply more than two operands from left to right, if a weight is among them.

    An optimizer of paths, if one is installed, may have torch multiply in another order.
    """
    if all(map(is_data, operands)) or torch.backends.opt_einsum.is_available():
        raise NotImplementedError
    (x, y, *others), (left, right, *later) = operands, terms
    if is_data(y) and not is_data(x):  # the batch is the first axis
        x, y, left, right = y, x, right, left
    kept = set(result).union(*later)
    own = "".join(axis for axis in dict.fromkeys(left + right) if axis in kept)
    both = _product(is_data, f"{left},{right}->{own}", x, y)
    return _product(is_data, f"{','.join([own, *later])}->{result}", both, *others)


def _product(is_data: IsData, equation: str, *operands: Tensor) -> Any:
    try:
        return _einsum(is_data, equation, *operands)
    except NotImplementedError:
        return torch.einsum(equation, *operands)


def _tensordot(is_data: IsData, a: Tensor, b: Tensor, dims: Any = 2, out: Any = None) -> Any:
    """Sum over pairs of axes by an equation."""
    if isinstance(dims, Tensor):
        raise NotImplementedError
    pairs = (range(-dims, 0), range(dims)) if isinstance(dims, int) else dims
    left = ascii_lowercase[: a.dim()]
    right = [*ascii_letters[a.dim() : a.dim() + b.dim()]]
    summed = [left[place] for place in pairs[0]]
    for axis, place in zip(summed, pairs[1], strict=True):
        right[place] = axis
    kept = [axis for axis in (*left, *right) if axis not in summed]
    return _product(is_data, f"{left},{''.join(right)}->{''.join(kept)}", a, b)


def _with_weight(x: Tensor, term: str, weight: Tensor, held: str, result: str) -> Tensor:
    """Multiply with a weight by a linear layer, or by a grouped one along shared axes."""
    x, term = _summed(x, term, {*result, *held})
    weight, held = _summed(weight, held, {*result, *term})
    summed = "".join(axis for axis in held if axis in term and axis not in result)
    new = "".join(axis for axis in held if axis not in term)
    kept = "".join(axis for axis in term if axis not in summed)
    groups = "".join(axis for axis in held if axis in kept)
    if not summed:
        raise NotImplementedError
    if groups:
        return _grouped(x, term, weight, held, (groups, new, summed), result)
    rows = _permuted(weight, held, new + summed).reshape(-1, prod(_sizes(x, term, summed)))
    x = _permuted(x, term, kept + summed)
    x = x if len(summed) == 1 else x.flatten(len(kept))
    out = functional.linear(x, rows)
    if len(new) != 1:
        sizes = _sizes(weight, held, new)
        out = torch.unflatten(out, -1, sizes) if sizes else out.squeeze(-1)
    return _permuted(out, kept + new, result)


def _grouped(
    x: Tensor, term: str, weight: Tensor, held: str, axes: tuple[str, str, str], result: str
) -> Tensor:
    """Multiply along axes that both have by a convolution whose groups they are.

    `axes` are those of the groups, new ones, and those that are summed.
    """
    groups, new, summed = axes
    batch = term[0]
    if batch in held:
        raise NotImplementedError
    rest = "".join(axis for axis in term[1:] if axis not in held)
    sizes = {**dict(zip(held, weight.shape, strict=True)), **dict(zip(term, x.shape, strict=True))}
    count, inner, outer = (prod(sizes[axis] for axis in part) for part in (groups, summed, new))
    rows = _permuted(weight, held, groups + new + summed).reshape(count * outer, inner, 1)
    x = _permuted(x, term, batch + groups + summed + rest).reshape(sizes[batch], count * inner, -1)
    out = functional.conv1d(x, rows, groups=count)
    order = batch + groups + new + rest
    return _permuted(out.reshape([sizes[axis] for axis in order]), order, result)


def _sizes(x: Tensor, term: str, axes: str) -> list[int]:
    return [x.shape[term.index(axis)] for axis in axes]


def _attention(
    is_data: IsData,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """Weight values by scores with an added term that is computed from the input.

    Keys and values that several heads read are repeated for each of them.
    """
    heads, own = (x.shape[1] if x.dim() == 4 else 0 for x in (query, key))
    shared = key.shape[:2] == value.shape[:2] and own < heads and (enable_gqa or own == 1)
    if shared and is_data(query) and is_data(key) and is_data(value):
        key, value = (
            x.expand(-1, heads, -1, -1) if own == 1 else x.repeat_interleave(heads // own, 1)
            for x in (key, value)
        )
        words: dict[str, Any] = {"attn_mask": attn_mask, "is_causal": is_causal, "scale": scale}
        return functional.scaled_dot_product_attention(query, key, value, **words)
    if attn_mask is None or not is_data(attn_mask) or dropout_p or is_causal or enable_gqa:
        raise NotImplementedError
    factor = query.shape[-1] ** -0.5 if scale is None else scale
    scores = (query * factor) @ key.transpose(-1, -2)
    if attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -torch.inf)
    else:
        scores = scores + attn_mask
    return scores.softmax(-1) @ value


def _with_named_axes(
    equation: str, terms: list[str], result: str, operands: Sequence[Tensor]
) -> Any:
    """Name the axes of an ellipsis, which are then those of an operator."""
    named = f"{','.join(terms)}->{result}"
    if named == equation.replace(" ", ""):
        raise NotImplementedError
    return torch.einsum(named, *operands)


PRODUCTS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.matmul: _matmul, torch.Tensor.matmul: _matmul, torch.Tensor.__matmul__: _matmul,
    torch.Tensor.__rmatmul__: _rmatmul, torch.mm: _matmul, torch.Tensor.mm: _matmul,
    torch.addmm: _addmm, torch.Tensor.addmm: _addmm,
    torch.baddbmm: _baddbmm, torch.Tensor.baddbmm: _baddbmm,
    functional.bilinear: _bilinear, torch.cdist: _cdist,
    functional.scaled_dot_product_attention: _attention,
    torch.tensordot: _tensordot, torch.einsum: _einsum, torch.functional.einsum: _einsum,
}  # fmt: skip
"""The products and their spellings, which take `IsData` first.

They raise NotImplementedError for what they do not spell.
"""

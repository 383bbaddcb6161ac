"""Norms, as both kinds of models have them."""

from __future__ import annotations

from collections.abc import Sequence

from archscope.importers.coreml.writing import Writing


def _plain(t: Writing, x: str, factors: Sequence[str], sizes: Sequence[int]) -> list[str]:
    """Return factors and addends, ones and zeros for those that are absent."""
    return [
        given or t.filled(number, sizes, x) for given, number in zip(factors, (1, 0), strict=True)
    ]


def instance_norm(t: Writing, x: str, factors: Sequence[str], epsilon: float) -> str:
    """Write a norm of each channel of an image, with factors and addends."""
    given = _plain(t, x, factors, t.known_dims(x)[1:2])
    return str(t.op("InstanceNormalization", x, *given, epsilon=epsilon))


def layer_norm(
    t: Writing, x: str, axes: Sequence[int], factors: Sequence[str], epsilon: float
) -> str:
    """Write a norm over some axes, with factors and addends of their shape."""
    rank, dims = t.rank(x), t.dims(x)
    places = sorted(axis % rank for axis in axes)
    sizes = [dims[axis] for axis in places]
    if places == [*range(places[0], rank)] and min(sizes) > 0:
        given = _plain(t, x, factors, sizes)
        return str(t.op("LayerNormalization", x, *given, axis=places[0], epsilon=epsilon))
    made = t.mean_variance(x, places, epsilon)
    across = [dims[axis] if axis in places else 1 for axis in range(rank)]
    for kind, factor in zip(("Mul", "Add"), factors, strict=True):
        if factor:
            made = str(t.op(kind, made, t.reshaped(factor, across)))
    return made


def unit_length(t: Writing, x: str, axes: Sequence[int], epsilon: float) -> str:
    """Write the division by a Euclidean norm."""
    places = t.constant([axis % t.rank(x) for axis in axes])
    squares = t.op("ReduceSumSquare", x, places, keepdims=1)
    return str(t.op("Div", x, t.op("Sqrt", t.op("Add", squares, t.number(epsilon, x)))))

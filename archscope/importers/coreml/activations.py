"""Activations, as both kinds of models have them."""

from __future__ import annotations

from archscope.importers.coreml.writing import Writing


def clamped(t: Writing, x: str, slope: float, limit: float) -> str:
    """Write a ReLU with a slope below zero and a limit above."""
    if slope == 0:
        return str(t.op("Clip", x, t.number(0, x), t.number(limit, x)))
    return str(t.op("Min", t.op("LeakyRelu", x, alpha=slope), t.number(limit, x)))


def line(t: Writing, x: str, factor: float, addend: float) -> str:
    """Write a product and a sum with numbers, left out where they change nothing."""
    made = x if factor == 1 else str(t.op("Mul", x, t.number(factor, x)))
    if addend:
        made = str(t.op("Add", made, t.number(addend, x)))
    return str(t.op("Identity", x)) if made == x else made


def scaled_tanh(t: Writing, x: str, factor: float, inner: float) -> str:
    """Write a hyperbolic tangent with a factor inside and outside."""
    return line(t, str(t.op("Tanh", line(t, x, inner, 0))), factor, 0)


def gelu(t: Writing, x: str, mode: str) -> str:
    """Write a Gaussian error linear unit: exact, or approximated by `tanh` or `sigmoid`."""
    if mode == "sigmoid":
        return str(t.op("Mul", x, t.op("Sigmoid", t.op("Mul", x, t.number(1.702, x)))))
    return str(t.op("Gelu", x, approximate=mode if mode == "tanh" else "none"))


def thresholded(t: Writing, x: str, limit: float) -> str:
    """Write a ReLU that is zero below a limit."""
    return str(t.op("ThresholdedRelu", x, alpha=limit))


def slopes(t: Writing, x: str, slope: str) -> str:
    """Write a slope below zero for each channel, or for all."""
    rank = t.rank(x)
    if t.dims(slope) != [1] and rank > 2:
        slope = t.reshaped(slope, [-1, *[1] * (rank - 2)])
    return str(t.op("PRelu", x, slope))


def parametric_softplus(t: Writing, x: str, factor: str, inner: str) -> str:
    """Write a softplus with factors inside and outside, for each channel."""
    rank = t.rank(x)
    factor, inner = (
        t.reshaped(value, [-1, *[1] * (rank - 2)]) if rank > 2 else value
        for value in (factor, inner)
    )
    return str(t.op("Mul", factor, t.op("Softplus", t.op("Mul", x, inner))))


def inverse(t: Writing, x: str, epsilon: float) -> str:
    """Write the inverse of a value plus a small number."""
    return str(t.op("Reciprocal", line(t, x, 1, epsilon) if epsilon else x))


def root_inverse(t: Writing, x: str, epsilon: float) -> str:
    """Write the inverse of the root of a value plus a small number."""
    return str(t.op("Reciprocal", t.op("Sqrt", line(t, x, 1, epsilon) if epsilon else x)))


def logarithm(t: Writing, x: str, epsilon: float) -> str:
    """Write the logarithm of a value plus a small number."""
    return str(t.op("Log", line(t, x, 1, epsilon) if epsilon else x))

"""Find weights that are a few even levels in each output channel, as rounding leaves them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_BITS = 8
TOLERANCE = 2.0**-21
"""Relative error of a weight up to which it is a level: that of a few float32 products."""

CHUNK_ELEMENTS, CHUNK_ROWS = 1 << 20, 1 << 10
"""Limits of what is examined at a time, which bound the memory for large layers."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def level_bits(weights: NDArray[Any]) -> int | None:
    """Return the bits of a weight (C, ...) if each channel holds few multiples of a scale.

    The levels of a tensor are around zero, with zero or half a step from it, or on one side from
    zero on, as those of `level_range`; the scales of channels may be negative. Return None if no
    levels of at most `MOST_BITS` bits reproduce all weights up to `TOLERANCE`.
    """
    if not weights.size:
        return None
    rows = weights.reshape(len(weights), -1)
    step = min(CHUNK_ROWS, max(1, CHUNK_ELEMENTS // rows.shape[1]))
    least = [1, 1, 1]
    for start in range(0, len(rows), step):
        numbers = _multiples(rows[start : start + step].astype(np.float64))
        if numbers is None:
            return None
        least = list(map(max, least, _bits_by_range(numbers)))
    bits = min(least)
    return bits if bits <= MOST_BITS else None


def level_bytes(weights: NDArray[Any]) -> tuple[int, int | None]:
    """Return the bytes of weights (C, ...) as levels with a float32 scale for each channel.

    The second number is the bits of a weight; None, with the bytes of float32, if the weights are
    not such levels or too few for these to be smaller.
    """
    plain = 4 * weights.size
    bits = level_bits(weights)
    if bits is not None:
        found = 4 * len(weights) + -(-weights.size * bits // 8)
        if found < plain:
            return found, bits
    return plain, None


def _multiples(rows: Floats) -> Integers | None:
    """Return the smallest whole numbers that the values of each row are in proportion to.

    None if a row needs numbers beyond 2 ** MOST_BITS - 1. The largest number of a row is the
    least common multiple of the denominators of its values as fractions of the largest.
    """
    sizes = np.abs(rows)
    top = sizes.max(1, keepdims=True)
    if not np.isfinite(top).all():
        return None
    ratios = sizes / np.where(top > 0, top, 1)
    largest = np.ones(len(rows), np.int64)
    factors = np.arange(2, 2**MOST_BITS)
    while True:  # at most MOST_BITS times, as the largest numbers at least double
        places = ratios * largest[:, None]
        excess = _distance(places) - TOLERANCE * places
        at = excess.argmax(1)
        wrong = np.flatnonzero(excess[np.arange(len(rows)), at] > 0)
        if not len(wrong):
            return (np.rint(places) * np.sign(rows)).astype(np.int64)
        tried = places[wrong, at[wrong], None] * factors
        fits = _distance(tried) <= TOLERANCE * tried
        fits &= largest[wrong, None] * factors < 2**MOST_BITS
        if not fits.any(1).all():
            return None
        largest[wrong] *= factors[fits.argmax(1)]


def _distance(values: Floats) -> Floats:
    """Return the distance of each value from the nearest whole number."""
    return np.abs(values - np.rint(values))


def _bits_by_range(numbers: Integers) -> tuple[int, int, int]:
    """Return the bits of levels around zero with it, without it, and on one side from it on.

    The sign of a row's scale is free, so that its longer side may be the negative one, which has a
    level more. More than `MOST_BITS` stands for none.
    """
    low, high = -numbers.min(1).clip(max=0), numbers.max(1).clip(min=0)
    size = np.maximum(low, high)
    around = 1 + _bits(int((size + (low == high)).max()))
    odd = (numbers % 2 == 1).all(1) | (size == 0)
    one_sided = (low == 0) | (high == 0)
    most = _bits(int(size.max()) + 1)
    none = MOST_BITS + 1
    return around, most if odd.all() else none, most if one_sided.all() else none


def _bits(count: int) -> int:
    """Return the bits that tell this many levels apart."""
    return (count - 1).bit_length()

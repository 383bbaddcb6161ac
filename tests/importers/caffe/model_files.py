"""Writes files of Caffe's weights, field by field, for the tests."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from torch import Tensor


def varint(value: int) -> bytes:
    made = bytearray()
    value %= 1 << 64
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes([*made, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def single(field: int, value: float) -> bytes:
    return varint(field << 3 | 5) + struct.pack("<f", value)


def inside(field: int, *content: bytes | str) -> bytes:
    data = b"".join(part.encode() if isinstance(part, str) else part for part in content)
    return varint(field << 3 | 2) + varint(len(data)) + data


def blob(array: Tensor, form: str = "shape") -> bytes:
    """Return a BlobProto: with its shape, with four sides, in doubles, or not packed."""
    values = array.flatten().tolist()
    if form == "sides":
        sides = [1] * (4 - array.ndim) + list(array.shape)
        sizes = b"".join(number(at, side) for at, side in enumerate(sides, start=1))
    else:
        sizes = inside(7, inside(1, *map(varint, array.shape)))
    if form == "double":
        return sizes + inside(8, struct.pack(f"<{len(values)}d", *values))
    if form == "single":
        return sizes + b"".join(single(5, value) for value in values)
    half = len(values) // 2
    parts = (values[:half], values[half:])  # of the same field, which readers join
    return sizes + b"".join(inside(5, struct.pack(f"<{len(p)}f", *p)) for p in parts)


def model(weights: dict[str, Iterable[Tensor]], generation: int = 2, form: str = "shape") -> bytes:
    """Return a NetParameter whose layers have these arrays, as one of Caffe's three generations."""
    made = [inside(1, "net")]
    for name, arrays in weights.items():
        blobs = [blob(array, form) for array in arrays]
        if generation == 2:
            made.append(inside(100, inside(1, name), *(inside(7, b) for b in blobs)))
        elif generation == 1:
            made.append(inside(2, inside(4, name), *(inside(6, b) for b in blobs)))
        else:
            layer = inside(1, inside(1, name), *(inside(50, b) for b in blobs))
            made.append(inside(2, layer))
    return b"".join(made)

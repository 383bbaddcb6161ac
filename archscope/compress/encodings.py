"""Encode the weights of a layer, and count the bytes."""

from __future__ import annotations

import torch
from msgspec import Struct
from torch import Tensor

from archscope.compress.codebooks import codebook, distinct, relative_entries
from archscope.compress.huffman import coded_bits

FLOAT_BYTES = INDEX_BYTES = COUNT_BYTES = 4


class Encoding(Struct, frozen=True):
    """The bytes of the weights of a layer in the forms that depend on their values."""

    bytes: dict[str, int]
    left: int  # non-zero weights
    values: int  # distinct values
    squares: float  # sum of the squares of the weights
    errors: float  # sum of the squared changes by the codebook


def encoded(weights: Tensor, code_bits: int, distance_bits: int) -> Encoding:
    """Encode the weights of a layer, finite numbers; the forms are those of `storage.FORMS`."""
    present = weights != 0
    left = int(present.sum())
    book = codebook(weights, code_bits)
    found, _ = relative_entries(book.codes, present, distance_bits)
    table = FLOAT_BYTES * 2**code_bits
    coded = coded_bytes(book.codes, present, table, code_bits, distance_bits)
    return Encoding(
        bytes={
            "csr": csr_bytes(present),
            "relative_index": relative_bytes(len(found), distance_bits),
            **coded,
        },
        left=left,
        values=len(book.values) if book.exact else len(distinct(weights)),
        squares=float(weights.double().square().sum()),
        errors=0.0 if book.exact else float((book.weights - weights.cpu()).double().square().sum()),
    )


def coded_bytes(
    codes: Tensor, present: Tensor, table: int, code_bits: int, distance_bits: int
) -> dict[str, int]:
    """Return the bytes of codes, uint8, with a table of their values of that many bytes.

    Huffman codes need a byte for the length of every symbol; the sparse forms leave out weights
    that are not `present`, whose code is 0.
    """
    found, distances = relative_entries(codes, present, distance_bits)
    lengths = 2**code_bits + 2**distance_bits
    sparse = COUNT_BYTES + table
    return {
        "codebook": table + _packed(codes.numel(), code_bits),
        "codebook_huffman": table + 2**code_bits + _coded(codes),
        "deep_compression": sparse
        + _packed(len(found), code_bits)
        + _packed(len(found), distance_bits),
        "deep_compression_huffman": sparse + lengths + _coded(found) + _coded(distances),
    }


def csr_bytes(present: Tensor) -> int:
    """Return the bytes of compressed sparse rows: values, columns, and the start of each row."""
    return (FLOAT_BYTES + INDEX_BYTES) * int(present.sum()) + INDEX_BYTES * (len(present) + 1)


def relative_bytes(entries: int, distance_bits: int) -> int:
    """Return the bytes of float32 weights, their distances, and the number of entries."""
    return COUNT_BYTES + FLOAT_BYTES * entries + _packed(entries, distance_bits)


def _packed(count: int, bits: int) -> int:
    return -(-count * bits // 8)


def _coded(symbols: Tensor) -> int:
    """Return the bytes of symbols, uint8, in Huffman codes, without the code lengths."""
    counts = torch.bincount(symbols.flatten().int(), minlength=256)
    return -(-coded_bits(counts.tolist()) // 8)

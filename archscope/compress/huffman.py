"""Lengths of Huffman codes, in which frequent symbols are short (Huffman 1952)."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush


def code_lengths(counts: Sequence[int]) -> list[int]:
    """Return the bits of each symbol's code; 0 for a symbol that is absent, or the only one.

    A canonical code follows from its lengths, which are all that a decoder needs.
    """
    trees = [(count, symbol, [symbol]) for symbol, count in enumerate(counts) if count]
    heapify(trees)
    lengths = [0] * len(counts)
    while len(trees) > 1:
        first, second = heappop(trees), heappop(trees)
        symbols = first[2] + second[2]
        for symbol in symbols:
            lengths[symbol] += 1
        heappush(trees, (first[0] + second[0], first[1], symbols))
    return lengths


def coded_bits(counts: Sequence[int]) -> int:
    """Return the bits of a message, given the count of each symbol, without the code lengths."""
    return sum(count * length for count, length in zip(counts, code_lengths(counts), strict=True))

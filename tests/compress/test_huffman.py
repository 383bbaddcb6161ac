"""Huffman codes: lengths of a prefix code, none shorter, decoded again."""

from __future__ import annotations

from itertools import product
from math import log2

from hypothesis import given
from hypothesis import strategies as st

from archscope.compress.huffman import code_lengths, coded_bits


@given(st.lists(st.integers(0, 1000), max_size=60))
def test_a_prefix_code_near_the_entropy(counts: list[int]) -> None:
    lengths = code_lengths(counts)
    used = [(count, length) for count, length in zip(counts, lengths, strict=True) if count]
    if len(used) < 2:
        assert not any(lengths)
        return
    assert sum(2.0**-length for _, length in used) == 1  # Kraft: complete
    total = sum(count for count, _ in used)
    entropy = sum(count * log2(total / count) for count, _ in used)
    assert entropy - 1e-6 <= coded_bits(counts) < entropy + total


@given(st.lists(st.integers(1, 50), min_size=2, max_size=5))
def test_no_code_is_shorter(counts: list[int]) -> None:
    shortest = min(
        sum(c * n for c, n in zip(counts, lengths, strict=True))
        for lengths in product(range(1, len(counts)), repeat=len(counts))
        if sum(2.0**-n for n in lengths) <= 1
    )
    assert coded_bits(counts) == shortest


@given(st.lists(st.integers(0, 6), min_size=1, max_size=200))
def test_lengths_are_enough_to_decode(message: list[int]) -> None:
    counts = [message.count(symbol) for symbol in range(7)]
    lengths = code_lengths(counts)
    if len(set(message)) == 1:
        return  # needs no bits
    words, word, before = {}, 0, 0
    for length, symbol in sorted((n, s) for s, n in enumerate(lengths) if n):  # canonical
        word <<= length - before
        words[symbol], before = f"{word:0{length}b}", length
        word += 1
    bits = "".join(words[symbol] for symbol in message)
    assert len(bits) == coded_bits(counts)
    symbols = {text: symbol for symbol, text in words.items()}
    found, start = [], 0
    for end in range(1, len(bits) + 1):
        if bits[start:end] in symbols:
            found.append(symbols[bits[start:end]])
            start = end
    assert found == message

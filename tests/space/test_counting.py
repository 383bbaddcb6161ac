"""Networks are counted exactly: as many as brute force finds, each with the same chance."""

from __future__ import annotations

from collections import Counter
from itertools import product
from math import prod
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archscope.language import document
from archscope.space.counting import draw, every, plan
from archscope.space.search_space import Space, space
from tests.space.test_holes import BLOCKS, space_of


def brute(found: Space) -> set[tuple[Any, ...]]:
    """Return all networks by trying all values of all decisions."""
    paths = [decision.path for decision in found.decisions]
    rows = product(*(decision.values() for decision in found.decisions))
    return {tuple(found.masked(dict(zip(paths, row, strict=True))).values()) for row in rows}


LINES = (
    "- conv: !choice [4, 8, 16]",
    "- conv: {out: 8, kernel: !choice [1, 3]}\n  when: !choice [true, false]",
    "- conv: {out: 8, kernel: !choice [1, 3]}\n  repeat: !int {low: 0, high: 2}",
    "- conv: !choice [4, 8]\n  when: =kind == 'a'\n  else: {dropout: !choice [0.1, 0.2, 0.3]}",
    "- relu: {}\n  when: =n > 1\n  then: {conv: !choice [1, 2]}",
    "- conv: !choice [1, 2]\n  repeat: =n",
    "- conv: {out: 4, kernel: !choice [1, 3]}\n  when: =n > 1 and kind != 'a'",
)


@settings(max_examples=40)
@given(st.lists(st.sampled_from(LINES), min_size=1, max_size=3))
def test_the_number_is_that_of_brute_force(lines: list[str]) -> None:
    found = space_of(
        "let: {kind: !choice [a, b], n: !int {low: 0, high: 2}}\nlayers:\n" + "\n".join(lines)
    )
    made = plan(found)
    networks = brute(found)
    assert made.count == len(networks)
    listed = [tuple(found.masked(choices).values()) for choices in every(made)]
    assert len(listed) == len(networks)
    assert set(listed) == networks


def test_a_nested_decision_counts_with_its_alternative() -> None:
    found = space_of(
        "let: {a: !choice [1, !choice [2, 3], !int {low: 4, high: 6}]}\nlayers: [relu]"
    )
    assert plan(found).count == 1 + 2 + 3 == len(brute(found))


def test_each_network_is_drawn_with_the_same_chance() -> None:
    found = space_of(BLOCKS.replace("repeat: 2", "repeat: 1"))
    made = plan(found)
    assert made.count == 2 * (2 + 4 + 8)
    random = Random(0)
    drawn = Counter(tuple(found.masked(draw(made, random)).values()) for _ in range(28 * 200))
    assert len(drawn) == 28
    chi = sum((count - 200) ** 2 / 200 for count in drawn.values())
    assert chi < 46.96  # the 99 % point for 27 degrees of freedom


@pytest.mark.parametrize(
    "name, count",
    [
        ("cifar_macro", 3**8),
        ("nasbench201_cell", 5**6),
        ("resnet", 2 * 3 * 2 * (3 * 8) ** 4),
        # A stem, and three stages of up to three layers with a kind and a kernel each.
        ("tiny", 3 * (4 * (4 + 4**2 + 4**3)) ** 3),
    ],
)
def test_shipped_spaces(name: str, count: int) -> None:
    assert plan(space(document(name))).count == count


def test_mobile_by_hand() -> None:
    mb, kernels = 3 * 3 * 2, 3

    def blocks(most: int) -> int:
        return sum(mb**depth for depth in range(1, most + 1))

    first = 3 * 2 * blocks(4) + 1  # one without expansion, then the stage; or a pooling
    shuffle = kernels * sum(kernels ** (depth - 1) for depth in (2, 4, 6, 8))
    narrow = 4 * (blocks(4) + shuffle)
    wide = 4 * (blocks(4) * blocks(3) + shuffle)
    assert plan(space(document("mobile"))).count == 3 * 3 * first * narrow * wide * wide


def test_decisions_without_end() -> None:
    found = space_of("layers: [{conv: !choice [1, 2]}, {dropout: !float {low: 0.1, high: 0.9}}]")
    made = plan(found)
    assert (made.count, made.endless) == (2, True)
    values = [draw(made, Random(seed))["dropout.p"] for seed in range(50)]
    assert len(set(values)) == 50
    assert all(0.1 <= value <= 0.9 for value in values)
    log = space_of("layers: [{dropout: !float {low: 0.0001, high: 0.5, log: true}}]")
    values = [draw(plan(log), Random(seed))["dropout.p"] for seed in range(200)]
    assert 40 < sum(value < 0.005 for value in values) < 140  # half the way on its scale


def test_large_products_stay_exact() -> None:
    lines = "\n".join(
        f"  - conv: {{out: !choice [{', '.join(map(str, range(1, 8)))}]}}" for _ in range(90)
    )
    found = space_of(f"layers:\n{lines}")
    assert plan(found).count == 7**90 == prod(decision.size or 0 for decision in found.decisions)

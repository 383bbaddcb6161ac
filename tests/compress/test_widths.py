"""Widths of clusters, compared with brute force."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archscope.compress import Group, Unit
from archscope.compress.groups import Term
from archscope.compress.widths import Rules, Widths, clusters, configurations


def group(units: int, least: int = 1, **widths: int) -> Group:
    made = tuple(Unit(number, ()) for number in range(units))
    return Group(tuple(widths), tuple(widths.values()), made, least)


def layer_widths(groups: tuple[Group, ...], kept: tuple[int, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each, count in zip(groups, kept, strict=True):
        for layer, width in zip(each.layers, each.widths, strict=True):
            found[layer] = found.get(layer, 0) + width * count
    return found


def sums(groups: Sequence[Group], rules: Rules) -> Widths:
    """Return widths that are the sums of channels of groups."""
    terms: dict[str, tuple[Term, ...]] = {}
    for place, each in enumerate(groups):
        for layer, width in zip(each.layers, each.widths, strict=True):
            terms[layer] = (*terms.get(layer, ()), Term(width, (place,)))
    return Widths(groups, terms, rules)


@pytest.mark.parametrize(
    ("units", "rules", "left"),
    [
        (20, Rules(8, 1), [8, 16, 20]),
        (16, Rules(4, 9), [12, 16]),
        (3, Rules(1, 1), [1, 2, 3]),
        (6, Rules(8, 1), [6]),
    ],
)
def test_a_group_by_itself(units: int, rules: Rules, left: list[int]) -> None:
    found = configurations((0,), sums([group(units, a=1)], rules))
    assert [kept for (kept,) in found] == left


def test_every_layer_of_a_group_counts() -> None:
    found = configurations((0,), sums([group(16, a=1, b=2)], Rules(8, 1)))
    assert [kept for (kept,) in found] == [8, 16]
    found = configurations((0,), sums([group(16, b=2)], Rules(8, 1)))
    assert [kept for (kept,) in found] == [4, 8, 12, 16]


def test_clusters_share_layers() -> None:
    groups = [group(4, a=1), group(4, b=1), group(4, a=1, c=1), group(4, c=1, d=1), group(2, b=1)]
    assert clusters(range(5), sums(groups, Rules(8, 1))) == [(0, 2, 3), (1, 4)]
    assert clusters(range(5), sums(groups, Rules(1, 1))) == [(place,) for place in range(5)]


@pytest.mark.parametrize(
    ("heads", "width", "of_heads", "of_width"),
    [
        (3, 64, [1, 2, 3], [8, 16, 24, 32, 40, 48, 56, 64]),
        (4, 36, [2, 4], [8, 16, 24, 32, 36]),  # of 36 channels each, 2 heads are 72
    ],
)
def test_heads_and_their_width_are_narrowed_apart(
    heads: int, width: int, of_heads: list[int], of_width: list[int]
) -> None:
    """Any of both together suits the lanes as well."""
    groups = [group(heads, a=width), group(width, a=heads)]
    widths = Widths(groups, {"a": (Term(1, (0, 1)),)}, Rules(8, 1))
    assert clusters((0, 1), widths) == [(0,), (1,)]
    assert [kept for (kept,) in configurations((0,), widths)] == of_heads
    assert [kept for (kept,) in configurations((1,), widths)] == of_width
    for some, wide in product(of_heads, of_width):
        assert some * wide % 8 == 0 or wide == width


def test_channels_beside_some_that_stay_are_counted_alone() -> None:
    """A gate and two features for each unit, as in MobileViTv2: 1 + 2 * 20 is odd."""
    widths = Widths([group(20, a=2)], {"a": (Term(1, ()), Term(2, (0,)))}, Rules(8, 1))
    assert [kept for (kept,) in configurations((0,), widths)] == [4, 8, 12, 16, 20]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_configurations_keep_the_rules(data: st.DataObject) -> None:
    layers = ["a", "b", "c"]
    groups = tuple(
        group(
            data.draw(st.integers(1, 6)),
            data.draw(st.integers(0, 1)),
            **{layer: data.draw(st.sampled_from([1, 2, 4])) for layer in ("a", *chosen)},
        )
        for chosen in data.draw(
            st.lists(st.sets(st.sampled_from(layers[1:])), min_size=2, max_size=3)
        )
    )
    rules = Rules(data.draw(st.sampled_from([2, 3, 4, 8])), data.draw(st.integers(1, 4)))
    whole = tuple(len(each.units) for each in groups)
    widths = layer_widths(groups, whole)
    found = configurations(range(len(groups)), sums(groups, rules))
    assert found[-1] == whole
    for kept, more in pairwise(found):
        assert all(a <= b for a, b in zip(kept, more, strict=True)) and kept != more
    allowed = {
        kept
        for kept in product(*(range(each.least, len(each.units) + 1) for each in groups))
        if all(rules.allow(now, widths[n]) for n, now in layer_widths(groups, kept).items())
    }
    assert {*found} <= allowed
    suitable = {
        k for k in allowed if all(w % rules.lanes == 0 for w in layer_widths(groups, k).values())
    }
    assert len(found) > 1 or not suitable - {whole}

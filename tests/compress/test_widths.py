"""Widths of clusters, compared with brute force."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archscope.compress import Group, Unit
from archscope.compress.widths import Rules, clusters, configurations


def group(units: int, least: int = 1, **widths: int) -> Group:
    made = tuple(Unit(number, ()) for number in range(units))
    return Group(tuple(widths), tuple(widths.values()), made, least)


def layer_widths(groups: tuple[Group, ...], kept: tuple[int, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each, count in zip(groups, kept, strict=True):
        for layer, width in zip(each.layers, each.widths, strict=True):
            found[layer] = found.get(layer, 0) + width * count
    return found


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
    found = configurations((group(units, a=1),), {"a": units}, rules)
    assert [kept for (kept,) in found] == left


def test_every_layer_of_a_group_counts() -> None:
    found = configurations((group(16, a=1, b=2),), {"a": 16, "b": 32}, Rules(8, 1))
    assert [kept for (kept,) in found] == [8, 16]
    found = configurations((group(16, b=2),), {"b": 32}, Rules(8, 1))
    assert [kept for (kept,) in found] == [4, 8, 12, 16]


def test_clusters_share_layers() -> None:
    groups = [group(4, a=1), group(4, b=1), group(4, a=1, c=1), group(4, c=1, d=1), group(2, b=1)]
    found = clusters(groups, Rules(8, 1))
    assert found == [(groups[0], groups[2], groups[3]), (groups[1], groups[4])]
    assert clusters(groups, Rules(1, 1)) == [(each,) for each in groups]


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
    found = configurations(groups, widths, rules)
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

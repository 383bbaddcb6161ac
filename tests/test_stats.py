"""Statistics agree with published values or with scipy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, kruskal, spearmanr

from archscope.stats import (
    beyond_chance,
    binomial_tail,
    bootstrap_interval,
    chi_square_tail,
    dominated_area,
    holm,
    kruskal_wallis,
    rank_correlation,
    residual_variation,
    wilson_interval,
)

PAIRS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=30)


@given(PAIRS)
def test_rank_correlation_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    first, second = zip(*pairs, strict=True)
    found = rank_correlation(first, second)
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)


def test_one_pair_has_no_rank_correlation() -> None:
    assert rank_correlation([1.0], [2.0]) is None
    assert rank_correlation([], []) is None


def test_wilson_as_published() -> None:
    # Brown, Cai and DasGupta 2001: none of 10 gives an interval up to 0.2775.
    assert wilson_interval(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)
    assert wilson_interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def test_the_interval_of_a_mean_holds_it() -> None:
    low, high = bootstrap_interval([1.0, 2.0, 3.0, 4.0])
    assert 1 <= low < 2.5 < high <= 4
    assert bootstrap_interval([2.0, 2.0]) == (2.0, 2.0)


@given(st.integers(0, 60), st.integers(1, 60), st.floats(0.01, 0.99))
def test_binomial_tail_is_scipy_s(successes: int, trials: int, chance: float) -> None:
    from scipy.stats import binomtest

    successes = min(successes, trials)
    expected = binomtest(successes, trials, chance, alternative="greater").pvalue
    assert binomial_tail(successes, trials, chance) == pytest.approx(expected, abs=1e-9)


def test_beyond_chance() -> None:
    assert beyond_chance(0.3, 100, 0.1) and not beyond_chance(0.16, 100, 0.1)
    assert beyond_chance(0.19, 100, 0.1) and not beyond_chance(0.19, 100, 0.1, among=50)
    assert not beyond_chance(0.9, 100, 0.9), "guessing the most frequent class"
    assert not beyond_chance(1.0, 0, 0.1)
    assert beyond_chance(1.0, 5000, 0.999)


def test_residual_variation_is_that_of_an_analysis_of_variance() -> None:
    # Networks and seeds without interaction leave nothing; one deviation d leaves d^2 / 4 in 2 x 2.
    assert residual_variation([[1.0, 3.0], [2.0, 4.0], [7.0, 9.0]]) == (pytest.approx(0), 2)
    assert residual_variation([[1.0, 3.0], [2.0, 5.0]]) == (pytest.approx(0.25), 1)
    assert residual_variation([[1.0, 3.0]]) == (pytest.approx(2), 1), "of its own mean"
    assert residual_variation([]) == residual_variation([[1.0], [2.0]]) == (0.0, 0)


@given(st.floats(0, 1e4), st.integers(1, 60))
def test_the_tail_of_chi_square_is_that_of_scipy(value: float, degrees: int) -> None:
    found = chi_square_tail(value, degrees)
    assert found == pytest.approx(chi2.sf(value, degrees), rel=1e-9, abs=1e-300)


@given(st.lists(st.lists(st.integers(0, 9), max_size=12), max_size=6))
def test_kruskal_wallis_is_that_of_scipy(groups: list[list[int]]) -> None:
    known = [group for group in groups if group]
    if len(known) < 2 or len({value for group in known for value in group}) < 2:
        assert kruskal_wallis(groups) is None
    else:
        assert kruskal_wallis(groups) == pytest.approx(kruskal(*known).pvalue, rel=1e-9)


def test_holm_as_published() -> None:
    assert holm({"a": 0.04, "b": 0.01, "c": 0.03}) == {"b": 0.03, "c": 0.06, "a": 0.06}
    assert holm({}) == {}


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=8))
def test_the_dominated_area_is_that_of_its_cells(points: list[tuple[int, int]]) -> None:
    """Also where nothing is above the least score, as where all scores are equal."""
    most, least = 5, 2
    cells = sum(
        any(cost <= x and score > y for cost, score in points)
        for x in range(most)
        for y in range(least, 7)
    )
    assert dominated_area(points, most, least) == cells

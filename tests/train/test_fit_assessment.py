"""What is said of the fit, beside the accuracies that tables show and what guessing reaches."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archscope.records.training import Epoch
from archscope.stats import wilson_interval
from archscope.train.fit_assessment import Guessing, assess_fit, assess_gain


def curve(*rows: tuple[float, float, float, float]) -> list[Epoch]:
    """Return epochs of training loss and accuracy, validation loss and accuracy."""
    return [
        Epoch(
            number, number, {"loss": a, "top1": b}, {"loss": c, "top1": d}, 0.1, 1.0, 1.0
        )
        for number, (a, b, c, d) in enumerate(rows, 1)
    ]  # fmt: skip


def constant(trained: float, held: float) -> list[Epoch]:
    """Return two epochs with the same accuracies and a loss that falls."""
    return curve((1.0, trained, 1.0, held), (0.5, trained, 0.9, held))


def test_curves_of_many_images() -> None:
    apart = curve((1.0, 0.6, 1.0, 0.6), (0.3, 0.9, 0.9, 0.7))
    told = "overfitting: training top1 is 90.0 %, validation top1 is 70.0 %"
    assert assess_fit(apart, "top1") == told
    falling = curve((2.0, 0.2, 2.0, 0.2), (1.8, 0.3, 1.8, 0.3))
    rose = "underfitting: training top1 still rose by 10.0 points"
    assert assess_fit(falling, "top1").startswith(rose)
    full = curve((1.1, 0.6, 0.7, 0.75), (0.5, 1.0, 0.3, 1.0))
    assert assess_fit(full, "top1").startswith("a good fit"), "it cannot rise any more"
    lost = curve((2.3, 0.1, 2.3, 0.1), (2.4, 0.1, 2.3, 0.1))
    assert assess_fit(lost, "top1").startswith("underfitting: the network does not learn")
    settled = curve((0.2, 0.94, 0.21, 0.93), (0.199, 0.941, 0.21, 0.93))
    assert assess_fit(settled, "top1").startswith("a good fit")
    assert assess_fit(settled[:1], "top1").startswith("too few epochs")
    worse = curve((0.5, 0.9, 0.5, 0.9), (0.1, 0.9, 0.9, 0.7))
    late = "overfitting after epoch 1, whose weights are kept: validation top1 then fell by 20.0"
    assert assess_fit(worse, "top1", best=worse[0]).startswith(late)


@pytest.mark.parametrize(
    ("validation", "test", "verdict"),
    [
        ((0.80, 0.85), (0.81, 0.90), "a gain"),
        ((0.80, 0.85), (0.81, 0.80), "no clear gain"),
        ((0.80, 0.80), (0.81, 0.90), "no clear gain"),
        ((0.80, 0.80), (0.81, 0.80), "no gain"),
    ],
)
def test_a_gain_is_one_in_every_split(
    validation: tuple[float, float], test: tuple[float, float], verdict: str
) -> None:
    splits = [
        (name, {"auc": before}, {"auc": after})
        for name, (before, after) in (("validation", validation), ("test", test))
    ]
    told = assess_gain("auc", splits)
    assert told.startswith(f"{verdict}: auc of classes that were not trained on went from 80.0 %")
    assert f"from 81.0 % to {100 * test[1]:.1f} % in test" in told
    assert assess_gain("auc", splits[1:]).endswith(f"to {100 * test[1]:.1f} % in test")


@pytest.mark.parametrize(
    ("trained", "held", "images", "told"),
    [
        (0.25, 0.10, (216, 24), "underfitting: training top1 is 25.0 %, not significantly"),
        (0.44, 0.29, (216, 24), "too few images to tell: top1 on 24 validation images is 29.0 %"),
        (0.98, 0.80, (216, 24), "overfitting"),
        (0.85, 0.70, (216, 10), "too few images to tell"),
        (0.98, 0.96, (216, 24), "a good fit"),
        (0.35, 0.24, (5000, 500), "overfitting: training top1 is 35.0 %, validation top1"),
        (0.30, 0.26, (5000, 500), "too few images to tell"),
    ],
)
def test_accuracies_beside_guessing(
    trained: float, held: float, images: tuple[int, int], told: str
) -> None:
    guessing = Guessing(*images, chance=0.25)
    assert assess_fit(constant(trained, held), "top1", guessing=guessing).startswith(told)


SHARES = st.floats(0, 1)


@given(
    st.lists(st.tuples(SHARES, SHARES), min_size=2, max_size=4),
    st.tuples(st.integers(1, 5000), st.integers(1, 1000)),
    st.floats(0.01, 1),
)
def test_a_verdict_never_contradicts_the_table(
    rows: list[tuple[float, float]], images: tuple[int, int], chance: float
) -> None:
    epochs = curve(*((1.0 / n, a, 1.0, b) for n, (a, b) in enumerate(rows, 1)))
    best = max(epochs, key=lambda row: row.validation["top1"] if row.validation else 0)
    told = assess_fit(epochs, "top1", best=best, guessing=Guessing(*images, chance=chance))
    assert best.validation is not None
    trained, held = best.train["top1"], best.validation["top1"]
    for number in re.findall(r"training top1 is ([\d.]+) %", told):
        assert number == f"{100 * trained:.1f}"
    if told.startswith("overfitting:"):
        assert trained - held > 0.1
        assert wilson_interval(round(trained * images[0]), images[0])[0] > min(chance, held)
    if told.startswith("a good fit"):
        assert wilson_interval(round(held * images[1]), images[1])[0] > chance

"""Assess whether a network over- or underfits, by the scores of its best epoch."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from archscope.records.training import Epoch, Scores
from archscope.stats import difference_interval, wilson_interval

AHEAD = 0.1
"""Difference of the goal between training and validation that counts as overfitting."""

RISE = 0.01
"""Rise of the goal in training per epoch above which more epochs would help."""


class Guessing(Struct, frozen=True):
    """The number of images for training and validation, and the accuracy of guessing.

    `chance` is the accuracy of always predicting the most frequent class.
    """

    train: int
    validation: int
    chance: float


def assess_fit(
    epochs: Sequence[Epoch],
    goal: str,
    *,
    best: Epoch | None = None,
    before: Scores | None = None,
    guessing: Guessing | None = None,
) -> str:
    """Return whether the network over- or underfits, as one sentence.

    It is about `best`, the epoch whose weights are kept, as tables show it; by default that of the
    best validation. Overfitting: the goal is 0.1 ahead in training. Underfitting: it is no better
    than guessing in training, or still rose by a hundredth in the last epoch, unless it cannot rise
    by as much again. `before` are the validation scores before training. With `guessing`, the goal
    is an accuracy, and nothing is said that so few images cannot show at 95 % confidence (intervals
    of Wilson 1927, Newcombe 1998).
    """
    rows = [row for row in epochs if row.validation is not None]
    if len(rows) < 2:
        return "too few epochs with validation to judge the fit"
    if best is None or best.validation is None:
        best = max(rows, key=lambda row: _of(row, goal))
    trained, held = best.train[goal], _of(best, goal)
    if before is not None and held <= before[goal]:
        return (
            f"no gain: validation {goal} was {_percent(before[goal])} before training and is"
            f" {_percent(held)} at best after it"
        )
    ahead = trained - held > AHEAD
    if guessing is not None:
        sentence = _beside_guessing(trained, held, goal, guessing)
        if sentence:
            return sentence
    if ahead:
        return (
            f"overfitting: training {goal} is {_percent(trained)}, validation {goal} is"
            f" {_percent(held)}"
        )
    if trained < 0.9 and rows[-1].train["loss"] > 0.99 * rows[0].train["loss"]:
        return (
            "underfitting: the network does not learn; the training loss was"
            f" {rows[0].train['loss']:.3g} in the first epoch and {rows[-1].train['loss']:.3g} in"
            f" the last, training {goal} is {_percent(trained)}"
        )
    rise = rows[-1].train[goal] - rows[-2].train[goal]
    if rise >= RISE and 1 - rows[-1].train[goal] >= RISE:
        return (
            f"underfitting: training {goal} still rose by {_points(rise)} in the last epoch; more"
            " epochs may help"
        )
    fell = held - _of(rows[-1], goal)
    if fell > AHEAD:
        return (
            f"overfitting after epoch {best.epoch}, whose weights are kept: validation {goal} then"
            f" fell by {_points(fell)}"
        )
    return "a good fit: training and validation agree, and both have converged"


def assess_gain(
    goal: str, splits: Sequence[tuple[str, Scores, Scores]], interpolation: float | None = None
) -> str:
    """Return whether training helped with classes that it did not see, as one sentence.

    Of each split: its name, and its scores with the untrained weights and with those that are
    kept. A gain is one in every split. `interpolation` is the position of the kept weights between
    those before training and the trained ones.
    """
    gained = [after[goal] > before[goal] for _, before, after in splits]
    verdict = "a gain" if all(gained) else "no clear gain" if any(gained) else "no gain"
    changes = " and ".join(
        f"from {_percent(before[goal])} to {_percent(after[goal])} in {split}"
        for split, before, after in splits
    )
    kept = ""
    if interpolation == 0:
        kept = "; the weights before training are kept, as none on the way validate better"
    elif interpolation is not None and interpolation < 1:
        kept = f", with weights {interpolation:g} of the way to the trained ones"
    return f"{verdict}: {goal} of classes that were not trained on went {changes}{kept}"


def _beside_guessing(trained: float, held: float, goal: str, images: Guessing) -> str:
    """Compare accuracies on this many images with guessing; empty if nothing is wrong."""
    right = round(trained * images.train), round(held * images.validation)
    low, high = wilson_interval(right[1], images.validation)
    least, _ = wilson_interval(right[0], images.train)
    interval = f"95 % confidence interval {_percent(low)} to {_percent(high)}"
    beyond, _ = difference_interval(right[0], images.train, right[1], images.validation)
    guess = _percent(images.chance)
    if least <= images.chance and low <= images.chance:
        return (
            f"underfitting: training {goal} is {_percent(trained)}, not significantly better than"
            f" guessing ({guess})"
        )
    if trained - held > AHEAD and beyond > 0:
        return (
            f"overfitting: training {goal} is {_percent(trained)}, validation {goal} is"
            f" {_percent(held)} ({interval})"
        )
    if low <= images.chance or trained - held > AHEAD:
        other = f"guessing gives {guess}"
        if low > images.chance:
            other = f"training {goal} is {_percent(trained)}"
        return (
            f"too few images to tell: {goal} on {images.validation} validation images is"
            f" {_percent(held)} ({interval}), and {other}"
        )
    return ""


def _of(row: Epoch, goal: str) -> float:
    assert row.validation is not None
    return row.validation[goal]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"

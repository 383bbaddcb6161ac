"""The scores of a trained network on a data set."""

from __future__ import annotations

from msgspec import Struct

from archscope.records.training import Scores


class Evaluation(Struct, frozen=True):
    """The scores of a classifier, with its confusion matrix."""

    format: int
    run: str
    data: str
    images: int
    classes: tuple[str, ...]
    scores: Scores
    confusion: tuple[tuple[int, ...], ...]  # true class by row, predicted class by column
    chance: float | None = None  # accuracy of always guessing the most frequent training class


class PairEvaluation(Struct, frozen=True):
    """How well distances of embeddings separate pairs of the same class from other pairs."""

    format: int
    run: str
    data: str
    images: int
    pairs: int
    classes: tuple[str, ...]
    distance: str
    scores: Scores

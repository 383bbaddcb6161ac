"""The scores of a trained network on a data set."""

from __future__ import annotations

from msgspec import Struct

from archscope.records.training import PixelStatistics, Scores


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
    split: str | None = None  # test, validation or train
    weights: str | None = None  # best, last, or the file that they are from
    normalization: PixelStatistics | None = None  # what pixels from 0 to 1 are normalised by


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

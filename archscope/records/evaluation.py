"""Scores of a trained network on the images of a data set."""

from __future__ import annotations

from msgspec import Struct

from archscope.records.training import Scores


class Evaluation(Struct, frozen=True):
    """Scores of a classifier with its confusion matrix."""

    format: int
    run: str
    data: str
    images: int
    classes: tuple[str, ...]
    scores: Scores
    confusion: tuple[tuple[int, ...], ...]  # true class by row, predicted class by column
    chance: float | None = None  # accuracy of always naming the class that trained most


class PairEvaluation(Struct, frozen=True):
    """How well the distances of embeddings tell pairs of one class from pairs of two."""

    format: int
    run: str
    data: str
    images: int
    pairs: int
    classes: tuple[str, ...]
    distance: str
    scores: Scores

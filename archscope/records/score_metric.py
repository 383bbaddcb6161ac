"""The metric by which a study scores networks: its name, which values are better, its format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct

from archscope.units import MEASURED, SHARE, format_value

Direction = Literal["maximize", "minimize"]
"""Whether higher or lower scores are better, in the words of Optuna."""

MAXIMIZE: Direction = "maximize"


class ScoreMetric(Struct, frozen=True):
    """What the scores of a study are; by default, accuracies as shares."""

    name: str = "accuracy"
    direction: Direction = MAXIMIZE
    kind: str = SHARE.kind  # the format of its values

    @property
    def is_share(self) -> bool:
        """Whether scores are from 0 to 1, and written as percentages."""
        return self.kind == SHARE.kind

    def gain(self, score: float) -> float:
        """Return a score such that higher is better."""
        return score if self.direction == MAXIMIZE else -score

    def best(self, scores: Iterable[float]) -> float | None:
        """Return the best of some scores, None if there are none."""
        return max(scores, key=self.gain, default=None)

    def format(self, score: float) -> str:
        """Return a score as text: `95.8 %` or `31.42`."""
        return format_value(score, self.kind)

    def format_difference(self, difference: float) -> str:
        """Return a difference of scores as text: `1.2 points` or `0.35`."""
        return f"{100 * difference:.1f} points" if self.is_share else self.format(difference)

    def labelled(self, score: float) -> str:
        """Return a score with its name, which a percentage does not need: `psnr 31.42`."""
        return self.format(score) if self.is_share else f"{self.name} {self.format(score)}"


TRAINED_SCORE = ScoreMetric()
"""The metric of trainings: accuracy on the validation images."""


def metric_of_evaluator(name: str, direction: Direction) -> ScoreMetric:
    """Return the metric of a user's function; without a name, its scores are from 0 to 1."""
    return ScoreMetric(name, direction, MEASURED.kind) if name else ScoreMetric("score")


def metric_of_study(study: Mapping[str, Any]) -> ScoreMetric:
    """Return the metric of a study by the content of its study.json."""
    if not study.get("evaluator"):
        return TRAINED_SCORE
    down = study.get("direction") == "minimize"
    return metric_of_evaluator(str(study.get("metric") or ""), "minimize" if down else MAXIMIZE)

"""The records of a study on disk: its proposed networks and the best of them.

Attributes have the names of the code; the keys on disk are those of the first release.
"""

from __future__ import annotations

from math import isfinite
from typing import Any, Literal

from msgspec import Struct, field

from archscope.records.score_metric import TRAINED_SCORE, ScoreMetric
from archscope.units import format_measure

Outcome = Literal[
    "trained", "pruned", "failed", "predicted", "infeasible", "impossible", "known", "passed"
]
"""The outcome of a proposed network.

`trained` (to the end), `pruned` (stopped early) and `failed` come from a training, `predicted` from
a prior. The others needed no training: `infeasible` exceeds a budget, `impossible` makes no
network, `known` equals an earlier one, and `passed` was ranked below another by the zero-cost
proxies.
"""

TRAINED: tuple[Outcome, ...] = ("trained", "pruned", "failed", "predicted")
"""Outcomes with a result, from a training or a prediction."""


PROFILES = "profiles"
"""The key of study.json with the checksums of latency profiles that budgets name."""

BASELINE = "control"
"""The origin of networks drawn for the baseline, as stored on disk."""


class Job(Struct, frozen=True):
    """A network to train, as plain data for any process."""

    number: int
    spec: str  # the network as YAML
    digest: str
    rungs: tuple[tuple[int, float], ...] = ()  # epochs, and the validation losses that prune it
    keep: str | None = None  # run folder to write, if any
    inherit: str | None = None  # file of another network's weights to start from, if any
    leave: str | None = None  # file to write the trained weights to, if any


class TrialResult(Struct, frozen=True):
    """The result of a training.

    The score of a network is its accuracy on the validation images after its best epoch; between
    epochs of equal accuracy, the loss decides. A user's function gives scores of any metric.
    """

    number: int
    outcome: Outcome
    score: float | None = None
    scores: dict[str, float] = {}  # on the validation images, after the best epoch
    curve: tuple[float, ...] = ()  # validation accuracy after each epoch
    proxies: dict[str, float] = {}  # zero-cost proxies before the training
    seconds: float = 0.0
    reason: str = ""
    cached: bool = False
    worker: int = 0  # number of the process
    started: float = 0.0  # seconds since the executor started
    losses: tuple[float, ...] = ()  # validation loss after each epoch
    validated: int = 0  # number of validation images, over all splits
    chance: float = 0.0  # accuracy of always guessing the most frequent class
    speed: float = 0.0  # images per second of training


class Trial(Struct, frozen=True):
    """A network that a study proposed: its choices, its costs and its outcome."""

    number: int
    choices: dict[str, Any] = field(name="genes")  # by path of the decision
    outcome: Outcome
    origin: str  # the sampler, "control" for the baseline, "anchor: ...", "repair"
    idle: dict[str, Any] = {}  # values of inactive decisions, for samplers
    excess: dict[str, float] = {}  # over each budget, as a share of it; 0 or less is within it
    costs: dict[str, float] = {}
    digest: str = ""
    values: tuple[float, ...] = ()  # of the objectives, in their order
    same_as: int | None = None  # number of an earlier equal network
    result: TrialResult | None = field(default=None, name="verdict")
    predicted: float | None = None  # a prior's top-1 in percent for the deployed network

    @property
    def trained(self) -> bool:
        """Whether it has a result: its training ended, was pruned or failed, or was predicted."""
        return self.outcome in TRAINED

    @property
    def drawn_by(self) -> str:
        """Its origin in words: on disk, the baseline is "control"."""
        return "baseline" if self.origin == BASELINE else self.origin

    @property
    def accuracy(self) -> float | None:
        """The score of a fully trained or predicted network."""
        if self.outcome not in ("trained", "predicted") or self.score is None:
            return None
        return self.score if isfinite(self.score) else None

    @property
    def score(self) -> float | None:
        """The score of a network that was trained, at least in part."""
        if self.result is None:
            return None
        if self.result.score is not None and not self.result.curve:
            return self.result.score  # of a prior or a user's function
        # In trainings of earlier versions, a low loss raised the score.
        return self.result.scores.get("top1", self.result.score)


DEMONSTRATIONS = ("digits",)
"""Data sets for demonstrations of a search: their scores do not distinguish good networks."""


def data_text(name: str) -> str:
    """Return the name of a data set, with a remark if it is only a demonstration."""
    return f"{name}, a demonstration" if name.partition(":")[0] in DEMONSTRATIONS else name


class DeviceLatency(Struct, frozen=True):
    """The milliseconds of a network on the device of a budget: predicted, and perhaps measured."""

    cost: str  # latency@PROFILE
    budget: str  # as written by the user
    predicted: float
    low: float  # lower end of the 90 % interval
    high: float
    measured: float | None = None  # None: the device is another machine
    excess: float | None = None  # of the measured value over the budget, as a share of it
    unlike: tuple[str, ...] = ()  # how it differs from what the profile was fitted to
    notes: tuple[str, ...] = ()  # how the conditions differ from those of the profile

    @property
    def misses(self) -> bool:
        """Whether the measured value exceeds the budget."""
        return self.excess is not None and self.excess > 0

    @property
    def profile(self) -> str:
        """The profile that predicts it."""
        return self.cost.partition("@")[2]

    @property
    def words(self) -> str:
        """A description in one line, without a full stop."""
        expected = (
            f"{format_measure(self.predicted)} ms predicted by '{self.profile}'"
            f" ({format_measure(self.low)} to {format_measure(self.high)} in 9 of 10 cases)"
        )
        if self.measured is None:
            return f"{expected}, not measured"
        return f"{format_measure(self.measured)} ms measured here, {self.place}; {expected}"

    @property
    def place(self) -> str:
        """The measured time relative to the budget; "" if it was not measured."""
        if self.excess is None:
            return ""
        percent = 100 * abs(self.excess)
        share = f"{percent:.0f} %" if percent >= 1 else f"{percent:.1g} %"
        return f"misses {self.budget} by {share}" if self.misses else f"{share} under {self.budget}"


class Finalist(Struct, frozen=True):
    """One of the best networks of a study, trained again, longer and with several seeds."""

    trial: int
    choices: dict[str, Any] = field(name="genes")  # by path of the decision
    costs: dict[str, float]
    searched: float  # its score in the search
    scores: tuple[float, ...]  # of the longer trainings, one per seed
    mean: float
    spread: float | None  # standard deviation; None for a single seed
    low: float | None  # 95 % interval of the mean over seeds; None: unknown
    high: float | None
    tied: bool = False  # not significantly worse than the best, which is tied, too
    runs: tuple[str, ...] = ()  # run folders of these trainings, in the order of the scores
    best_run: str = ""  # run folder of the best of them
    latency: tuple[DeviceLatency, ...] = ()  # on the devices of the budgets
    misses: bool = False  # whether it exceeds a latency budget when measured, so it cannot win


class Predicted(Struct, frozen=True):
    """A network with its predicted top-1 accuracy in percent and its interval."""

    name: str
    costs: dict[str, float]
    mean: float
    low: float
    high: float
    unlike: tuple[str, ...] = ()  # how it differs from what the prior was fitted to
    trial: int | None = None
    choices: dict[str, Any] = {}  # by path of the decision
    latency: tuple[DeviceLatency, ...] = ()  # on the devices of the budgets
    misses: bool = False  # whether it exceeds a latency budget when measured, so it cannot win


def missed(row: Finalist | Predicted) -> str:
    """Return by how much a measured network exceeds its latency budgets, "" if it does not."""
    return " and ".join(latency.place for latency in row.latency if latency.misses)


class LearningCheck(Struct, frozen=True):
    """A brief training to check that a network learns; it does not measure its accuracy."""

    trial: int
    accuracy: float | None  # on the validation images
    chance: float | None  # accuracy of always guessing the most frequent class
    learns: bool  # it is better than chance
    seconds: float
    reason: str = ""  # why there is no accuracy


class PriorReport(Struct, frozen=True):
    """A prior's predictions for a space and the networks that a search found in it."""

    prior: str
    about: str  # what it predicts, and from what
    networks: tuple[Predicted, ...]  # the best of the search first
    references: tuple[Predicted, ...]  # known networks for comparison
    refused: dict[str, str]  # known networks that it does not cover, and why
    bound: float | None = None  # of predictions for networks of the space within the budgets
    proved: bool = False  # whether the first network is the best according to this prior
    checks: tuple[LearningCheck, ...] = ()
    images: str = ""  # the images of the checks


class Certificate(Struct, frozen=True):
    """The proved optimum of an additive model of the scores, and the model's value of the winner.

    Values are scores. The model is a regression on the decisions, fitted to the trainings of a
    study; real scores are not such a sum.
    """

    trainings: int  # number of trainings that the model is fitted to
    rank_correlation: float | None  # Spearman correlation of scores with cross-validated ones
    optimum: float  # of the best network within the budgets that was found
    bound: float  # of the values of networks within the budgets
    proved: bool  # whether the optimum is proved to be the best
    winner: float  # the model's value of the winner
    choices: dict[str, Any]  # of the optimum, by path of the decision
    relaxed: tuple[str, ...] = ()  # budgets ignored by the bound, as they are not sums
    metric: ScoreMetric = TRAINED_SCORE
    sentence: str = ""  # a summary without a full stop

    @property
    def gap(self) -> float:
        """By how much a network could be better than the winner, according to the model."""
        return max(0.0, self.metric.gain(self.bound) - self.metric.gain(self.winner))

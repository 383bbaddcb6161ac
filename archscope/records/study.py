"""What a study keeps on disk of each network that it proposed, and of the best of them.

Attributes have the names of the code; the keys on disk are those of the first release.
"""

from __future__ import annotations

from math import isfinite
from typing import Any, Literal

from msgspec import Struct, field

from archscope.units import format_measure

Outcome = Literal[
    "trained", "pruned", "failed", "predicted", "infeasible", "impossible", "known", "passed"
]
"""What became of a proposed network.

Training took place for `trained` (to the end), `pruned` (stopped early) and `failed`; a prior has
said what a `predicted` one would reach. The others cost none: `infeasible` is beyond a budget,
`impossible` makes no network, `known` equals an earlier one, and `passed` was ranked below another
by the zero-cost proxies.
"""

TRAINED: tuple[Outcome, ...] = ("trained", "pruned", "failed", "predicted")
"""Outcomes with a result: a training took place, or a prediction in place of one."""


BASELINE = "control"
"""The origin of networks drawn for the baseline, as it stands on disk."""


class Job(Struct, frozen=True):
    """A network to train; plain data that any process can take."""

    number: int
    spec: str  # the network as YAML
    digest: str
    rungs: tuple[tuple[int, float], ...] = ()  # epochs, and the validation losses that prune it
    keep: str | None = None  # path of the run folder that the training leaves, if any
    inherit: str | None = None  # file of the weights of another network to begin with, if any
    leave: str | None = None  # file that the trained weights are written to, if any


class TrialResult(Struct, frozen=True):
    """The result of a training.

    The score of a network, by which networks are compared, is its accuracy on the validation images
    after its best epoch; the loss decides which of two epochs of equal accuracy is better.
    """

    number: int
    outcome: Outcome
    score: float | None = None
    scores: dict[str, float] = {}  # on the validation images, after the best epoch
    curve: tuple[float, ...] = ()  # validation accuracy after each epoch
    proxies: dict[str, float] = {}  # the zero-cost proxies before the training
    seconds: float = 0.0
    reason: str = ""
    cached: bool = False
    worker: int = 0  # number of the process
    started: float = 0.0  # seconds since the executor started
    losses: tuple[float, ...] = ()  # validation loss after each epoch
    validated: int = 0  # validation images, of all splits together
    chance: float = 0.0  # accuracy of always guessing the most frequent class
    speed: float = 0.0  # images per second of training


class Trial(Struct, frozen=True):
    """A network that a study proposed: its choices, its costs and what became of it."""

    number: int
    choices: dict[str, Any] = field(name="genes")  # by path of the decision
    outcome: Outcome
    origin: str  # the sampler, "control" for the baseline, "anchor: ...", "repair"
    idle: dict[str, Any] = {}  # values of inactive decisions, which samplers remember
    excess: dict[str, float] = {}  # beyond each budget, as a share of it; 0 or less is inside
    costs: dict[str, float] = {}
    digest: str = ""
    values: tuple[float, ...] = ()  # of the objectives, in their order
    same_as: int | None = None  # number of the equal network proposed before
    result: TrialResult | None = field(default=None, name="verdict")
    predicted: float | None = None  # top-1 in percent that a prior expected of the deployed network

    @property
    def trained(self) -> bool:
        """Whether it has a result: its network was trained, in part or in vain, or predicted."""
        return self.outcome in TRAINED

    @property
    def drawn_by(self) -> str:
        """Its origin as people read it: the baseline stands as "control" on disk."""
        return "baseline" if self.origin == BASELINE else self.origin

    @property
    def accuracy(self) -> float | None:
        """The score of a network that was trained to its end, or predicted."""
        if self.outcome not in ("trained", "predicted") or self.score is None:
            return None
        return self.score if isfinite(self.score) else None

    @property
    def score(self) -> float | None:
        """The score of a network that was trained, be it in part."""
        if self.result is None:
            return None
        # Studies of earlier versions have a score that is raised where the loss is low.
        return self.result.scores.get("top1", self.result.score)


DEMONSTRATIONS = ("digits",)
"""Data sets that only show how a search works: they do not tell good networks apart."""


def data_text(name: str) -> str:
    """Return the name of a data set, and whether it is but a demonstration."""
    return f"{name}, a demonstration" if name.partition(":")[0] in DEMONSTRATIONS else name


TOLERANCE = 0.1
"""By which share of a latency budget a network may be measured beyond it."""


class DeviceLatency(Struct, frozen=True):
    """The milliseconds of a network on the device of a budget: predicted, and measured there."""

    cost: str  # latency@PROFILE
    budget: str  # as it was written
    predicted: float
    low: float  # of the interval that holds in nine cases of ten
    high: float
    measured: float | None = None  # None: the device is another machine
    excess: float | None = None  # beyond the budget when measured, as a share of it; inside below 0
    unlike: tuple[str, ...] = ()  # in what it is unlike all that the profile was fitted to
    notes: tuple[str, ...] = ()  # where the conditions here are not those of the profile

    @property
    def misses(self) -> bool:
        """Whether it was measured to be beyond the budget by more than `TOLERANCE`."""
        return self.excess is not None and self.excess > TOLERANCE

    @property
    def profile(self) -> str:
        """The profile that predicts it."""
        return self.cost.partition("@")[2]

    @property
    def words(self) -> str:
        """What it says, in one line without a full stop."""
        expected = (
            f"{format_measure(self.predicted)} ms predicted by '{self.profile}'"
            f" ({format_measure(self.low)} to {format_measure(self.high)} in 9 of 10 cases)"
        )
        if self.measured is None:
            return f"{expected}, not measured"
        return f"{format_measure(self.measured)} ms measured here, {self.place}; {expected}"

    @property
    def place(self) -> str:
        """Where the measured time lies beside the budget; empty if there is none."""
        if self.excess is None:
            return ""
        share = f"{100 * abs(self.excess):.0f} %"
        if self.misses:
            return f"misses {self.budget} by {share}"
        return f"{share} {'beyond' if self.excess > 0 else 'inside'} {self.budget}"


class Finalist(Struct, frozen=True):
    """One of the best networks of a study, trained again: longer and with several seeds."""

    trial: int
    choices: dict[str, Any] = field(name="genes")  # by path of the decision
    costs: dict[str, float]
    searched: float  # its score in the search
    scores: tuple[float, ...]  # of the longer trainings, one for each seed
    mean: float
    spread: float | None  # standard deviation; None of one seed
    low: float  # 95 % interval of the mean, by the bootstrap
    high: float
    tied: bool = False  # its interval reaches the mean of the winner
    runs: tuple[str, ...] = ()  # run folders of these trainings, in the order of the scores
    best_run: str = ""  # run folder of the best of them
    latency: tuple[DeviceLatency, ...] = ()  # on the devices of the budgets


class Predicted(Struct, frozen=True):
    """A network as a prior sees it: top-1 accuracy in percent, and its interval."""

    name: str
    costs: dict[str, float]
    mean: float
    low: float
    high: float
    unlike: tuple[str, ...] = ()  # in what it is unlike all that the prior was fitted to
    trial: int | None = None
    choices: dict[str, Any] = {}  # by path of the decision
    latency: tuple[DeviceLatency, ...] = ()  # on the devices of the budgets


class LearningCheck(Struct, frozen=True):
    """A brief training that shows whether a network learns; it says nothing of its accuracy."""

    trial: int
    accuracy: float | None  # on the validation images
    chance: float | None  # accuracy of always guessing the most frequent class
    learns: bool  # it is beyond chance
    seconds: float
    reason: str = ""  # why there is no accuracy


class PriorReport(Struct, frozen=True):
    """What a prior says of a space and of the networks that a search found in it."""

    prior: str
    about: str  # what it predicts, and from what
    networks: tuple[Predicted, ...]  # the best of the search first
    references: tuple[Predicted, ...]  # known networks by the same yardstick
    refused: dict[str, str]  # known networks that it says nothing of, and why
    bound: float | None = None  # no network of the space inside the budgets is predicted better
    proved: bool = False  # the first network is the best there is, by this prior
    checks: tuple[LearningCheck, ...] = ()
    images: str = ""  # what the checks were trained on


class Certificate(Struct, frozen=True):
    """The proved optimum of an additive model of the scores, beside what it says of the winner.

    Values are scores, from 0 to 1. The model is a regression on the decisions, fitted to the
    trainings of a study; real scores are no such sum.
    """

    trainings: int  # that the model is fitted to
    rank_correlation: float | None  # Spearman's, of scores with predictions without them
    optimum: float  # of the best network inside the budgets that was found
    bound: float  # no network inside the budgets is worth more
    proved: bool  # whether the optimum is the best there is
    winner: float  # what the model says of the winner
    choices: dict[str, Any]  # of the network of the optimum, by path of the decision
    relaxed: tuple[str, ...] = ()  # budgets that the bound does not heed, as they do not add up
    sentence: str = ""  # what it says, without a full stop

    @property
    def gap(self) -> float:
        """How much better than the winner a network could be by the model."""
        return max(0.0, self.bound - self.winner)

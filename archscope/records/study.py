"""What a study keeps on disk of each network that it proposed, and of the best of them.

Attributes have the names of the code; the keys on disk are those of the first release.
"""

from __future__ import annotations

from math import isfinite
from typing import Any, Literal

from msgspec import Struct, field

Outcome = Literal["trained", "pruned", "failed", "infeasible", "impossible", "known", "passed"]
"""What became of a proposed network.

Training took place for `trained` (to the end), `pruned` (stopped early) and `failed`. The others
cost none: `infeasible` is beyond a budget, `impossible` makes no network, `known` equals an
earlier one, and `passed` was ranked below another by the zero-cost proxies.
"""

TRAINED: tuple[Outcome, ...] = ("trained", "pruned", "failed")
"""Outcomes for which a training took place."""


class Job(Struct, frozen=True):
    """A network to train; plain data that any process can take."""

    number: int
    spec: str  # the network as YAML
    digest: str
    rungs: tuple[tuple[int, float], ...] = ()  # epochs, and the validation losses that prune it
    keep: str | None = None  # path of the run folder that the training leaves, if any


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

    @property
    def trained(self) -> bool:
        """Whether its network was trained, be it in part or without success."""
        return self.outcome in TRAINED

    @property
    def accuracy(self) -> float | None:
        """The score of a network that was trained to its end."""
        if self.outcome != "trained" or self.score is None:
            return None
        return self.score if isfinite(self.score) else None

    @property
    def score(self) -> float | None:
        """The score of a network that was trained, be it in part."""
        if self.result is None:
            return None
        # Studies of earlier versions have a score that is raised where the loss is low.
        return self.result.scores.get("top1", self.result.score)


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

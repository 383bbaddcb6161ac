"""What a study remembers of every network that it asked about."""

from __future__ import annotations

from math import isfinite
from typing import Any, Literal

from msgspec import Struct, field

Outcome = Literal["trained", "pruned", "failed", "infeasible", "impossible", "known", "passed"]
"""`trained` to its end, `pruned` before, `failed`; the rest was free: beyond the budget, no
network at all, equal to an earlier one, or passed over by the proxies in front."""

PAID: tuple[Outcome, ...] = ("trained", "pruned", "failed")


class Job(Struct, frozen=True):
    """A network to be judged, and how; plain data that any process can take."""

    number: int
    spec: str  # the network to train, as YAML
    digest: str
    rungs: tuple[tuple[int, float], ...] = ()  # scores to reach by an epoch, or be stopped
    keep: str | None = None  # the run folder that the training leaves, if it should


class Verdict(Struct, frozen=True):
    """What judging a network came to."""

    number: int
    outcome: Outcome
    score: float | None = None  # what is compared: accuracy, then loss where accuracies are equal
    scores: dict[str, float] = {}  # of the validation images
    curve: tuple[float, ...] = ()  # the score after each epoch
    proxies: dict[str, float] = {}  # what the network promised before it was trained
    seconds: float = 0.0
    reason: str = ""
    cached: bool = False
    worker: int = 0
    started: float = 0.0  # seconds since the study began


class Trial(Struct, frozen=True):
    """One question of a study: a network, where it came from, and its answer."""

    number: int
    choices: dict[str, Any] = field(name="genes")  # by path; on disk since before it was called so
    outcome: Outcome
    origin: str  # the sampler, "control", "anchor: ...", "repair"
    idle: dict[str, Any] = {}  # what was drawn where it does not count, which samplers remember
    excess: dict[str, float] = {}  # beyond each budget, as a share of it; 0 or less is inside
    costs: dict[str, float] = {}
    digest: str = ""
    values: tuple[float, ...] = ()  # the objectives, in their order
    same_as: int | None = None
    verdict: Verdict | None = None

    @property
    def paid(self) -> bool:
        """Whether a network was trained for it."""
        return self.outcome in PAID

    @property
    def accuracy(self) -> float | None:
        """Accuracy, else the score, of a network that was trained to its end."""
        if self.verdict is None or self.outcome != "trained":
            return None
        value = self.verdict.scores.get("top1", self.verdict.score)
        return value if value is not None and isfinite(value) else None


class Finalist(Struct, frozen=True):
    """One of the best networks of a study, trained again: longer and with several seeds."""

    trial: int
    choices: dict[str, Any] = field(name="genes")  # by path of the decision
    costs: dict[str, float]
    searched: float  # its score in the search
    scores: tuple[float, ...]  # validation accuracies, one for each seed
    mean: float
    spread: float | None  # standard deviation; None of one seed
    low: float  # 95 % interval of the mean, by the bootstrap
    high: float
    tied: bool = False  # its interval reaches the mean of the winner
    runs: tuple[str, ...] = ()  # run folders of these trainings, in the order of the scores
    best_run: str = ""  # run folder of the best of them

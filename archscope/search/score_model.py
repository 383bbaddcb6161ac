"""Choose the next network by a model of the score, fitted to the trainings so far.

The model is the mean of two that fail differently: a Gaussian process whose kernel decreases with
the share of decisions in which two networks differ, and Bayesian ridge regression on the decisions.
The chosen network has the largest expected improvement (Jones, Schonlau, Welch 1998) inside the
budgets, among uniform draws, mutated copies of the best networks, and the results of local search
from the best of these. With a prior, both model the residuals of a straight line through the
prior's predictions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.linear_model import BayesianRidge

from archscope.search.gaussian_process import GaussianProcess
from archscope.search.prior_model import PriorModel
from archscope.space.feasible import FeasibleSet
from archscope.space.features import Features, Points
from archscope.space.rows import Rows

Values = NDArray[np.float64]

SCALES = (0.27, 0.45, 0.71, 1.22, 2.24)
"""Length scales of the kernel; networks that differ in every decision have distance 1."""
NOISES = (0.01, 0.1, 0.3)
"""Shares of the variance of the scores that are training noise."""
PRIOR_NOISES = (*NOISES, 1.0)
"""The same with a prior, which may leave nothing but noise."""
MOST_FITTED = 200
"""The most trainings to fit a model to; of more, the best half and the latest half."""
DRAWN, FRESH, CHANGED, BEST, CLIMBS, STEPS = 1024, 256, 64, 5, 3, 12
"""Uniform draws per study and per proposal; mutated copies of each of the best networks; local
searches, and the steps of each."""


class Mixture:
    """The mean of a Gaussian process and Bayesian ridge regression."""

    def __init__(self, points: Points, scores: Values, noises: Sequence[float] = NOISES) -> None:
        """Fit both to scores, the process with the kernel and noise of maximum likelihood."""
        self.process = GaussianProcess(points, scores, SCALES, noises)
        self.ridge = BayesianRidge().fit(points, scores)

    def fit(self, points: Points, scores: Values) -> None:
        """Fit both to new scores, with the same kernel and noise."""
        self.process.fit(points, scores)
        self.ridge.fit(points, scores)

    def predict(self, points: Points) -> tuple[Values, Values]:
        """Return the mean and the standard deviation of the score at each point."""
        told = [self.process.predict(points), self.ridge.predict(points, return_std=True)]
        means = np.array([mean for mean, _ in told])
        squares = np.array([deviation**2 + mean**2 for mean, deviation in told])
        mean = means.mean(0)
        return mean, np.sqrt(np.maximum(squares.mean(0) - mean**2, 1e-18))


class Line:
    """The straight line from predictions of a prior to scores; its slope is never negative."""

    def __init__(self, predicted: Values, scores: Values, deviation: float) -> None:
        """Fit the line, as if there were one more score without slope, a `deviation` away."""
        self.center, self.level = float(predicted.mean()), float(scores.mean())
        apart = predicted - self.center
        slope = (apart @ (scores - self.level)) / (apart @ apart + deviation**2)
        self.slope = max(float(slope), 0.0)

    def __call__(self, predicted: Values) -> Values:
        """Return the scores for predictions."""
        return self.level + self.slope * (predicted - self.center)


class Placed(Struct, frozen=True):
    """Networks as rows, with their points and predictions of a prior."""

    rows: Rows
    points: Points
    predicted: Values  # accuracy in percent; 0 without a prior

    def with_more(self, more: Placed) -> Placed:
        """Return the networks followed by others."""
        return Placed(
            np.concatenate([self.rows, more.rows]),
            np.concatenate([self.points, more.points]),
            np.concatenate([self.predicted, more.predicted]),
        )


class Belief:
    """The distribution of the score of every network, given some trainings."""

    def __init__(
        self, trained: Placed, scores: Values, pending: Placed, deviation: float | None
    ) -> None:
        """Fit to scores; for networks in training, the prediction stands in for the score.

        `deviation` is that of the prior's predictions over the space; None without a prior.
        """
        self.line: Line | None = None
        noises: tuple[float, ...] = NOISES
        if deviation is not None:
            noises = PRIOR_NOISES
            self.line = Line(trained.predicted, scores, deviation)
        left = scores - self._expected(trained)
        self.model = Mixture(trained.points, left, noises)
        if len(pending.rows):
            believed = self.model.predict(pending.points)[0]
            trained = trained.with_more(pending)
            self.model.fit(trained.points, np.concatenate([left, believed]))
        means, _ = self.model.predict(trained.points)
        self.best = float((self._expected(trained) + means).max())

    def _expected(self, networks: Placed) -> Values:
        """Return the scores expected by the prior; 0 without one."""
        return 0 * networks.predicted if self.line is None else self.line(networks.predicted)

    def improvement(self, networks: Placed) -> Values:
        """Return the expected improvement of each network over the best score."""
        mean, deviation = self.model.predict(networks.points)
        z = (mean + self._expected(networks) - self.best) / deviation
        return np.asarray(deviation * (z * norm.cdf(z) + norm.pdf(z)))


class Surrogate:
    """Proposes networks of a feasible set."""

    def __init__(self, feasible: FeasibleSet, seed: int, prior: PriorModel | None = None) -> None:
        """Take a feasible set, and the prior on scores, if any."""
        self.feasible, self.seed, self.prior = feasible, seed, prior
        drawn = feasible.draw(DRAWN, np.random.default_rng(seed))
        self.features = Features(feasible, drawn)
        self.pool = self.placed(drawn)
        self.deviation = None if prior is None else float(self.pool.predicted.std())
        self.last: tuple[tuple[bytes, ...], Belief] | None = None

    def placed(self, rows: Rows) -> Placed:
        """Return masked rows with their points and predictions."""
        none = np.zeros(len(rows))
        predicted = none if self.prior is None else self.prior.accuracies(rows)
        return Placed(rows, self.features.points(rows), predicted)

    def propose(
        self, rows: Rows, scores: Values, pending: Rows, told: Rows, number: int
    ) -> Rows | None:
        """Return the row to train next, or None if no new one is found.

        `rows` with `scores` are trained, `pending` in training, `told` not to be proposed again.
        Randomness depends only on `number`, that of the trial.
        """
        random = np.random.default_rng([self.seed, number])
        belief = self._belief(rows, scores, pending)
        best = rows[np.argsort(-scores)[:BEST]]
        changed = [self.feasible.changed(row, CHANGED, random) for row in best]
        new = np.unique(np.concatenate([self.feasible.draw(FRESH, random), *changed]), axis=0)
        networks = self.pool.with_more(self.placed(new[self.feasible.inside(new)]))
        if not len(networks.rows):
            return None
        worth = belief.improvement(networks)
        starts = np.argsort(-worth, kind="stable")[:CLIMBS]
        climbed, there = self._climbed(networks.rows[starts], worth[starts], belief)
        candidates = np.concatenate([networks.rows, climbed])
        known = {row.tobytes() for row in told}
        for place in np.argsort(-np.concatenate([worth, there]), kind="stable"):
            row: Rows = candidates[place]
            if row.tobytes() not in known and self.feasible.fits(row):
                return row
        return None

    def _belief(self, rows: Rows, scores: Values, pending: Rows) -> Belief:
        """Return the current belief, cached until something new is trained or in training."""
        key = rows.tobytes(), scores.tobytes(), pending.tobytes()
        if self.last is None or self.last[0] != key:
            chosen = _fitted_part(scores)
            trained, waiting = self.placed(rows[chosen]), self.placed(pending)
            self.last = key, Belief(trained, scores[chosen], waiting, self.deviation)
        return self.last[1]

    def _climbed(self, starts: Rows, worth: Values, belief: Belief) -> tuple[Rows, Values]:
        """Return the rows on the way to the best neighbours, and their expected improvement."""
        at, best = starts.copy(), worth.copy()
        climbing = [*range(len(starts))]
        found, values = [starts[:0]], [worth[:0]]
        for _ in range(STEPS):
            parts = [self.feasible.neighbours(at[place]) for place in climbing]
            near = np.concatenate([starts[:0], *parts])
            of = np.repeat(np.array(climbing, np.int64), [len(part) for part in parts])
            inside = self.feasible.inside(near)
            near, of = near[inside], of[inside]
            if not len(near):
                break
            there = belief.improvement(self.placed(near))
            tops = [
                (place, own[np.argmax(there[own])])
                for place in climbing
                if len(own := np.flatnonzero(of == place))
            ]
            climbing = [place for place, top in tops if there[top] > best[place]]
            for place, top in tops:
                if place in climbing:
                    at[place], best[place] = near[top], there[top]
            found.append(at[climbing])
            values.append(best[climbing])
        return np.concatenate(found), np.concatenate(values)


def _fitted_part(scores: Values) -> NDArray[np.int64]:
    """Return the indices of the trainings to fit a model to."""
    if len(scores) <= MOST_FITTED:
        return np.arange(len(scores))
    latest = np.arange(len(scores) - MOST_FITTED // 2, len(scores))
    rest = np.argsort(-scores[: latest[0]], kind="stable")[: MOST_FITTED // 2]
    return np.concatenate([np.sort(rest), latest])

"""Choosing the next network by a model of the score, fitted to the trainings so far.

The model is an even mixture of two that fail differently: a Gaussian process whose kernel falls
with the share of decisions in which two networks differ, and Bayesian ridge regression on the
decisions. The network chosen is the one inside the budgets with the largest expected improvement
(Jones, Schonlau, Welch 1998), among uniform draws, changed copies of the best networks, and what
local search from the best of these finds. With a prior, both are models of what scores are beyond
a straight line through the prior's predictions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import BayesianRidge

from archscope.search.prior_model import PriorModel
from archscope.space.feasible import FeasibleSet
from archscope.space.features import Features, Points
from archscope.space.rows import Rows

Values = NDArray[np.float64]

SCALES = (0.27, 0.45, 0.71, 1.22, 2.24)
"""Lengths of the kernel; networks that differ in every decision have distance 1."""
NOISES = (0.01, 0.1, 0.3)
"""Variance of the scores that is noise of training, as a share of the whole."""
PRIOR_NOISES = (*NOISES, 1.0)
"""The same beside a prior, which may leave nothing but noise."""
MOST_FITTED = 200
"""Trainings that a model is fitted to; of more, the best half and the latest half."""
DRAWN, FRESH, CHANGED, BEST, CLIMBS, STEPS = 1024, 256, 64, 5, 3, 12
"""Uniform draws of a study, and of each proposal; changed copies of each of the best networks;
local searches, and the steps of each."""


class Mixture:
    """The even mixture of a Gaussian process and of Bayesian ridge regression."""

    def __init__(self, points: Points, scores: Values, noises: Sequence[float] = NOISES) -> None:
        """Fit both to scores, the process with the kernel and noise that make them likeliest."""
        processes = [
            GaussianProcessRegressor(RBF(scale), alpha=noise, optimizer=None, normalize_y=True)
            for scale in SCALES
            for noise in noises
        ]
        likelihoods = [
            process.fit(points, scores).log_marginal_likelihood_value_ for process in processes
        ]
        self.models = (processes[int(np.argmax(likelihoods))], BayesianRidge())
        self.fit(points, scores)

    def fit(self, points: Points, scores: Values) -> None:
        """Fit both to other scores, with the same kernel and noise."""
        for model in self.models:
            model.fit(points, scores)

    def predict(self, points: Points) -> tuple[Values, Values]:
        """Return the mean and the standard deviation of the score at each point."""
        told = [model.predict(points, return_std=True) for model in self.models]
        means = np.array([mean for mean, _ in told])
        squares = np.array([deviation**2 + mean**2 for mean, deviation in told])
        mean = means.mean(0)
        return mean, np.sqrt(np.maximum(squares.mean(0) - mean**2, 1e-18))


class Line:
    """The straight line from predictions of a prior to scores; it never falls."""

    def __init__(self, predicted: Values, scores: Values, deviation: float) -> None:
        """Fit it, as if one more score without any slope were a `deviation` away."""
        self.center, self.level = float(predicted.mean()), float(scores.mean())
        apart = predicted - self.center
        slope = (apart @ (scores - self.level)) / (apart @ apart + deviation**2)
        self.slope = max(float(slope), 0.0)

    def __call__(self, predicted: Values) -> Values:
        """Return the scores that predictions stand for."""
        return self.level + self.slope * (predicted - self.center)


class Belief:
    """What is believed of the score of every network, after some trainings."""

    def __init__(self, surrogate: Surrogate, rows: Rows, scores: Values, pending: Rows) -> None:
        """Fit to scores; networks in training are believed to score what is predicted of them."""
        self.surrogate = surrogate
        points = surrogate.features.points(rows)
        self.line: Line | None = None
        noises: tuple[float, ...] = NOISES
        if surrogate.prior is not None:
            noises = PRIOR_NOISES
            self.line = Line(surrogate.prior.accuracies(rows), scores, surrogate.deviation)
        left = scores - self._expected(rows)
        self.model = Mixture(points, left, noises)
        if len(pending):
            waiting = surrogate.features.points(pending)
            points = np.concatenate([points, waiting])
            self.model.fit(points, np.concatenate([left, self.model.predict(waiting)[0]]))
            rows = np.concatenate([rows, pending])
        self.best = float((self._expected(rows) + self.model.predict(points)[0]).max())

    def _expected(self, rows: Rows) -> Values:
        """Return the scores that the prior stands for, nothing without one."""
        if self.line is None or self.surrogate.prior is None:
            return np.zeros(len(rows))
        return self.line(self.surrogate.prior.accuracies(rows))

    def improvement(self, rows: Rows) -> Values:
        """Return how much each row is expected to exceed the best score."""
        mean, deviation = self.model.predict(self.surrogate.features.points(rows))
        z = (mean + self._expected(rows) - self.best) / deviation
        return np.asarray(deviation * (z * norm.cdf(z) + norm.pdf(z)))


class Surrogate:
    """Proposes networks of one feasible set."""

    def __init__(self, feasible: FeasibleSet, seed: int, prior: PriorModel | None = None) -> None:
        """Take the prior that scores are expected to follow, if there is any."""
        self.feasible, self.seed, self.prior = feasible, seed, prior
        self.pool = feasible.draw(DRAWN, np.random.default_rng(seed))
        self.features = Features(feasible, self.pool)
        self.deviation = 0.0 if prior is None else float(prior.accuracies(self.pool).std())

    def propose(
        self, rows: Rows, scores: Values, pending: Rows, told: Rows, number: int
    ) -> Rows | None:
        """Return the row to train next, None if no new one is found.

        `rows` with `scores` are trained, `pending` in training, `told` all that need not be
        proposed again. `number` is that of the trial, on which alone chance depends.
        """
        random = np.random.default_rng([self.seed, number])
        chosen = _fitted_part(scores)
        belief = Belief(self, rows[chosen], scores[chosen], pending)
        order = np.argsort(-scores)[:BEST]
        parts = [self.pool, self.feasible.draw(FRESH, random)]
        parts += [self.feasible.changed(rows[i], CHANGED, random) for i in order]
        candidates = np.unique(np.concatenate(parts), axis=0)
        candidates = candidates[self.feasible.inside(candidates)]
        if not len(candidates):
            return None
        worth = belief.improvement(candidates)
        starts = candidates[np.argsort(-worth, kind="stable")[:CLIMBS]]
        climbed = [self._climb(row, belief) for row in starts]
        candidates = np.concatenate([candidates, *climbed])
        worth = belief.improvement(candidates)
        known = {row.tobytes() for row in told}
        for place in np.argsort(-worth, kind="stable"):
            row: Rows = candidates[place]
            if row.tobytes() not in known and self.feasible.fits(row):
                return row
        return None

    def _climb(self, row: Rows, belief: Belief) -> Rows:
        """Return the rows that steps to the best neighbour pass, (steps, decisions)."""
        path = [row]
        worth = belief.improvement(row[None])[0]
        for _ in range(STEPS):
            near = self.feasible.neighbours(path[-1])
            near = near[self.feasible.inside(near)]
            if not len(near):
                break
            there = belief.improvement(near)
            if there.max() <= worth:
                break
            worth = there.max()
            path.append(near[there.argmax()])
        return np.array(path)


def _fitted_part(scores: Values) -> NDArray[np.int64]:
    """Return the places of the trainings that a model is fitted to."""
    if len(scores) <= MOST_FITTED:
        return np.arange(len(scores))
    latest = np.arange(len(scores) - MOST_FITTED // 2, len(scores))
    rest = np.argsort(-scores[: latest[0]], kind="stable")[: MOST_FITTED // 2]
    return np.concatenate([np.sort(rest), latest])

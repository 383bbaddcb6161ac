"""Choosing the next network by a model of the score, fitted to the trainings so far.

The model is an even mixture of two that fail differently: a Gaussian process whose kernel falls
with the share of decisions in which two networks differ, and Bayesian ridge regression on the
decisions. The network chosen is the one inside the budgets with the largest expected improvement
(Jones, Schonlau, Welch 1998), among uniform draws, changed copies of the best networks, and what
local search from the best of these finds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import BayesianRidge

from archscope.space.feasible import FeasibleSet
from archscope.space.features import Features, Points
from archscope.space.rows import Rows

Values = NDArray[np.float64]

SCALES = (0.27, 0.45, 0.71, 1.22, 2.24)
"""Lengths of the kernel; networks that differ in every decision have distance 1."""
NOISES = (0.01, 0.1, 0.3)
"""Variance of the scores that is noise of training, as a share of the whole."""
MOST_FITTED = 200
"""Trainings that a model is fitted to; of more, the best half and the latest half."""
DRAWN, FRESH, CHANGED, BEST, CLIMBS, STEPS = 1024, 256, 64, 5, 3, 12
"""Uniform draws of a study, and of each proposal; changed copies of each of the best networks;
local searches, and the steps of each."""


class Mixture:
    """The even mixture of a Gaussian process and of Bayesian ridge regression."""

    def __init__(self, points: Points, scores: Values) -> None:
        """Fit both to scores, the process with the kernel and noise that make them likeliest."""
        processes = [
            GaussianProcessRegressor(RBF(scale), alpha=noise, optimizer=None, normalize_y=True)
            for scale in SCALES
            for noise in NOISES
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

    def expected_improvement(self, points: Points, best: float) -> Values:
        """Return how much each point is expected to exceed the best score."""
        mean, deviation = self.predict(points)
        z = (mean - best) / deviation
        return np.asarray(deviation * (z * norm.cdf(z) + norm.pdf(z)))


class Surrogate:
    """Proposes networks of one feasible set."""

    def __init__(self, feasible: FeasibleSet, seed: int) -> None:
        self.feasible, self.seed = feasible, seed
        self.pool = feasible.draw(DRAWN, np.random.default_rng(seed))
        self.features = Features(feasible, self.pool)

    def propose(
        self, rows: Rows, scores: Values, pending: Rows, told: Rows, number: int
    ) -> Rows | None:
        """Return the row to train next, None if no new one is found.

        `rows` with `scores` are trained, `pending` in training, `told` all that need not be
        proposed again. `number` is that of the trial, on which alone chance depends.
        """
        random = np.random.default_rng([self.seed, number])
        chosen = _fitted_part(scores)
        points = self.features.points(rows[chosen])
        model = Mixture(points, scores[chosen])
        if len(pending):  # believed to score what is predicted of them
            waiting = self.features.points(pending)
            points = np.concatenate([points, waiting])
            believed = np.concatenate([scores[chosen], model.predict(waiting)[0]])
            model.fit(points, believed)
        best = float(model.predict(points)[0].max())
        order = np.argsort(-scores)[:BEST]
        parts = [self.pool, self.feasible.draw(FRESH, random)]
        parts += [self.feasible.changed(rows[i], CHANGED, random) for i in order]
        candidates = np.unique(np.concatenate(parts), axis=0)
        candidates = candidates[self.feasible.inside(candidates)]
        if not len(candidates):
            return None
        worth = model.expected_improvement(self.features.points(candidates), best)
        starts = candidates[np.argsort(-worth, kind="stable")[:CLIMBS]]
        climbed = [self._climb(row, model, best) for row in starts]
        candidates = np.concatenate([candidates, *climbed])
        worth = model.expected_improvement(self.features.points(candidates), best)
        known = {row.tobytes() for row in told}
        for place in np.argsort(-worth, kind="stable"):
            row: Rows = candidates[place]
            if row.tobytes() not in known and self.feasible.fits(row):
                return row
        return None

    def _climb(self, row: Rows, model: Mixture, best: float) -> Rows:
        """Return the rows that steps to the best neighbour pass, (steps, decisions)."""
        path = [row]
        worth = model.expected_improvement(self.features.points(row[None]), best)[0]
        for _ in range(STEPS):
            near = self.feasible.neighbours(path[-1])
            near = near[self.feasible.inside(near)]
            if not len(near):
                break
            there = model.expected_improvement(self.features.points(near), best)
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

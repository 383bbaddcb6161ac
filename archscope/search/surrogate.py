"""Choosing the next network by a model of the score, fitted to the trainings so far.

Two models compete at every proposal, by cross-validation on those trainings: a Gaussian process
whose kernel falls with the share of decisions in which two networks differ, and Bayesian ridge
regression on the decisions. The network proposed is the one inside the budgets with the largest
expected improvement (Jones, Schonlau, Welch 1998), among uniform draws, changed copies of the best
networks, and what local search from the best of these finds.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import BayesianRidge
from sklearn.model_selection import KFold, cross_val_predict

from archscope.space.batches import Rows
from archscope.space.feasible import FeasibleSet
from archscope.space.features import Features, Points

Values = NDArray[np.float64]

SCALES = (0.27, 0.45, 0.71, 1.22, 2.24)
"""Lengths of the kernel; networks that differ in every decision have distance 1."""
NOISES = (0.01, 0.1, 0.3)
"""Variance of the scores that is noise of training, as a share of the whole."""
FOLDS = 5
MOST_FITTED = 200
"""Trainings that a model is fitted to; of more, the best half and the latest half."""
DRAWN, FRESH, CHANGED, BEST, CLIMBS, STEPS = 1024, 256, 64, 5, 3, 12
"""Uniform draws of a study, and of each proposal; changed copies of each of the best networks;
local searches, and the steps of each."""


class Model(Protocol):
    """A model of scores with an uncertainty, as scikit-learn has them."""

    def fit(self, X: Any, y: Any) -> Any: ...  # noqa: N803
    def predict(self, X: Any, return_std: bool = False) -> Any: ...  # noqa: N803


def gaussian_process(points: Points, scores: Values) -> Model:
    """Return the Gaussian process of the kernel and noise that make the scores likeliest."""
    fitted = (
        GaussianProcessRegressor(RBF(scale), alpha=noise, optimizer=None, normalize_y=True).fit(
            points, scores
        )
        for scale in SCALES
        for noise in NOISES
    )
    best: Model = max(fitted, key=lambda model: model.log_marginal_likelihood_value_)
    return best


def chosen_model(points: Points, scores: Values) -> Model:
    """Return the model, fitted, that predicts left-out scores best."""
    models = [gaussian_process(points, scores), BayesianRidge().fit(points, scores)]
    folds = KFold(min(FOLDS, len(scores)), shuffle=True, random_state=0)

    def error(model: Model) -> float:
        predicted = cross_val_predict(model, points, scores, cv=folds)
        return float(np.square(predicted - scores).mean())

    return min(models, key=error)


def expected_improvement(model: Model, points: Points, best: float) -> Values:
    """Return how much each point is expected to exceed the best score."""
    mean, deviation = model.predict(points, return_std=True)
    deviation = np.maximum(deviation, 1e-9)
    z = (mean - best) / deviation
    return np.asarray(deviation * (z * norm.cdf(z) + norm.pdf(z)))


class Surrogate:
    """Proposes networks of one feasible set."""

    def __init__(self, feasible: FeasibleSet, seed: int) -> None:
        self.feasible, self.seed = feasible, seed
        self.features = Features(feasible.encoding)
        self.pool = feasible.draw(DRAWN, np.random.default_rng(seed))

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
        model = chosen_model(points, scores[chosen])
        if len(pending):  # believed to score what is predicted of them
            waiting = self.features.points(pending)
            points = np.concatenate([points, waiting])
            believed = np.concatenate([scores[chosen], model.predict(waiting)])
            model.fit(points, believed)
        best = float(model.predict(points).max())
        order = np.argsort(-scores)[:BEST]
        parts = [self.pool, self.feasible.draw(FRESH, random)]
        parts += [self.feasible.changed(rows[i], CHANGED, random) for i in order]
        candidates = np.unique(np.concatenate(parts), axis=0)
        candidates = candidates[self.feasible.inside(candidates)]
        if not len(candidates):
            return None
        worth = expected_improvement(model, self.features.points(candidates), best)
        starts = candidates[np.argsort(-worth, kind="stable")[:CLIMBS]]
        climbed = [self._climb(row, model, best) for row in starts]
        candidates = np.concatenate([candidates, *climbed])
        worth = expected_improvement(model, self.features.points(candidates), best)
        known = {row.tobytes() for row in told}
        for place in np.argsort(-worth, kind="stable"):
            row = candidates[place]
            if row.tobytes() not in known and self.feasible.fits(row):
                return row
        return None

    def _climb(self, row: Rows, model: Model, best: float) -> Rows:
        """Return the rows that steps to the best neighbour pass, (steps, decisions)."""
        path = [row]
        worth = expected_improvement(model, self.features.points(row[None]), best)[0]
        for _ in range(STEPS):
            near = self.feasible.neighbours(path[-1])
            near = near[self.feasible.inside(near)]
            if not len(near):
                break
            there = expected_improvement(model, self.features.points(near), best)
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

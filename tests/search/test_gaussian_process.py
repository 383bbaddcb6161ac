"""The Gaussian process agrees with scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from archscope.search.gaussian_process import GaussianProcess

SCALES, NOISES = (0.3, 0.7, 2.0), (0.01, 0.1, 1.0)


@pytest.mark.parametrize("noise", [0.0, 0.3, 3.0])
def test_it_chooses_and_predicts_as_scikit_learn_does(noise: float) -> None:
    random = np.random.default_rng(0)
    points = random.random((40, 6))
    scores = 5 + np.sin(3 * points).sum(1) + noise * random.normal(size=40)
    process = GaussianProcess(points, scores, SCALES, NOISES)
    peers = [
        GaussianProcessRegressor(RBF(scale), alpha=alpha, optimizer=None, normalize_y=True)
        for scale in SCALES
        for alpha in NOISES
    ]
    best = max(peers, key=lambda peer: peer.fit(points, scores).log_marginal_likelihood_value_)
    assert (process.scale, process.noise) == (best.kernel.length_scale, best.alpha)
    others = random.random((15, 6))
    for fitted in (scores, scores**2):
        best.fit(points, fitted)
        process.fit(points, fitted)
        for said, expected in zip(
            process.predict(others), best.predict(others, return_std=True), strict=True
        ):
            assert said == pytest.approx(expected, rel=1e-9)


def test_equal_scores_are_predicted() -> None:
    points = np.random.default_rng(1).random((5, 2))
    mean, deviation = GaussianProcess(points, np.full(5, 0.7), SCALES, NOISES).predict(points)
    assert mean == pytest.approx(0.7)
    assert np.isfinite(deviation).all()

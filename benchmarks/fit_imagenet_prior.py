"""Fit the prior for networks of inverted residuals to a table: `make prior TABLE=table.csv`.

`python -m benchmarks.fit_imagenet_prior table.csv half.json 0.5` fits it to half of the rows, drawn
at random, and writes another file, for `archscope bench search --prior half.json`.

The table is that of Accel-NASBench (afzalxo/Accel-NASBench): `arch` has one digit for each decision
of the space `mnas`, in order, and `top1` the accuracy in percent.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold

from archscope.search.inverted_residuals import InvertedResidual
from archscope.search.priors import imagenet
from archscope.sources import document
from archscope.space.search_space import space

SOURCE = (
    "Accel-NASBench (afzalxo/Accel-NASBench): networks trained on ImageNet by its shortened scheme"
)
CEILING = 72.0
PENALTIES = 1.0, 30.0
"""Of the terms and of the products, whose fit is to what the terms leave."""
INTERVAL = 0.93
MIDDLE = 240e6, 300e6
"""Macs of the networks among which the order is told apart from that of the whole table."""

Array = NDArray[np.float64]
Units = list[list[InvertedResidual]]


def read(path: Path) -> tuple[Units, Array, Array]:
    """Return units, accuracy in percent and macs of the networks of a table."""
    networks = space(document("mnas"))
    units, accuracy, macs = [], [], []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            digits = zip(networks.decisions, row["arch"], strict=True)
            graph = networks.graph({d.path: d.values()[int(digit)] for d, digit in digits})
            units.append(list(imagenet.covered_units(graph)))
            accuracy.append(float(row["top1"]))
            macs.append(float(row["macs"]))
    return units, np.array(accuracy), np.array(macs)


class Standardised:
    """Ridge regression on features of each resolution, brought to one scale."""

    def __init__(self, features: list[Array], values: Array, penalty: float) -> None:
        self.ends = np.cumsum([part.shape[1] for part in features])[:-1]
        whole = np.concatenate(features, 1)
        self.center, scale = whole.mean(0), whole.std(0)
        scale[scale < 1e-9] = np.inf
        ridge = Ridge(alpha=penalty).fit((whole - self.center) / scale, values)
        self.coefficients = ridge.coef_ / scale
        self.mean = float(ridge.intercept_)
        self.constant = self.mean - float(self.center @ self.coefficients)

    def predict(self, features: list[Array]) -> Array:
        """Return the values of rows of features."""
        return np.asarray(np.concatenate(features, 1) @ self.coefficients + self.constant)

    def parts(self) -> list[tuple[float, ...]]:
        """Return the coefficients of each resolution."""
        parts = np.split(self.coefficients, self.ends)
        return [tuple(float(f"{c:.8g}") for c in part) for part in parts]

    def means(self) -> list[float]:
        """Return what the mean of the features adds up to, for each resolution."""
        parts = np.split(self.center * self.coefficients, self.ends)
        return [float(f"{part.sum():.8g}") for part in parts]


def fit(units: Units, accuracy: Array, about: dict[str, Any]) -> imagenet.Model:
    """Return the model fitted to networks; `about` has its other fields."""
    values = -np.log(CEILING - accuracy)
    groups = [imagenet.grouped(network) for network in units]
    terms = [_features(imagenet.terms, groups, r) for r in imagenet.REDUCTIONS]
    products = [_features(imagenet.products, groups, r) for r in imagenet.REDUCTIONS]
    first = Standardised(terms, values, PENALTIES[0])
    second = Standardised(products, values - first.predict(terms), PENALTIES[1])
    parts = {}
    for place, reduction in enumerate(imagenet.REDUCTIONS):
        widths = {unit.leaving for group in groups for unit in group[reduction]}
        parts[reduction] = imagenet.Part(
            first.parts()[place], *_range(terms[place]),
            second.parts()[place], second.means()[place], *_range(products[place]),
            tuple(sorted(widths)),
        )  # fmt: skip
    constant = round(first.constant + second.mean, 9)
    return imagenet.Model(ceiling=CEILING, constant=constant, parts=parts, **about)


def _features(features: Any, groups: Sequence[dict[int, Any]], reduction: int) -> Array:
    return np.array([features(group[reduction]) for group in groups])


def _range(features: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    low, high = features.min(0), features.max(0)
    return tuple(map(float, low.round(6))), tuple(map(float, high.round(6)))


def predictions(model: imagenet.Model, units: Units) -> Array:
    """Return the values of the linear model for networks."""
    prior = imagenet.ImageNetPrior(model)
    return np.array([sum(prior.values(network).values()) for network in units])


def cross_validated(units: Units, accuracy: Array) -> Array:
    """Return the value of each network by the model of the folds that it is not in."""
    nothing = {"source": "", "licence": "", "rows": 0, "fit": {}, "spread": 0.0}
    found = np.zeros(len(units))
    for kept, left_out in KFold(5, shuffle=True, random_state=0).split(found):
        model = fit([units[i] for i in kept], accuracy[kept], nothing)
        found[left_out] = predictions(model, [units[i] for i in left_out])
    return found


def main(table: str, output: str = imagenet.FITTED.as_posix(), share: str = "1") -> None:
    """Read a table, report the error on networks left out, and write the prior."""
    units, accuracy, macs = read(Path(table))
    chosen = np.random.default_rng(0).permutation(len(units))[: round(float(share) * len(units))]
    units, accuracy, macs = [units[i] for i in chosen], accuracy[chosen], macs[chosen]
    values = cross_validated(units, accuracy)
    predicted = CEILING - np.exp(-values)
    apart = np.abs(values + np.log(CEILING - accuracy))
    spread = float(np.quantile(apart, INTERVAL))
    middle = (macs >= MIDDLE[0]) & (macs <= MIDDLE[1])
    errors = {
        "spearman": spearmanr(predicted, accuracy)[0],
        "spearman_240_to_300_mmacs": spearmanr(predicted[middle], accuracy[middle])[0],
        "mean_absolute_error": np.abs(predicted - accuracy).mean(),
        "interval_covers": (apart <= spread).mean(),
    }
    model = fit(units, accuracy, {
        "source": SOURCE,
        "licence": "Apache-2.0",
        "rows": len(units),
        "fit": {name: round(float(error), 4) for name, error in errors.items()},
        "spread": round(spread, 6),
    })  # fmt: skip
    path = Path(output)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(model), indent=1) + b"\n")
    print(f"wrote {path}: {path.stat().st_size:,} bytes")
    for name, error in model.fit.items():
        print(f"  {name}: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])

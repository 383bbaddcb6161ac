"""Fit archscope/search/priors/timm.json, the prior for any CNN, to published results.

    python -m benchmarks.fit_timm_prior TABLE.csv [--torchvision TABLE.csv] [--features FILE.json]

TABLE has the columns arch (a name of timm), recipe, img_size and top1, of networks trained on
ImageNet-1k alone, as in results/results-imagenet.csv of huggingface/pytorch-image-models. The
second table has name, weights and top1 of torchvision. Every network is imported once for each
image size, which takes a second or two; `--features` keeps what the fit needs of them in a file.
Only coefficients and errors are written, no rows: the JSON file, and tables in docs/predict.md.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from msgspec import structs
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from archscope.search.priors.timm import FILE, Interval, Recipe, described, recipe_inputs
from archscope.stats import rank_correlation
from benchmarks.published_results import Result, family_of, features_of, kin_of, published

PAGE = Path(__file__).parents[1] / "docs" / "predict.md"
FOLDS = 12
LEAST = 2  # results of a recipe that gets a coefficient of its own
TREES = {"n_estimators": 800, "max_depth": 2, "learning_rate": 0.05, "subsample": 0.5,
         "max_features": 0.2, "min_samples_leaf": 4, "random_state": 0}  # fmt: skip
PENALTY = 100.0  # of the ridge regression, on standardised inputs
SHARE = 0.8  # of the trees in the mean of both models
OUTSIDE = 0.04  # of the errors on either side of an interval
SHOWN = 5  # results of a recipe that has a row in the table of errors
START, END = "<!-- fitted -->", "<!-- end -->"
DIGITS = 5

EPOCHS = {
    "tv": 90, "tv2": 600, "a1": 600, "a1h": 600, "a2": 300, "a2h": 300, "a3": 100, "gluon": 120,
    "pycls": 100, "rvgg": 120, "ra": 450, "ra2": 450, "ra3": 450, "b1k": 300, "b2k": 300, "c1": 600,
    "c2": 600, "c3": 300, "ch": 600, "ah": 600, "d": 300, "d1": 600, "d2": 600, "d1h": 600,
    "dm": 360, "apple": 300, "nav": 120, "bt": 300, "fb": 100, "ms": 100, "aa": 350, "ap": 350,
    "tf": 350, "miil": 300, "am": 270,
}  # fmt: skip
"""Epochs, as far as authors state them, by the first word of a recipe's tag."""
SIDES = {"a3": 160, "tv2": 176}
"""Training resolutions that differ from that of the evaluation, likewise."""


class Fitted(NamedTuple):
    """Both models, fitted to some of the rows."""

    recipes: dict[str, Recipe]
    epochs: float
    low: np.ndarray
    high: np.ndarray
    scaler: StandardScaler
    ridge: Ridge
    trees: GradientBoostingRegressor

    def inputs(self, rows: list[Result], values: np.ndarray) -> np.ndarray:
        """Return the inputs of the models, one row for each result."""
        of_recipes = [
            recipe_inputs(self.recipes, self.epochs, row.recipe, row.side) for row in rows
        ]
        return np.hstack([values, of_recipes])

    def values(self, rows: list[Result], values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what the ridge and what the trees say."""
        inputs = self.inputs(rows, values)
        kept = np.clip(inputs, self.low, self.high)
        return self.ridge.predict(self.scaler.transform(kept)), self.trees.predict(inputs)


def fit(rows: list[Result], values: np.ndarray) -> Fitted:
    """Fit both models to the logarithm of the error rate."""
    counts = Counter(row.recipe for row in rows)
    recipes = {
        name: recipe_of(name, count) for name, count in sorted(counts.items()) if count >= LEAST
    }
    known = [recipe_of(row.recipe, 0).epochs for row in rows]
    epochs = float(np.mean(np.log([number for number in known if number])))
    of_recipes = [recipe_inputs(recipes, epochs, row.recipe, row.side) for row in rows]
    inputs = np.hstack([values, of_recipes])
    target = np.log([100 - row.top1 for row in rows])
    scaler = StandardScaler().fit(inputs)
    ridge = Ridge(alpha=PENALTY).fit(scaler.transform(inputs), target)
    trees = GradientBoostingRegressor(**TREES).fit(inputs, target)
    return Fitted(recipes, epochs, inputs.min(0), inputs.max(0), scaler, ridge, trees)


def recipe_of(name: str, count: int) -> Recipe:
    """Return a recipe by what its tag says, else by what is known of its first word."""
    said, word = described(name), name.partition("_")[0]
    return Recipe(count, said.epochs or EPOCHS.get(word), said.side or SIDES.get(word))


class LeftOut(NamedTuple):
    """What was predicted for each row by models that saw none of its family."""

    linear: np.ndarray
    grown: np.ndarray
    known: np.ndarray  # whether the recipe was fitted
    fold: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """The mean of both models."""
        return SHARE * self.grown + (1 - SHARE) * self.linear


def folds_of(families: list[str]) -> np.ndarray:
    """Return the fold of each row: whole families, in folds of about equal size."""
    loads, places = [0] * FOLDS, {}
    for family, count in Counter(families).most_common():
        places[family] = min(range(FOLDS), key=loads.__getitem__)
        loads[places[family]] += count
    return np.array([places[family] for family in families])


def leave_out(rows: list[Result], values: np.ndarray, families: list[str]) -> LeftOut:
    """Predict every row from the other families, a few of which are left out at once."""
    fold = folds_of(families)
    linear, grown, known = (np.zeros(len(rows)) for _ in range(3))
    for number in range(FOLDS):
        inside, outside = (np.flatnonzero(mask) for mask in (fold != number, fold == number))
        fitted = fit([rows[i] for i in inside], values[inside])
        held = [rows[i] for i in outside]
        linear[outside], grown[outside] = fitted.values(held, values[outside])
        known[outside] = [row.recipe in fitted.recipes for row in held]
    return LeftOut(linear, grown, known.astype(bool), fold)


def interval_of(errors: np.ndarray, disagreement: np.ndarray) -> Interval:
    """Return the interval of errors: a little wider than that of nine in ten of them.

    Errors of a family are alike, so that there are fewer than it seems. The scale is the mean
    size of an error as a line in the disagreement of the two models.
    """
    line = np.polyfit(np.minimum(disagreement, np.quantile(disagreement, 0.95)), abs(errors), 1)
    slope = max(float(line[0]), 0.0)
    base = float(abs(errors).mean() - slope * disagreement.mean())
    base = max(base, 0.3 * float(abs(errors).mean()))
    ratios = errors / (base + slope * disagreement)
    low, high = np.quantile(ratios, [OUTSIDE, 1 - OUTSIDE])
    return Interval(*(round(float(x), DIGITS) for x in (base, slope, -low, high)))


def intervals(
    target: np.ndarray, found: LeftOut, use: np.ndarray | None = None
) -> tuple[Interval, Interval]:
    """Return the interval for known and for unknown recipes, from some of the rows."""
    use = np.ones(len(target), bool) if use is None else use
    errors, disagreement = target - found.mean, abs(found.grown - found.linear)
    known, rest = (
        interval_of(errors[mask], disagreement[mask])
        for mask in (use & found.known, use & ~found.known)
    )
    return known, rest


def coverage(target: np.ndarray, found: LeftOut) -> np.ndarray:
    """Return whether each result is inside the interval that the other folds give."""
    inside = np.zeros(len(target), bool)
    errors, disagreement = target - found.mean, abs(found.grown - found.linear)
    for number in range(FOLDS):
        both = intervals(target, found, found.fold != number)
        for interval, mask in zip(both, (found.known, ~found.known), strict=True):
            rows = mask & (found.fold == number)
            ratios = errors[rows] / (interval.base + interval.slope * disagreement[rows])
            inside[rows] = (ratios >= -interval.low) & (ratios <= interval.high)
    return inside


def errors_of(
    rows: list[Result], families: list[str], found: LeftOut, totals: LeftOut, kin: LeftOut
) -> dict[str, Any]:
    """Return how well whole families are predicted that were left out, in points of accuracy."""
    top1 = np.array([row.top1 for row in rows])
    target = np.log(100 - top1)
    inside = coverage(target, found)
    missed = 100 - np.exp(found.mean) - top1

    def by(keys: list[str], least: int = 1) -> dict[str, dict[str, Any]]:
        groups: dict[str, list[int]] = {}
        for place, key in enumerate(keys):
            groups.setdefault(key, []).append(place)
        return {
            key: {
                "results": len(places),
                "mean": _rounded(abs(missed[places]).mean()),
                "bias": _rounded(missed[places].mean()),
                "covered": _rounded(inside[places].mean()),
            }
            for key, places in sorted(groups.items())
            if len(places) >= least
        }

    def scores(values: np.ndarray) -> dict[str, Any]:
        away = abs(values - top1)
        ranks = rank_correlation(values.tolist(), top1.tolist())
        return {"mean": _rounded(away.mean()), "median": _rounded(np.median(away)),
                "spearman": _rounded(ranks or 0.0, 4)}  # fmt: skip

    return {
        "about": "whole families left out of the fit, in points of top-1 accuracy",
        **scores(100 - np.exp(found.mean)),
        "covered": _rounded(inside.mean()),
        "known_recipes": _rounded(abs(missed[found.known]).mean()),
        "unknown_recipes": _rounded(abs(missed[~found.known]).mean()),
        "totals_alone": scores(100 - np.exp(totals.grown)),
        "related_families_left_out": scores(100 - np.exp(kin.mean)),
        "families": by(families),
        "recipes": by([row.recipe for row in rows], least=SHOWN),
    }


def _rounded(value: float, digits: int = 3) -> float:
    return round(float(value), digits)


def _numbers(values: Any) -> list[float]:
    return [float(f"{value:.{DIGITS}g}") for value in np.asarray(values).tolist()]


def _tree(tree: Any, node: int, rate: float) -> Any:
    """Return a tree of scikit-learn as nested lists, whose leaves are shrunk by the rate."""
    if tree.children_left[node] < 0:
        return float(f"{rate * tree.value[node, 0, 0]:.{DIGITS}g}")
    below, above = tree.children_left[node], tree.children_right[node]
    threshold = float(f"{tree.threshold[node]:.{DIGITS}g}")
    sides = (_tree(tree, below, rate), _tree(tree, above, rate))
    return [int(tree.feature[node]), threshold, *sides]


def document(
    fitted: Fitted, names: list[str], rows: list[Result], error: dict[str, Any],
    both: tuple[Interval, Interval],
) -> dict[str, Any]:  # fmt: skip
    """Return the content of timm.json."""
    ridge, scaler, trees = fitted.ridge, fitted.scaler, fitted.trees
    weights = ridge.coef_ / scaler.scale_
    intercept = ridge.intercept_ - float(np.dot(weights, scaler.mean_))
    rate = TREES["learning_rate"]
    return {
        "source": "results/results-imagenet.csv of huggingface/pytorch-image-models, and the"
        " metadata of torchvision's weights",
        "licence": "Apache-2.0 (timm), BSD-3-Clause (torchvision)",
        "fit": f"logarithm of the error rate; ridge regression (penalty {PENALTY:g}) and"
        f" {len(trees.estimators_)} boosted trees of depth {TREES['max_depth']};"
        " benchmarks/fit_timm_prior.py",
        "networks": len(rows),
        "architectures": len({row.arch for row in rows}),
        "error": error,
        "features": names,
        "recipes": {name: list(structs.astuple(x)) for name, x in fitted.recipes.items()},
        "epochs": _rounded(fitted.epochs, DIGITS),
        "ridge": {"intercept": _rounded(intercept, 6), "low": _numbers(fitted.low),
                  "high": _numbers(fitted.high), "weights": _numbers(weights)},
        "intercept": _rounded(float(trees.init_.constant_[0, 0]), 6),
        "trees": [_tree(stage[0].tree_, 0, rate) for stage in trees.estimators_],
        "share": SHARE,
        "known": structs.asdict(both[0]),
        "unknown": structs.asdict(both[1]),
    }  # fmt: skip


def written(content: dict[str, Any]) -> str:
    """Return the JSON with one line for each tree and each other entry."""
    trees = ",\n".join(json.dumps(tree, separators=(",", ":")) for tree in content["trees"])
    lines = [
        f'"trees": [\n{trees}\n]' if key == "trees" else f"{json.dumps(key)}: {json.dumps(value)}"
        for key, value in content.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def tables(content: dict[str, Any]) -> str:
    """Return the errors of a fitted prior as Markdown."""
    error = content["error"]
    rows = (
        ("whole families left out", error),
        ("the same, from macs, params, activations, input side and recipe alone",
         error["totals_alone"]),
        ("all related families left out at once: every ResNet, every mobile network",
         error["related_families_left_out"]),
    )  # fmt: skip
    lines = [
        f"{content['networks']} results of {content['architectures']} architectures. Errors are in"
        " points of top-1 accuracy, of networks whose family the fit did not see. Intervals of nine"
        f" in ten held {100 * error['covered']:.0f} % of them. The mean error is"
        f" {error['known_recipes']:.2f} where the recipe was fitted and"
        f" {error['unknown_recipes']:.2f} where it was not.\n",
        "| left out | mean error | median | Spearman |\n|---|---:|---:|---:|",
        *(f"| {name} | {x['mean']:.2f} | {x['median']:.2f} | {x['spearman']:.3f} |"
          for name, x in rows),
    ]  # fmt: skip
    for title, key in (("recipe", "recipes"), ("family", "families")):
        lines.append(
            f"\n| {title} | results | mean error | bias | inside the interval |"
            "\n|---|---:|---:|---:|---:|"
        )
        lines += [
            f"| {name} | {x['results']} | {x['mean']:.2f} | {x['bias']:+.2f} |"
            f" {100 * x['covered']:.0f} % |"
            for name, x in sorted(error[key].items(), key=lambda item: -item[1]["results"])
        ]
    few = [name for name in content["recipes"] if name not in error["recipes"]]
    lines.append(f"\nRecipes with fewer than {SHOWN} results: {', '.join(few)}.")
    return "\n".join(lines) + "\n"


def with_tables(page: str, content: dict[str, Any]) -> str:
    """Return the page with the tables of a fitted prior between its marks."""
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    return f"{before}{start}\n{tables(content)}{end}{after}"


TOTALS = ("macs", "params", "activations", "side")


def main() -> None:
    """Fit the prior, write it, and print its errors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("table", type=Path)
    parser.add_argument("--torchvision", type=Path)
    parser.add_argument("--features", type=Path, help="JSON file that keeps imported features")
    options = parser.parse_args()
    rows = published(options.table, options.torchvision)
    held = features_of(rows, options.features)
    names = list(held[0])
    values = np.array([[features[name] for name in names] for features in held])
    families = [family_of(row.arch) for row in rows]
    found = leave_out(rows, values, families)
    totals = leave_out(rows, values[:, [names.index(name) for name in TOTALS]], families)
    kin = leave_out(rows, values, [kin_of(row.arch) for row in rows])
    error = errors_of(rows, families, found, totals, kin)
    target = np.log([100 - row.top1 for row in rows])
    content = document(fit(rows, values), names, rows, error, intervals(target, found))
    FILE.write_text(written(content), encoding="utf-8")
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), content), encoding="utf-8")
    print(json.dumps({key: value for key, value in error.items() if key != "families"}, indent=1))
    print(f"{FILE}: {FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

"""The prior for any CNN: its file, its predictions, what it refuses and what it calls unlike."""

from __future__ import annotations

from collections.abc import Iterator
from math import isclose
from random import Random

import msgspec
import numpy as np
import pytest

from archscope.analysis.features import features
from archscope.errors import OptionError
from archscope.language import load as network
from archscope.language import zoo
from archscope.search.priors import NotCoveredError
from archscope.search.priors import load as prior_named
from archscope.search.priors.timm import DEFAULT, OTHER, TimmPrior, accuracy, described, load
from archscope.stats import rank_correlation
from benchmarks.fit_timm_prior import TREES, document, fit, folds_of
from benchmarks.published_results import Result, family_of

PRIOR = load()


def test_the_registry_has_it() -> None:
    assert prior_named("timm") is PRIOR


def test_errors_of_families_that_were_left_out_are_those_promised() -> None:
    error = PRIOR.error
    assert error["mean"] <= 1.0
    assert error["spearman"] >= 0.92
    assert 0.85 <= error["covered"] <= 0.95
    assert error["mean"] < error["totals_alone"]["mean"]
    assert error["spearman"] > error["totals_alone"]["spearman"]


def test_published_accuracy_of_the_zoo_is_mostly_inside_the_intervals() -> None:
    pairs, inside = [], []
    for path in zoo().values():
        graph = network(path)
        quoted = dict(graph.reference)
        if "top1_recipe" in quoted:
            found = PRIOR.predict(graph, recipe=quoted["top1_recipe"])
            assert found.low < found.mean < found.high
            pairs.append((found.mean, quoted["top1"]))
            inside.append(found.low <= quoted["top1"] <= found.high)
    predicted, published = zip(*pairs, strict=True)
    assert len(pairs) > 30
    assert sum(inside) >= 0.9 * len(inside)
    assert (rank_correlation(predicted, published) or 0) > 0.95


def test_the_default_recipe_is_stated_and_unknown_ones_are_wider() -> None:
    graph = network("resnet50")
    default = PRIOR.predict(graph)
    assert (default.recipe, default.unlike, default.networks) == (DEFAULT, (), PRIOR.networks)
    other = PRIOR.predict(graph, recipe=OTHER)
    unknown = PRIOR.predict(graph, recipe="nobody_in1k")
    assert unknown.mean == other.mean
    assert unknown.unlike == ("recipe 'nobody_in1k' was not fitted",)
    assert other.high - other.low > default.high - default.low
    longer = PRIOR.predict(graph, recipe="nobody_e3000_r160_in1k")
    assert longer.mean > unknown.mean


def test_recipes_are_checked_with_the_nearest_name() -> None:
    for known in (*PRIOR.recipes, OTHER):
        PRIOR.check_recipe(known)
    with pytest.raises(OptionError, match=r"no recipe 'a1_in', did you mean 'a1_in1k'\?"):
        PRIOR.check_recipe("a1_in")
    with pytest.raises(OptionError, match=r"no recipe 'qqqq'; there are in1k, .* 'other'"):
        PRIOR.check_recipe("qqqq")


def test_what_the_tag_of_a_recipe_says() -> None:
    told = described("ra4_e3600_r224_in1k")
    assert (told.epochs, told.side) == (3600, 224)
    assert described("tv_in1k") == described("resnet50")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("INPUT 1x16000 -> CONV 12 -> RELU -> FC 10", "its input is no image, but 1x16000"),
        ("INPUT 3x16x64x64 -> CONV 12 -> RELU -> FC 10", "its input is no image"),
        ("INPUT 3x224x224 -> CONV 12 -> RELU", "it is no classifier, it returns 12x"),
        ("INPUT 3x224x224 -> CONV 12 -> RELU -> FC 1", "returns a single number"),
        ("INPUT 3x224x224 -> FC 100 -> RELU -> FC 1000", "it has no convolution"),
        ("siamese", "a network of 2 inputs"),
        ("multitask", "it is no classifier, it returns 10, 4, 8"),
    ],
)
def test_refuses_what_is_no_classifier_of_images(text: str, reason: str) -> None:
    with pytest.raises(
        NotCoveredError, match=f"no prediction.* {reason}|no prediction for {reason}"
    ):
        PRIOR.predict(network(text))


def test_names_what_is_unlike_the_fitted_networks() -> None:
    words = "; ".join(PRIOR.predict(network("lenet5")).unlike)
    for part in (
        "1 input channel, fitted 3",
        "10 classes",
        "macs 499.7 K, fitted",
        "input side 32",
    ):
        assert part in words
    tall = PRIOR.predict(network("resnet18", input=(3, 224, 448)))
    assert tall.unlike == ("an input of 224x448, fitted squares",)


def test_the_number_of_classes_has_no_influence() -> None:
    thousand = PRIOR.predict(network("resnet18"))
    ten = PRIOR.predict(network("resnet18", set={"classes": 10}))
    assert isclose(ten.mean, thousand.mean)
    assert ten.unlike == ("10 classes, predicted as if they were 1000",)


@pytest.mark.parametrize(
    "text",
    [
        "INPUT 3x8x8 -> CONV 4 -> FC 2",
        "INPUT 3x224x224 -> [CONV 512 -> RELU]*30 -> POOL -> FC 1000",
        "INPUT 3x32x32 -> [[CONV 12 -> RELU]*2 -> POOL]*3 -> FC 10",
        "wrn28_10_cifar10", "hard_attention_cifar10", "zfnet",
    ],
)  # fmt: skip
def test_predictions_stay_accuracies(text: str) -> None:
    found = PRIOR.predict(network(text))
    assert 0 <= found.low < found.mean < found.high < 100


def made_up(random: Random, count: int) -> tuple[list[Result], np.ndarray]:
    """Return results that follow a line in the features, with names of several families."""
    names = list(features(network("resnet18")))
    recipes = ("tv_in1k", "a1_in1k", "new_e300_r160_in1k")
    rows, values = [], []
    for place in range(count):
        row = [random.uniform(0, 5) for _ in names]
        top1 = accuracy(4 - 0.3 * row[0] - 0.1 * row[1] + random.gauss(0, 0.02))
        arch = f"{'abcdefghijklmnop'[place % 16]}net{place}"
        rows.append(Result("timm", arch, recipes[place % 3], 224, top1))
        values.append(row)
    return rows, np.array(values)


def test_the_file_computes_what_was_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TREES, "n_estimators", 40)
    rows, values = made_up(Random(1), 64)
    fitted = fit(rows, values)
    names = list(features(network("resnet18")))
    content = document(fitted, names, rows, {}, (PRIOR.known, PRIOR.unknown))
    read = msgspec.json.decode(msgspec.json.encode(content), type=TimmPrior)
    linear, grown = fitted.values(rows, values)
    for row, inputs, a, b in zip(rows, fitted.inputs(rows, values), linear, grown, strict=True):
        ours = read.both(inputs.tolist())
        assert ours == pytest.approx((a, b), abs=2e-3), row


def test_families_are_left_out_whole() -> None:
    rows, _ = made_up(Random(2), 64)
    families = [family_of(row.arch) for row in rows]
    folds = folds_of(families)
    assert len(set(families)) == 16
    assert len({(family, int(fold)) for family, fold in zip(families, folds, strict=True)}) == 16
    assert max(np.bincount(folds)) <= 8


@pytest.mark.parametrize(
    ("arch", "family"),
    [
        ("resnet50", "resnet"), ("resnet50d", "resnet"), ("seresnet50", "seresnet"),
        ("legacy_seresnext26_32x4d", "seresnext"), ("tf_efficientnet_b0", "efficientnet"),
        ("mobilenetv3_small_100", "mobilenet v3"), ("mobilenet_v3_large", "mobilenet v3"),
        ("repvgg_a0", "repvgg"), ("regnetx_002", "regnetx"), ("regnet_y_400mf", "regnety"),
        ("dla60_res2net", "res2net"), ("dla60", "dla"), ("cs3darknet_focus_s", "cs3darknet"),
        ("vgg16_bn", "vgg"), ("pnasnet5large", "pnasnet"),
    ],
)  # fmt: skip
def test_families_by_name(arch: str, family: str) -> None:
    assert family_of(arch) == family


def test_the_trees_read_inputs_that_there_are() -> None:
    inputs = len(PRIOR.features) + len(PRIOR.recipes) + 3
    assert len(PRIOR.ridge.weights) == len(PRIOR.ridge.low) == len(PRIOR.ridge.high) == inputs

    def places(tree: object) -> Iterator[int]:
        if isinstance(tree, list):
            yield tree[0]
            yield from places(tree[2])
            yield from places(tree[3])

    assert {place for tree in PRIOR.trees for place in places(tree)} <= set(range(inputs))
    assert set(PRIOR.features) == set(features(network("resnet18")))

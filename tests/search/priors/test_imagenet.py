"""The prior of inverted residuals: what it covers, what it says, and what it needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from archscope import load
from archscope.search import priors
from archscope.search.priors import NotCoveredError, imagenet
from archscope.stats import rank_correlation

PUBLISHED = {
    "mobilenet_v2_035": 60.3, "mobilenet_v2_050": 65.4, "mobilenet_v2_075": 69.8,
    "mobilenet_v2": 72.0, "mobilenet_v2_140": 74.7,  # Sandler et al. 2018 and their repository
    "mnasnet1_0": 73.5, "mnasnet_a1": 75.2,  # torchvision's weights; Tan et al. 2019
    "efficientnet_b0": 77.1, "efficientnet_b1": 79.1,  # Tan and Le 2019
    "mobilenet_v3_large": 75.2, "mobilenet_v3_small": 67.4,  # Howard et al. 2019
}  # fmt: skip


def test_order_of_published_networks() -> None:
    prior = priors.load("imagenet")
    predicted = [prior.predict(load(name)).mean for name in PUBLISHED]
    agreement = rank_correlation(predicted, list(PUBLISHED.values()))
    assert agreement is not None and agreement >= 0.93


@pytest.mark.parametrize("name", PUBLISHED)
def test_interval_holds_the_mean(name: str) -> None:
    prediction = priors.load("imagenet").predict(load(name))
    assert prediction.low < prediction.mean < prediction.high < imagenet.load().model.ceiling


def test_interval_is_wider_where_a_network_is_unlike_the_table() -> None:
    prior = priors.load("imagenet")
    known, unlike = prior.predict(load("efficientnet_b0")), prior.predict(load("mobilenet_v1_025"))
    assert known.unlike == ()
    assert unlike.unlike
    assert unlike.high - unlike.low > known.high - known.low


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("resnet50", "has no inverted residuals"),
        ("shufflenet_v2_x1_0", "joins branches by 'concat'"),
        ("convnext_tiny", "in layers of other kinds"),
    ],
)
def test_other_networks_are_refused(name: str, why: str) -> None:
    with pytest.raises(NotCoveredError, match=why):
        priors.load("imagenet").predict(load(name))


def test_value_is_a_sum_over_resolutions() -> None:
    prior = imagenet.load()
    units = imagenet.covered_units(load("efficientnet_b0"))
    values = prior.values(units)
    assert values.keys() == {1, *imagenet.REDUCTIONS}
    for reduction in imagenet.REDUCTIONS:
        alone = prior.values([unit for unit in units if unit.reduction == reduction])
        assert alone[reduction] == pytest.approx(values[reduction])


def test_file_states_its_source_and_its_error() -> None:
    model = imagenet.load().model
    assert "Accel-NASBench" in model.source
    assert f"{model.rows:,} networks" in priors.about("imagenet")
    assert model.licence == "Apache-2.0"
    assert model.fit["spearman"] >= 0.98
    assert model.fit["spearman_240_to_300_mmacs"] >= 0.96
    assert 0.9 <= model.fit["interval_covers"] <= 0.99


def test_prediction_loads_no_heavy_package() -> None:
    code = (
        "import sys; from archscope import load; from archscope.search import priors;"
        "priors.load('imagenet').predict(load('mobilenet_v2'));"
        "print(sorted({'torch', 'numpy', 'sklearn', 'optuna'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

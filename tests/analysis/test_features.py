"""Features of networks: computed by hand for small ones, and their invariances."""

from __future__ import annotations

from math import isfinite, log

import pytest

from archscope.analysis.features import features
from archscope.ir import Graph
from archscope.language import load

SMALL = """
input: [3, 32, 32]
layers:
  - conv: {out: 8, kernel: 3, padding: 1, stride: 2, bias: false}
  - batchnorm
  - relu
  - add:
      - - conv: {out: 8, kernel: 5, padding: 2, groups: 8, bias: false}
        - conv: {out: 8, kernel: 1, bias: false}
      - - identity
  - global_avgpool
  - flatten
  - linear: 10
"""


@pytest.fixture
def small(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    path = tmp_path_factory.mktemp("specs") / "small.yaml"
    path.write_text(SMALL)
    return load(path)


def test_by_hand(small: Graph) -> None:
    found = features(small)
    macs = [256 * 8 * 27, 256 * 8 * 25, 256 * 8 * 8, 80]
    assert found["macs"] == pytest.approx(log(sum(macs)))
    assert found["params"] == pytest.approx(log(216 + 16 + 200 + 64 + 90))
    assert found["depthwise.macs"] == pytest.approx(macs[1] / sum(macs))
    assert found["pointwise.macs"] == pytest.approx(macs[2] / sum(macs))
    assert found["depth"] == pytest.approx(log(4))
    assert found["side"] == pytest.approx(log(32))
    assert found["stage1.macs"] == 1.0
    assert found["stage1.width"] == pytest.approx(log(8))
    assert found["kernel.largest"] == pytest.approx(log(25))
    assert found["stem.kernel"] == pytest.approx(log(9))
    assert found["norm.batch"] == found["sums"] == found["activations.count"] == 0.25
    assert found["activation.relu"] == 1.0
    assert found["embedding"] == pytest.approx(log(8))
    assert found["field"] == pytest.approx(log(11 / 32))
    assert found["gates"] == found["concats"] == found["products.macs"] == 0.0


def test_another_number_of_classes(small: Graph) -> None:
    as_thousand = features(small, 1000)
    assert as_thousand["params"] == pytest.approx(log(216 + 16 + 200 + 64 + 9000))
    thousand = features(load("resnet18"))
    assert features(load("resnet18", set={"classes": 7}), 1000) == pytest.approx(thousand)


def test_gates_and_grouped_convolutions() -> None:
    gated, grouped = features(load("mobilenet_v3_small")), features(load("resnext50_32x4d"))
    assert gated["gates"] == pytest.approx(9 / 54)
    assert grouped["grouped.count"] == pytest.approx(16 / 54)
    assert grouped["depthwise.count"] == grouped["gates"] == 0.0


def test_the_same_network_by_another_way_has_the_same_features() -> None:
    from archscope.importers.torch import from_module
    from tests.zoo.oracle import torchvision

    for name in ("resnet18", "mobilenet_v3_small"):
        module = torchvision().models.get_model(name, weights=None).eval()
        theirs = features(from_module(module, (3, 224, 224)).graph)
        assert theirs == pytest.approx(features(load(name)), abs=0.02), name


@pytest.mark.parametrize("name", ["lenet5", "siamese", "multitask", "alexnet", "wrn28_10_cifar10"])
def test_features_are_numbers_for_any_network(name: str) -> None:
    assert all(map(isfinite, features(load(name)).values()))


def test_rank_one_and_no_weights() -> None:
    wave = load("INPUT 1x16000 -> CONV 12 -> RELU -> POOL -> FC 10")
    assert all(map(isfinite, features(wave).values()))
    assert all(map(isfinite, features(load("INPUT 3x8x8 -> POOL -> RELU")).values()))

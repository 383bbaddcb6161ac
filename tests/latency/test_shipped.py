"""The profiles that ship: whole, of the kernels that graphs have, and clear about their range."""

from __future__ import annotations

from collections import defaultdict

import pytest
import torch

import archscope
from archscope.build import build
from archscope.latency.kernel_kinds import FEATURES, NONE, Kind
from archscope.latency.kernels import kernels
from archscope.latency.predict import predict
from archscope.latency.profile import SHIPPED, load
from benchmarks.fit_latency_profiles import COLUMNS, DEVICES, calls_of, sums_of

NAMES = sorted(path.stem for path in SHIPPED.glob("*.json"))


def test_every_device_has_a_profile() -> None:
    assert sorted(device.name for device in DEVICES) == NAMES


@pytest.mark.parametrize(("name", "published"), [
    ("rtx4090", 1024 / 4.2176), ("rtx3090", 1024 / 3.68718),
    ("i9-10940x", 14.865), ("i7-12700h", 32.78),
])  # fmt: skip
def test_published_time_of_resnet50_is_inside_the_interval(name: str, published: float) -> None:
    profile = load(name)
    found = predict(profile, archscope.load("resnet50"), profile.batches[1])
    assert found.low < published < found.high
    assert found.milliseconds == pytest.approx(published, rel=0.2)
    assert not found.unlike


def test_one_image_on_a_gpu_is_said_to_be_beyond_the_fit() -> None:
    found = predict(load("rtx4090"), archscope.load("resnet50"), 1)
    assert any("batch of 1" in words for words in found.unlike)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "squeezenet1_1", "lenet5"])
def test_calls_of_torch_are_the_kernels_of_the_graph(name: str) -> None:
    """What the fit takes from torch's calls is what a prediction takes from the graph."""
    graph = archscope.load(name)
    with torch.device("meta"):
        module = build(graph).eval()
    found = sums_of(calls_of(module, graph.inputs[0].out))
    expected: dict[tuple[str, str], float] = defaultdict(float)
    for kernel in kernels(graph, NONE):
        for feature, value in zip(FEATURES, kernel.features, strict=True):
            expected[kernel.kind, feature] += value
    assert set(found) == {kernel.kind for kernel in kernels(graph, NONE)} - {Kind.VIEW}
    for kind, feature in COLUMNS:
        sums = found.get(kind, {}).get(feature, [0.0])
        assert sums[0] == pytest.approx(expected[kind, feature], rel=0.01), (kind, feature)

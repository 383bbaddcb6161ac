"""Costs of whole networks: the paper's memory access, batches, shared weights, bytes."""

from __future__ import annotations

from typing import Any

import pytest

from archscope import load
from archscope.analysis import analyze
from archscope.analysis.cost import DTYPES, costs, total
from archscope.errors import OptionError
from archscope.space.costs import costs_of
from archscope.transforms.fuse import fuse
from tests.nets import Net, chain


@pytest.mark.parametrize(
    ("c1", "c2", "size", "groups"),
    [(24, 24, 14, 1), (8, 32, 7, 1), (64, 16, 28, 4), (16, 16, 9, 16)],
)
def test_memory_access_of_a_pointwise_convolution_is_the_paper_s(
    c1: int, c2: int, size: int, groups: int
) -> None:
    """ShuffleNetV2, equations 1 and 2: hw(c1 + c2) + c1 c2 / g."""
    conv = ("conv", {"out": c2, "groups": groups, "bias": False})
    cost = costs(chain(conv, x=(c1, size, size)))["conv1"]
    assert cost.memory_access == size**2 * (c1 + c2) + c1 * c2 // groups
    assert cost.macs == size**2 * c1 * c2 // groups


def test_equal_channels_need_the_least_memory_access() -> None:
    """Guideline 1: of equal macs, the balanced convolution moves least."""
    by_split = {
        (c1, c2): costs(chain(("conv", {"out": c2, "bias": False}), x=(c1, 14, 14)))["conv1"]
        for c1, c2 in ((32, 32), (16, 64), (64, 16), (8, 128))
    }
    assert len({cost.macs for cost in by_split.values()}) == 1
    assert min(by_split, key=lambda split: by_split[split].memory_access) == (32, 32)


def test_a_batch_scales_all_but_weights() -> None:
    graph = load("resnet50")
    one, many = total(costs(graph)), total(costs(graph, batch=8))
    assert (many.params, many.buffers) == (one.params, one.buffers)
    assert many.macs == 8 * one.macs
    assert many.elementwise == 8 * one.elementwise
    assert many.activations == 8 * one.activations
    weights = one.params + one.buffers
    assert many.memory_access - weights == 8 * (one.memory_access - weights)


def test_shared_weights_count_once_and_work_twice() -> None:
    net = Net(x=(3, 8, 8))
    first = net("conv", "x", name="first", out=3, kernel=3, padding=1)
    norm = net("batchnorm", first, name="norm")
    second = net("conv", norm, name="second", out=3, kernel=3, padding=1, shares="first")
    graph = net.graph(net("batchnorm", second, shares="norm"))
    cost = total(costs(graph))
    assert cost.params == (3 * 3 * 9 + 3) + 6
    assert cost.buffers == 6
    assert cost.macs == 2 * (64 * 3 * 3 * 9)
    assert costs(graph)["second"].params == 0
    assert costs(graph)["second"].memory_access == costs(graph)["first"].memory_access


def test_siamese_tower_counts_once() -> None:
    graph = load("siamese")
    cost = costs(graph)
    a = total({name: one for name, one in cost.items() if name.startswith("a.")})
    b = total({name: one for name, one in cost.items() if name.startswith("b.")})
    assert a.params == total(cost).params and b.params == 0
    assert a.macs == b.macs and total(cost).macs == 2 * a.macs


@pytest.mark.parametrize(("dtype", "size"), DTYPES.items())
def test_bytes_follow_the_type(dtype: str, size: int) -> None:
    graph = load("siamese")
    totals = analyze(graph, dtype=dtype).totals
    biases = 3 * total(costs(graph)).biases if dtype == "int8" else 0
    assert totals.weight_bytes == (totals.params + totals.buffers) * size + biases
    read = 3 * total(costs(graph)).biases_read if dtype == "int8" else 0
    assert totals.memory_access_bytes == totals.memory_access * size + read
    assert totals.macs_per_byte == totals.macs / totals.memory_access_bytes
    assert totals.macs == analyze(graph).totals.macs


def test_unknown_words_are_refused() -> None:
    graph = load("siamese")
    with pytest.raises(OptionError, match="unknown dtype 'float31', did you mean"):
        analyze(graph, dtype="float31")
    with pytest.raises(OptionError, match="unknown optimizer 'lion'; there are sgd, momentum"):
        analyze(graph, optimizer="lion")
    with pytest.raises(OptionError, match="unknown convention 'fvcor', did you mean 'fvcore'"):
        analyze(graph, count="fvcor")


@pytest.mark.parametrize("batch", [0, -1, "8", 2.5])
def test_a_batch_has_an_image_or_more(batch: Any) -> None:
    with pytest.raises(OptionError, match="batch is a whole number from 1, got"):
        analyze(load("siamese"), batch=batch)


def test_layers_sum_to_the_totals() -> None:
    analysis = analyze(load("mobilenet_v2"), batch=3, dtype="float16")
    for key in ("params", "buffers", "macs", "elementwise", "activations", "memory_access"):
        assert sum(getattr(layer, key) for layer in analysis.layers) == getattr(
            analysis.totals, key
        )
    assert sum(layer.memory_access_bytes for layer in analysis.layers) == (
        analysis.totals.memory_access_bytes
    )


def test_activations_are_outputs_of_convolutions_and_products() -> None:
    graph = chain(
        ("conv", {"out": 4, "kernel": 3, "padding": 1}), ("batchnorm", {}), ("relu", {}),
        ("maxpool", {"kernel": 2}), ("flatten", {}), ("linear", {"out": 10}), x=(3, 8, 8),
    )  # fmt: skip
    assert total(costs(graph)).activations == 4 * 64 + 10
    assert analyze(load("vgg16")).totals.activations == 13_556_712


@pytest.mark.parametrize(
    ("name", "flash"),
    [("mobilenet_v1_025", 467.33), ("mobilenet_v1_050", 1314.0), ("mobilenet_v1", 4157.09)],
)
def test_flash_of_int8_networks(name: str, flash: float) -> None:
    """As the model zoo of ST publishes it, in KiB."""
    graph = fuse(load(name))
    totals, priced = analyze(graph, dtype="int8").totals, costs_of(graph, "int8")
    assert round(totals.weight_bytes / 1024, 2) == flash
    assert priced["weights"] == totals.weight_bytes
    assert priced["access"] == totals.memory_access_bytes

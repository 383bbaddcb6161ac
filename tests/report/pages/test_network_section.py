"""What a report says of a network agrees with the analysis, and is named stably."""

from __future__ import annotations

import pytest

from archscope import analyze, load
from archscope.report.pages.network_section import describe_network, identifier, stage_key
from tests.report.conftest import collected


def test_stages_add_up_to_the_totals() -> None:
    (one,) = collected("shufflenet_v2_x1_0").networks()
    for key in ("params", "macs", "memory_access_bytes"):
        assert sum(getattr(stage, key) for stage in one.stages) == getattr(one.totals, key)
    assert sum(stage.layers for stage in one.stages) == len(one.layers)
    assert max(stage.peak_bytes or 0 for stage in one.stages) == one.totals.peak_activation_bytes
    assert [stage.key for stage in one.stages] == ["1/1", "1/2", "1/4", "1/8", "1/16", "1/32",
                                                   "vector"]  # fmt: skip


def test_the_timeline_peaks_where_the_analysis_says() -> None:
    (one,) = collected("resnet50").networks()
    peak = max(one.layers, key=lambda layer: layer.alive_bytes or 0)
    assert peak.alive_bytes == one.totals.peak_activation_bytes
    assert peak.name == one.totals.peak_node


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("batch", [1, 8])
def test_bytes_follow_the_options(training: bool, batch: int) -> None:
    graph = load("googlenet")
    analysis = analyze(graph, batch=batch, dtype="float16", training=training)
    page = describe_network(analysis, graph)
    assert len(page.layers) == len(analysis.layers)
    most = max(layer.alive_bytes or 0 for layer in page.layers)
    if not training:  # the peak of an analysis is that of inference
        assert most == analysis.totals.peak_activation_bytes


def test_a_saved_analysis_says_what_it_lacks() -> None:
    page = describe_network(analyze(load("lenet5")))
    assert page.missing and "timeline" in page.missing[0]
    assert all(layer.alive_bytes is None for layer in page.layers)
    assert page.scores == ()


def test_coverage_is_the_part_of_the_input_that_is_seen() -> None:
    (one,) = collected("vgg16").networks()
    assert one.values["field"] == 212
    assert one.values["coverage"] == pytest.approx(212 / 224)


def test_identifiers() -> None:
    assert identifier("ResNet-50 (v1)") == "resnet-50-v1"
    assert identifier("<script>") == "script"
    assert identifier("...") == "network"
    assert identifier("a", ["a", "a-2"]) == "a-3"


def test_stage_keys() -> None:
    assert stage_key((64, 56, 56), (3, 224, 224)) == "1/4"
    assert stage_key((64, 13, 13), (3, 227, 227)) == "1/17"
    assert stage_key((64, 448, 448), (3, 224, 224)) == "2x"
    assert stage_key((64, 1, 1), (3, 224, 224)) == "vector"
    assert stage_key((10,), (3, 224, 224)) == "vector"
    assert stage_key((192, 197), (3, 224, 224)) == "sequence"
    assert stage_key((8, 50), (1, 100)) == "1/2", "a signal has one axis"


def test_the_field_of_a_second_input_is_not_all_of_it() -> None:
    graph = load("siamese")
    strides = {layer.name: layer.stride for layer in describe_network(analyze(graph), graph).layers}
    assert (strides["a.conv1"], strides["a.flatten"], strides["b.conv1"]) == ("2", "", None)


def test_layers_state_the_attributes_that_a_spec_does() -> None:
    graph = load("resnet50")
    layers = describe_network(analyze(graph), graph).layers
    stem = ["", "out 64, kernel 7, stride 2, padding 3, no bias", "", ""]
    assert [layer.attributes for layer in layers[:5]] == [*stem, "kernel 3, stride 2, padding 1"]
    assert {layer.attributes for layer in describe_network(analyze(graph)).layers} == {""}

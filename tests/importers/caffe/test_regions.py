"""Detectors and data layers of Caffe: what is a network, and what selects boxes or is a label."""

from __future__ import annotations

from pathlib import Path

import pytest

import archscope
from archscope.build import build
from archscope.errors import ArchscopeError
from tests.importers.caffe.definitions import conv, drawn, inputs, layer, load

POOL = "roi_pooling_param { pooled_w: 3 pooled_h: 2 spatial_scale: 0.0625 }"
FC = "inner_product_param { num_output: 5 }"


def detector() -> str:
    """Return a detector of two stages, without its data."""
    text = conv("trunk", "data", 4, 3) + conv("rpn", "trunk", 2, 1)
    text += layer("Python", "proposal", "rpn im_info", top="rois scores")
    text += layer("ROIPooling", "pool", "trunk rois", POOL) + layer(
        "InnerProduct", "fc", "pool", FC
    )
    return text + layer("Softmax", "prob", "fc")


def test_a_detector_counts_one_region(tmp_path: Path) -> None:
    text = inputs(1, 3, 20, 20) + 'input: "im_info" input_shape { dim: 1 dim: 3 }\n'
    graph = load(tmp_path, text.replace(
        "input: \"im_info\" input_shape { dim: 1 dim: 3 }", "") + layer(
            "Input", "im_info", "", "input_param { shape { dim: 1 dim: 3 } }") + detector(),
    )  # fmt: skip
    assert [node.name for node in graph.inputs] == ["data", "pool"]
    assert [output.node for output in graph.outputs] == ["trunk_relu", "rpn_relu", "prob"]
    assert graph.about == (
        "not counted: proposal (Python); counted for one region, which is an input:"
        " pool (ROIPooling)"
    )
    totals = archscope.analyze(graph).totals
    assert totals.params == 4 * 27 + 4 + 2 * 4 + 2 + 5 * 24 + 5
    outs = build(graph).eval()(drawn(1, 3, 20, 20), drawn(7, 4, 2, 3))
    assert [tuple(out.shape) for out in outs.values()] == [(1, 4, 18, 18), (1, 2, 18, 18), (7, 5)]


def test_training_asks_for_the_image_alone(tmp_path: Path) -> None:
    text = layer("Python", "input-data", "", top="data im_info boxes")
    text += detector().replace('"rois"', '"all"', 1) + layer("Silence", "none", "scores", top=" ")
    text = text.replace(
        layer("ROIPooling", "pool", "trunk rois", POOL),
        layer("Python", "targets", "all boxes", top="rois labels")
        + layer("ROIPooling", "pool", "trunk rois", POOL),
    ) + layer("SoftmaxWithLoss", "loss", "fc labels")
    with pytest.raises(ArchscopeError, match="the size of its input 'data'; give it with --input"):
        load(tmp_path, text)
    graph = load(tmp_path, text, (3, 20, 20))
    assert "not counted: proposal (Python), targets (Python), loss" in graph.about
    assert archscope.analyze(graph).totals.params == 4 * 27 + 4 + 2 * 4 + 2 + 5 * 24 + 5


def test_position_sensitive_pools_and_several_maps(tmp_path: Path) -> None:
    text = inputs(1, 3, 20, 20) + conv("a", "data", 18, 3) + conv("b", "data", 18, 3)
    for name, of in (("p", "a"), ("q", "b")):
        text += layer("Proposal", f"{name}_rois", of)
        param = "psroi_pooling_param { output_dim: 2 group_size: 3 }"
        text += layer("PSROIPooling", name, f"{of} {name}_rois", param)
    joined = text + layer("Concat", "both", "p q", "concat_param { axis: 0 }")
    graph = load(tmp_path, joined + layer("InnerProduct", "fc", "both", FC))
    assert graph.by_name["fc"].facts.params == 5 * 18 + 5
    assert [node.name for node in graph.inputs] == ["data", "p"]


def test_boxes_are_joined_and_pooled(tmp_path: Path) -> None:
    text = inputs(1, 3, 20, 20) + conv("a", "data", 4, 3) + conv("b", "data", 4, 3)
    text += layer("Python", "low", "a", top="r1 s1") + layer("Python", "high", "b", top="r2 s2")
    text += layer("Concat", "rois", "r1 r2", "concat_param { axis: 0 }")
    text += layer("Concat", "scores", "s1 s2", "concat_param { axis: 0 }")
    text += layer("ROIPooling", "pool", "a rois", POOL) + layer("InnerProduct", "fc", "pool", FC)
    graph = load(tmp_path, text)
    assert not archscope.analyze(graph).opaque
    assert "not counted: low (Python), high (Python)" in graph.about


def test_code_within_a_network_is_unknown(tmp_path: Path) -> None:
    text = inputs(1, 3, 20, 20) + layer("Python", "code", "data") + conv("a", "code", 4, 3)
    graph = load(tmp_path, text)
    assert "macs" in graph.nodes[-1].op.unknown
    assert "not counted after unknown layers: a (Convolution)" in graph.about


@pytest.mark.parametrize(
    ("kind", "more", "shape"),
    [
        ("ImageSegData", "transform_param { crop_size: 24 }", (3, 24, 24)),
        ("AnnotatedData", "transform_param { resize_param { height: 20 width: 30 } }", (3, 20, 30)),
        ("ImageData", "image_data_param { new_height: 20 new_width: 22 is_color: false }",
         (1, 20, 22)),
        ("OurOwnReader", "our_param { crop_size: 26 }", (3, 26, 26)),
        ("MemoryData", "memory_data_param { batch_size: 2 channels: 5 height: 20 width: 21 }",
         (5, 20, 21)),
    ],
)  # fmt: skip
def test_any_layer_without_inputs_gives_data(
    kind: str, more: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    text = layer(kind, "data", "", more, "data label") + conv("a", "data", 4, 3)
    text += layer("Slice", "cut", "label", top="one two") + layer(
        "SoftmaxWithLoss", "loss", "a one"
    )
    graph = load(tmp_path, text + layer("EuclideanLoss", "loss2", "a two"))
    assert [node.out for node in graph.inputs] == [shape]
    assert "loss (SoftmaxWithLoss), loss2 (EuclideanLoss)" in graph.about


def test_other_data_that_a_network_reads_is_asked_for(tmp_path: Path) -> None:
    text = layer("HDF5Data", "data", "", top="image depth label") + conv("a", "image", 4, 3)
    text += conv("b", "depth", 4, 3) + layer("Eltwise", "sum", "a b")
    text += layer("SoftmaxWithLoss", "loss", "sum label")
    with pytest.raises(ArchscopeError, match=(
        "does not state the sizes of its inputs 'image' and 'depth'; give them with --input"
        " image=SIZE --input depth=SIZE"
    )):  # fmt: skip
        load(tmp_path, text)
    with pytest.raises(ArchscopeError, match="size of its input 'depth'; give it with --input"):
        load(tmp_path, text, {"image": (3, 8, 8)})
    graph = load(tmp_path, text, {"image": (3, 8, 8), "depth": (1, 8, 8)})
    assert [node.out for node in graph.inputs] == [(3, 8, 8), (1, 8, 8)]


def test_a_region_has_a_size(tmp_path: Path) -> None:
    text = inputs(1, 3, 20, 20) + detector().replace(POOL, "").replace(" im_info", "")
    text = text.replace('bottom: "im_info"', "")
    with pytest.raises(ArchscopeError, match="'pool' does not state the size of a region"):
        load(tmp_path, text)


def test_labels_of_unknown_layers_are_no_inputs(tmp_path: Path) -> None:
    text = layer("Data", "data", "", "transform_param { crop_size: 9 }", "data label")
    text += conv("a", "data", 4, 3)
    product = "margin_inner_product_param { num_output: 10 }"
    text += layer("MarginInnerProduct", "fc", "a label", product, "fc lambda")
    graph = load(tmp_path, text + layer("SoftmaxWithLoss", "loss", "fc label"))
    assert [node.name for node in graph.inputs] == ["data"]
    assert graph.by_name["fc"].facts.params == graph.by_name["fc"].facts.macs == 10 * 4 * 49


def test_a_definition_may_be_complete_for_training_alone(tmp_path: Path) -> None:
    text = layer("Data", "data", "", "transform_param { crop_size: 9 }", "data label")
    text += layer("Split", "again", "data", "include { phase: TRAIN }") + conv("a", "again", 4, 3)
    graph = load(tmp_path, text)
    assert graph.by_name["a"].facts.params == 4 * 27 + 4
    assert "read for training: the definition is not complete for phase TEST" in graph.about
    with pytest.raises(ArchscopeError, match="'a' reads 'again', which no layer produces"):
        load(tmp_path, text.replace('type: "Split"', 'type: "Split" phase: 1').replace(
            "TRAIN", "TRAIN stage: 'never'"))  # fmt: skip


def test_dropout_in_python(tmp_path: Path) -> None:
    text = inputs(1, 3, 8, 8) + layer(
        "Python", "drop", "data", "python_param { layer: 'SpatialDropoutLayer' }"
    )
    graph = load(tmp_path, text + conv("a", "drop", 4, 3))
    assert not archscope.analyze(graph).opaque

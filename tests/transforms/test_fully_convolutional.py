from __future__ import annotations

from pathlib import Path

import pytest
import torch

from archscope import load
from archscope.build import build
from archscope.errors import GraphError
from archscope.ir import Graph
from archscope.language.write import to_yaml
from archscope.transforms.fully_convolutional import fully_convolutional
from archscope.transforms.input_shapes import with_inputs
from tests.nets import chain

SMALL = "INPUT 3x16x16 -> [CONV 8 -> RELU -> POOL]*2 -> FC 20 -> RELU -> DROPOUT -> FC 10"


def assert_equal_outputs(graph: Graph) -> None:
    """Copy the weights, reshaped to windows, and compare on an image."""
    ours, theirs = build(fully_convolutional(graph)).eval(), build(graph).eval()
    targets = ours.state_dict()
    ours.load_state_dict(
        {name: value.view_as(targets[name]) for name, value in theirs.state_dict().items()}
    )
    image = torch.rand(1, *graph.inputs[0].out)
    with torch.inference_mode():
        scores = ours(image)
        torch.testing.assert_close(scores.flatten(1), theirs(image), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("source", [SMALL, "resnet50", "vgg16"])
def test_the_same_function_at_the_same_size(source: str) -> None:
    assert_equal_outputs(load(source))


def test_vgg16_slides_over_384() -> None:
    graph = with_inputs(fully_convolutional(load("vgg16")), {"input": (3, 384, 384)})
    assert graph.nodes[-1].out == (1000, 6, 6)


def test_the_converted_spec_reads_back(tmp_path: Path) -> None:
    graph = fully_convolutional(load(SMALL))
    path = tmp_path / "converted.yaml"
    path.write_text(to_yaml(graph), encoding="utf-8")
    back = load(path)
    assert [node.op for node in back.nodes] == [node.op for node in graph.nodes]
    assert load(path, input=(3, 32, 32)).nodes[-1].out == (10, 5, 5)


@pytest.mark.parametrize(
    "source, message",
    [
        ("INPUT 3x8x8 -> CONV 4", "has no linear layer after a flatten"),
        ("INPUT 3x8x8 -> FLATTEN -> BN -> FC 4", "reads a flattened map and cannot slide"),
        ("INPUT 3x8x8 -> FLATTEN -> SOFTMAX -> FC 4", "reads a flattened map and cannot slide"),
    ],
)
def test_what_cannot_slide_says_so(source: str, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        fully_convolutional(load(source))


@pytest.mark.parametrize("layer", ["weight_norm_linear", "fixed_linear"])
def test_weights_that_no_convolution_has_stay(layer: str) -> None:
    with pytest.raises(GraphError, match="cannot slide"):
        fully_convolutional(chain(("flatten", {}), (layer, {"out": 4}), x=(3, 8, 8)))

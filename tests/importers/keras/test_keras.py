"""Models of Keras: published params, both ways to say what a layer reads, and its own rules."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

import archscope
from archscope.build import build
from archscope.errors import ArchscopeError
from archscope.importers.formats import Inputs
from archscope.ir import Graph
from archscope.sources import imported, is_foreign
from tests.importers.files import KERAS


def layer(kind: str, name: str, *sources: str, late: bool = False, **config: Any) -> dict[str, Any]:
    reads: list[Any] = [[[source, 0, 0, {}] for source in sources]]
    if late and sources:
        tensors = [
            {"class_name": "__keras_tensor__", "config": {"keras_history": [source, 0, 0]}}
            for source in sources
        ]
        args = tensors if len(tensors) == 1 else [tensors]
        reads = [{"args": args, "kwargs": {"mask": None}}]
    return {"class_name": kind, "name": name, "config": config,
            "inbound_nodes": reads if sources else []}  # fmt: skip


def model(layers: list[dict[str, Any]], end: str, shape: list[Any]) -> dict[str, Any]:
    layers = [layer("InputLayer", "in", batch_shape=[None, *shape]), *layers]
    config = {"layers": layers, "input_layers": [["in", 0, 0]], "output_layers": [[end, 0, 0]]}
    return {"class_name": "Functional", "keras_version": "3.5.0", "config": config}


def load(where: Path, content: dict[str, Any], input: Inputs = None) -> Graph:
    (where / "net.json").write_text(json.dumps(content))
    return imported(str(where / "net.json"), input).graph


def sequential() -> dict[str, Any]:
    """Return the convolutional network of the first example of Keras, of 34,826 params."""
    layers = [
        layer("InputLayer", "in", batch_shape=[None, 28, 28, 1]),
        layer("Conv2D", "a", filters=32, kernel_size=[3, 3], activation="relu"),
        layer("MaxPooling2D", "b", pool_size=[2, 2], strides=[2, 2], padding="valid"),
        layer("Conv2D", "c", filters=64, kernel_size=[3, 3], activation="relu"),
        layer("MaxPooling2D", "d", pool_size=[2, 2]),
        layer("Flatten", "e"), layer("Dropout", "f", rate=0.5),
        layer("Dense", "g", units=10, activation="softmax"),
    ]  # fmt: skip
    return {"class_name": "Sequential", "config": {"name": "convnet", "layers": layers}}


def test_sequential(tmp_path: Path) -> None:
    graph = load(tmp_path, sequential())
    assert archscope.analyze(graph).totals.params == 34_826
    assert [node.out for node in graph.nodes][-4:] == [(1600,), (1600,), (10,), (10,)]


def test_archive(tmp_path: Path) -> None:
    source = tmp_path / "net.keras"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(sequential()))
        archive.writestr("model.weights.h5", b"of no interest")
    assert archscope.analyze(imported(str(source)).graph).totals.params == 34_826
    whole = source.read_bytes()
    for content in (b"", b"PK", whole[: len(whole) // 2], b"{}"):
        source.write_bytes(content)
        with pytest.raises(ArchscopeError, match=r"net\.keras: is"):
            imported(str(source))
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * (1 << 23))
    with pytest.raises(ArchscopeError, match="larger than the limit"):
        imported(str(source))


@pytest.mark.parametrize("late", [False, True])
def test_mobilenet_v1(late: bool, tmp_path: Path) -> None:
    layers, last = [], "in"

    def add(kind: str, name: str, **config: Any) -> None:
        nonlocal last
        layers.append(layer(kind, name, last, late=late, **config))
        last = name

    def normed(name: str) -> None:
        add("BatchNormalization", f"{name}_bn", axis=-1)
        add("ReLU", f"{name}_relu", max_value=6.0)

    add("Conv2D", "conv1", filters=32, kernel_size=3, strides=2, padding="same", use_bias=False)
    normed("conv1")
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2),
            (1024, 1)]  # fmt: skip
    for at, (wide, stride) in enumerate(plan):
        if stride == 2:
            add("ZeroPadding2D", f"pad{at}", padding=[[0, 1], [0, 1]])
        padding = "valid" if stride == 2 else "same"
        add("DepthwiseConv2D", f"dw{at}", kernel_size=[3, 3], strides=[stride, stride],
            padding=padding, use_bias=False)  # fmt: skip
        normed(f"dw{at}")
        add("Conv2D", f"pw{at}", filters=wide, kernel_size=[1, 1], use_bias=False)
        normed(f"pw{at}")
    add("GlobalAveragePooling2D", "mean", keepdims=True)
    add("Conv2D", "top", filters=1000, kernel_size=[1, 1])
    add("Reshape", "flat", target_shape=[1000])
    add("Activation", "probs", activation="softmax")
    graph = load(tmp_path, model(layers, last, [224, 224, 3]))
    analysis = archscope.analyze(graph)
    assert analysis.totals.params + analysis.totals.buffers == 4_253_864  # as Keras prints
    assert analysis.totals.macs == 568_740_352
    assert not analysis.opaque


def test_same_padding_and_layers_as_torch(tmp_path: Path) -> None:
    layers = [
        layer("Conv2D", "a", "in", filters=4, kernel_size=[3, 3], strides=[2, 2], padding="same"),
        layer("SeparableConv2D", "b", "a", filters=6, kernel_size=[3, 3], padding="same",
              activation="swish"),
        layer("Dense", "c", "b", units=5),
        layer("Conv2DTranspose", "d", "c", filters=3, kernel_size=[4, 4], strides=[2, 2],
              padding="same"),
        layer("UpSampling2D", "e", "c", size=[2, 2]),
        layer("Concatenate", "f", "d", "e", axis=-1),
        layer("Rescaling", "g", "f", scale=0.5, offset=0.0),
    ]  # fmt: skip
    graph = load(tmp_path, model(layers, "g", [10, 10, 3]))
    network = build(graph).eval()
    weights = list(network.parameters())
    x = torch.randn(1, 3, 10, 10)
    y = functional.conv2d(functional.pad(x, (0, 1, 0, 1)), weights[0], weights[1], stride=2)
    y = functional.conv2d(y, weights[2], padding=1, groups=4)
    y = functional.silu(functional.conv2d(y, weights[3], weights[4]))
    y = functional.conv2d(y, weights[5], weights[6])
    up = functional.conv_transpose2d(y, weights[7], weights[8], stride=2, padding=1)
    y = 0.5 * torch.cat((up, y.repeat_interleave(2, 2).repeat_interleave(2, 3)), 1)
    assert torch.allclose(network(x), y, atol=1e-6)


def test_layers_and_models_that_are_called_twice_share(tmp_path: Path) -> None:
    inner = model([layer("Dense", "a", "in", units=4)], "a", [8])
    inner["name"] = "tower"
    inner["inbound_nodes"] = [[["left", 0, 0, {}]], [["right", 0, 0, {}]]]
    top = layer("Subtract", "top", "tower")
    top["inbound_nodes"] = [[["tower", 0, 0, {}], ["tower", 1, 0, {}]]]
    config = {
        "layers": [layer("InputLayer", name, batch_shape=[None, 8]) for name in ("left", "right")]
        + [inner, top],
        "input_layers": [["left", 0, 0], ["right", 0, 0]],
        "output_layers": [["top", 0, 0]],
    }
    graph = load(tmp_path, {"class_name": "Functional", "config": config})
    assert archscope.analyze(graph).totals.params == 36
    assert archscope.analyze(graph).totals.macs == 64


def test_what_is_not_known_is_listed(tmp_path: Path) -> None:
    layers = [layer("Conv2D", "a", "in", filters=4, kernel_size=[1, 1]),
              layer("Lambda", "b", "a"), layer("Dense", "c", "b", units=3)]  # fmt: skip
    graph = load(tmp_path, model(layers, "c", [8, 8, 3]))
    assert graph.about == "not counted after unknown layers: c (Dense)"
    assert "macs" in graph.nodes[-1].op.unknown
    layers[1] = layer("BatchNormalization", "b", "a", scale=False)
    graph = load(tmp_path, model(layers, "c", [8, 8, 3]))
    assert [node.facts.params for node in graph.nodes[2:]] == [0, 4, 15]


def test_layers_may_stand_in_any_order(tmp_path: Path) -> None:
    layers = [layer("ReLU", f"a{at}", f"a{at - 1}" if at else "in") for at in range(3000)]
    graph = load(tmp_path, model(layers[::-1], "a2999", [8]))
    assert [node.name for node in graph.nodes[1:]] == [f"a{at}" for at in range(3000)]


def test_models_that_call_models_are_bounded(tmp_path: Path) -> None:
    inner = model([layer("Identity", "m", "in")], "m", [3])
    for _ in range(12):
        calls = [[["in", 0, 0, {}]], [["m", 0, 0, {}]], [["m", 1, 0, {}]]]
        inner = model([{**inner, "name": "m", "inbound_nodes": calls}], "m", [3])
        inner["config"]["output_layers"] = [["m", 2, 0]]
    with pytest.raises(ArchscopeError, match="more calls of layers than the limit"):
        load(tmp_path, inner)


def test_json_of_another_kind_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"name": "a", "layers": []}')
    assert not is_foreign(str(tmp_path / "a.json"))
    assert not is_foreign(str(tmp_path / "missing.json"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ('["pad", 0, 0, {}]', '["pod", 0, 0, {}]'),
            "'stem' .Conv2D. reads a value that no earlier",
        ),
        (
            ('["pad", 0, 0, {}]', '["relu", 0, 0, {}]'),
            "reads a value that no earlier layer produces",
        ),
        (('"filters": 8', '"filters": "eight"'), "'out' of 'conv' must be a whole number"),
        (
            ('"kernel_size": [3, 3]', '"kernel_size": {}'),
            "a configuration of an unknown form",
        ),
        (('"padding": [[1, 1], [1, 1]]', '"padding": [[1]]'), "cannot pad a map by"),
        (("[null, 32, 32, 3]", "[null, null, null, 3]"), "does not state the size of its input"),
        (('"output_layers": [["top"', '"output_layers": [["tip"'), "names 'tip' as its output"),
        (('"activation": "relu"', '"activation": "fancy"'), "has the unknown activation 'fancy'"),
        (('"units": 10', '"units": 10, "data_format": "channels_first"'), "channels first"),
        (('"class_name": "Functional"', '"class_name": "Sequence", "x": "Model"'), "its class is"),
    ],
)
def test_errors(change: tuple[str, str], said: str, tmp_path: Path) -> None:
    assert change[0] in KERAS
    (tmp_path / "net.json").write_text(KERAS.replace(*change, 1))
    with pytest.raises(ArchscopeError, match=said):
        imported(str(tmp_path / "net.json"))

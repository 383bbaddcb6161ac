"""Weights of `.caffemodel` files: what a network computes with them, and hostile files."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

import archscope
from archscope.build import build
from archscope.errors import ArchscopeError
from archscope.ir import Graph
from archscope.sources import imported
from archscope.weights import load_weights, state_dict_of
from tests.importers.caffe.definitions import drawn, inputs, layer
from tests.importers.caffe.model_files import blob, inside, model, number, single

Arrays = dict[str, list[Tensor]]


def computed(where: Path, text: str, file: bytes, *values: Tensor) -> Tensor:
    """Return what the network of a definition computes with the weights of a file."""
    (where / "net.prototxt").write_text(text)
    (where / "net.caffemodel").write_bytes(file)
    found = imported(str(where / "net.prototxt"))
    network = build(found.graph).eval()
    load_weights(network, state_dict_of(found.graph, found.weights()), "the file")
    made = network(*values)
    assert isinstance(made, Tensor)
    return made.detach()


def close(made: Tensor, wanted: Tensor) -> bool:
    return made.shape == wanted.shape and torch.allclose(made, wanted, atol=1e-5)


CONVOLUTION = "convolution_param { num_output: 6 kernel_size: 3 group: 2 }"
SMALL = (
    inputs(1, 4, 6, 6)
    + layer("Convolution", "c/1", "data", CONVOLUTION)
    + layer("PReLU", "p", "c/1", top="c/1")
    + layer("InnerProduct", "fc", "c/1", "inner_product_param { num_output: 3 }")
)  # fmt: skip
WEIGHTS: Arrays = {
    "c/1": [drawn(6, 2, 3, 3), drawn(6)], "p": [drawn(6).abs()], "fc": [drawn(3, 96), drawn(3)],
}  # fmt: skip


def small(x: Tensor) -> Tensor:
    x = functional.conv2d(x, *WEIGHTS["c/1"], groups=2)
    x = functional.prelu(x, *WEIGHTS["p"])
    return functional.linear(x.flatten(1), *WEIGHTS["fc"])


@pytest.mark.parametrize("form", ["shape", "sides", "double", "single"])
@pytest.mark.parametrize("generation", [0, 1, 2])
def test_all_generations_and_forms(generation: int, form: str, tmp_path: Path) -> None:
    x = drawn(2, 4, 6, 6)
    file = model({**WEIGHTS, "of the training": [drawn(3)]}, generation, form)
    assert close(computed(tmp_path, SMALL, file, x), small(x))


def test_the_only_file_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "deploy.prototxt").write_text(SMALL)
    with pytest.raises(ArchscopeError, match="there is no such file"):
        imported(str(tmp_path / "deploy.prototxt")).weights()
    (tmp_path / "iter_5.caffemodel").write_bytes(model(WEIGHTS))
    assert len(imported(str(tmp_path / "deploy.prototxt")).weights()) == 5
    (tmp_path / "iter_6.caffemodel").write_bytes(model(WEIGHTS))
    with pytest.raises(ArchscopeError, match=r"deploy\.caffemodel: none is, but 2 others"):
        imported(str(tmp_path / "deploy.prototxt")).weights()


@pytest.mark.parametrize("factor", [0.0, 1.0, 7.5])
@pytest.mark.parametrize("bias", [True, False])
def test_sums_of_statistics_are_divided(factor: float, bias: bool, tmp_path: Path) -> None:
    eps = 0.01
    text = inputs(1, 4, 3, 3)
    text += layer("BatchNorm", "bn", more=f"batch_norm_param {{ eps: {eps} }}")
    text += layer("Scale", "s", "bn", f"scale_param {{ bias_term: {str(bias).lower()} }}", "bn")
    mean, variance, scale, shift = drawn(4), drawn(4).abs() + 1, drawn(4) + 1, drawn(4, 1)[:, 0]
    arrays = {
        "bn": [mean, variance, torch.tensor([factor])], "s": [scale, shift] if bias else [scale],
    }  # fmt: skip
    x = drawn(2, 4, 3, 3)
    # BatchNormLayer::Forward_cpu: a factor of 0 means statistics of 0
    times = 1 / factor if factor else 0
    side = (1, 4, 1, 1)
    wanted = (x - (mean * times).view(side)) / ((variance * times).view(side) + eps).sqrt()
    wanted = wanted * scale.view(side) + (shift.view(side) if bias else 0)
    assert close(computed(tmp_path, text, model(arrays), x), wanted)


def test_the_batch_norms_of_forks(tmp_path: Path) -> None:
    scale, shift, mean, variance = (drawn(1, 4, 1, n)[..., :1] for n in (1, 2, 3, 4))
    variance = variance.abs() + 0.5
    x, text = drawn(2, 4, 3, 3), inputs(1, 4, 3, 3) + layer("BN", "bn")
    wanted = (x - mean) / (variance + 1e-5).sqrt() * scale + shift
    file = model({"bn": [scale, shift, mean, variance]})
    assert close(computed(tmp_path, text, file, x), wanted)
    folded = computed(tmp_path, text, model({"bn": [scale, shift]}), x)
    assert close(folded, x * scale + shift)
    text = inputs(1, 4, 3, 3) + layer(
        "BatchNorm", "bn", more="batch_norm_param { scale_bias: true }"
    )
    arrays = [array.flatten() for array in (mean, variance)]
    arrays += [torch.tensor([1.0]), scale.flatten(), shift.flatten()]
    assert close(computed(tmp_path, text, model({"bn": arrays}), x), wanted)


CASES = {
    "deconvolution": (
        layer("Deconvolution", "d", more="convolution_param { num_output: 6 kernel_size: 3"
              " stride: 2 pad: 1 group: 2 }"),
        {"d": [drawn(4, 3, 3, 3), drawn(6)]},
        lambda x, w, b: functional.conv_transpose2d(x, w, b, stride=2, padding=1, groups=2),
    ),
    "depthwise": (
        layer("ConvolutionDepthwise", "d", more="convolution_param { kernel_size: 3 }"),
        {"d": [drawn(4, 1, 3, 3), drawn(4)]},
        lambda x, w, b: functional.conv2d(x, w, b, groups=4),
    ),
    "no bias": (
        layer("Convolution", "c", more="convolution_param { num_output: 3 kernel_h: 1 kernel_w: 3"
              " bias_term: false dilation: 2 }"),
        {"c": [drawn(3, 4, 1, 3)]},
        lambda x, w: functional.conv2d(x, w, dilation=2),
    ),
    "transposed": (
        layer("InnerProduct", "f", more="inner_product_param { num_output: 3 transpose: true }"),
        {"f": [drawn(100, 3), drawn(3)]},
        lambda x, w, b: x.flatten(1) @ w + b,
    ),
    "transposed with sides": (
        layer("InnerProduct", "f", more="inner_product_param { num_output: 3 transpose: true }"),
        {"f": [drawn(1, 1, 100, 3), drawn(1, 1, 1, 3)]},
        lambda x, w, b: x.flatten(1) @ w[0, 0] + b.flatten(),
    ),
    "rows": (
        layer("InnerProduct", "f", more="inner_product_param { num_output: 3 axis: 2 }"),
        {"f": [drawn(3, 25), drawn(3)]},
        lambda x, w, b: functional.linear(x.flatten(2), w, b),
    ),
    "one slope": (
        layer("PReLU", "p", more="prelu_param { channel_shared: true }"),
        {"p": [torch.tensor([0.3])]},
        functional.prelu,
    ),
    "scale of a number": (
        layer("Scale", "s", more="scale_param { num_axes: 0 bias_term: true }"),
        {"s": [torch.tensor(1.5), torch.tensor(0.25)]},
        lambda x, w, b: x * w + b,
    ),
    "scale of all places": (
        layer("Scale", "s", more="scale_param { num_axes: -1 }"),
        {"s": [drawn(4, 5, 5)]},
        lambda x, w: x * w,
    ),
    "scale of rows": (
        layer("Scale", "s", more="scale_param { axis: 2 }"),
        {"s": [drawn(5)]},
        lambda x, w: x * w[:, None],
    ),
    "bias": (
        layer("Bias", "b"), {"b": [drawn(4)]}, lambda x, b: x + b[:, None, None],
    ),
    "norm of SSD": (
        layer("Normalize", "n", more="norm_param { across_spatial: false channel_shared: false }"),
        {"n": [drawn(4)]},
        lambda x, w: functional.normalize(x, dim=1) * w[:, None, None],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_layers(name: str, tmp_path: Path) -> None:
    text, arrays, formula = CASES[name]
    x = drawn(2, 4, 5, 5)
    ((_, blobs),) = arrays.items()
    made = computed(tmp_path, inputs(1, 4, 5, 5) + text, model(arrays), x)
    assert close(made, formula(x, *blobs))  # type: ignore[no-untyped-call, operator]


def test_shared_weights(tmp_path: Path) -> None:
    param = (
        'param { name: "w" } param { name: "b" } convolution_param { num_output: 4 kernel_size: 1 }'
    )
    text = inputs(1, 4, 5, 5) + layer("Convolution", "a", "data", param)
    text += layer("Convolution", "b", "a", param)
    weights = [drawn(4, 4, 1, 1), drawn(4)]
    x = drawn(1, 4, 5, 5)
    wanted = functional.conv2d(functional.conv2d(x, *weights), *weights)
    assert close(computed(tmp_path, text, model({"a": weights, "b": weights}), x), wanted)
    with pytest.raises(ArchscopeError, match="layer 'b' shares its weights, but has others"):
        computed(tmp_path, text, model({"a": weights, "b": [weights[0] + 1, weights[1]]}), x)


def convolution(field: int) -> bytes:
    return inside(
        field, number(1, 6), number(4, 3), number(5, 2), number(3, 1), inside(7, inside(1, "msra"))
    )


def whole_file(generation: int) -> bytes:
    """Return a network with its layers, as Caffe saves it after a training."""
    if generation == 1:
        layers = [
            inside(2, inside(3, "data"), inside(3, "label"), inside(4, "d"), number(5, 12),
                   inside(36, number(3, 6)), inside(32, number(1, 0))),
            inside(2, inside(2, "data"), inside(3, "c"), inside(4, "c"), number(5, 4),
                   convolution(10), *(inside(6, blob(a, "sides")) for a in CONV)),
            inside(2, inside(2, "c"), inside(3, "c"), inside(4, "r"), number(5, 18),
                   inside(30, single(1, 0.1))),
            inside(2, inside(2, "c"), inside(3, "p"), inside(4, "p"), number(5, 17),
                   inside(19, number(1, 1), number(2, 3), number(3, 2))),
            inside(2, inside(2, "p"), inside(2, "label"), inside(3, "l"), inside(4, "l"),
                   number(5, 21)),
        ]  # fmt: skip
    else:
        layers = [
            inside(100, inside(1, "d"), inside(2, "ImageData"), inside(4, "data"),
                   inside(4, "label"), number(10, 0), inside(8, number(1, 0)),
                   inside(100, number(3, 6))),
            inside(100, inside(1, "c"), inside(2, "Convolution"), inside(3, "data"),
                   inside(4, "c"), number(10, 0), convolution(106),
                   *(inside(7, blob(a)) for a in CONV)),
            inside(100, inside(1, "r"), inside(2, "ReLU"), inside(3, "c"), inside(4, "c"),
                   number(10, 0), inside(123, single(1, 0.1))),
            inside(100, inside(1, "p"), inside(2, "Pooling"), inside(3, "c"), inside(4, "p"),
                   number(10, 0), inside(121, number(1, 1), number(2, 3), number(3, 2))),
            inside(100, inside(1, "l"), inside(2, "SoftmaxWithLoss"), inside(3, "p"),
                   inside(3, "label"), inside(4, "l"), number(10, 0)),
        ]  # fmt: skip
    return inside(1, "net") + b"".join(layers)


CONV = [drawn(6, 1, 3, 3).repeat(1, 2, 1, 1)[:, :2], drawn(6)]


@pytest.mark.parametrize("generation", [1, 2])
def test_a_network_from_its_file_alone(generation: int, tmp_path: Path) -> None:
    path = tmp_path / "net.caffemodel"
    path.write_bytes(whole_file(generation))
    found = imported(str(path), (4, 6, 6))
    words = [node.op.name for node in found.graph.nodes]
    assert words == ["input", "conv", "leaky_relu", "avgpool"]
    assert getattr(found.graph.nodes[2].op, "slope", None) == 0.1  # in float32: 0.100000001
    network = build(found.graph).eval()
    load_weights(network, state_dict_of(found.graph, found.weights()), "the file")
    x = drawn(1, 4, 6, 6)
    wanted = functional.conv2d(x, *CONV, groups=2, padding=1)
    wanted = functional.leaky_relu(wanted, 0.1)
    wanted = functional.avg_pool2d(wanted, 3, 2, ceil_mode=True)
    assert close(network(x), wanted)
    # The definition beside it is preferred: another negative slope, no data.
    (tmp_path / "net.prototxt").write_text(
        inputs(1, 4, 6, 6)
        + layer(
            "Convolution",
            "c",
            "data",
            CONVOLUTION,
        )
    )
    assert len(imported(str(path)).graph.nodes) == 2


def test_the_input_comes_from_the_data(tmp_path: Path) -> None:
    path = tmp_path / "net.caffemodel"
    path.write_bytes(whole_file(2).replace(number(5, 2), number(5, 1)))
    assert archscope.load(str(path)).inputs[0].out == (3, 6, 6)


def test_settings_of_forks_ask_for_the_definition(tmp_path: Path) -> None:
    def of(*content: bytes) -> Graph:
        data = inside(3, "data") + inside(8, inside(1, *map(bytes, ([1], [4], [6], [6]))))
        (tmp_path / "net.caffemodel").write_bytes(data + inside(100, *content))
        return imported(str(tmp_path / "net.caffemodel")).graph

    ends = inside(1, "x"), inside(3, "data"), inside(4, "y")
    order = b"".join(number(1, axis) for axis in (0, 2, 3, 1))
    assert of(*ends, inside(2, "Permute"), inside(202, order)).nodes[-1].out == (6, 6, 4)
    for content in (
        (*ends, inside(2, "Permute"), inside(150, order)),
        (*ends, inside(2, "BN"), inside(137, single(1, 0.5))),
        (*ends, inside(2, "Convolution"), inside(106, number(1, 2), number(4, 1), number(77, 1))),
    ):
        with pytest.raises(ArchscopeError, match="settings of a fork of Caffe") as caught:
            of(*content)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b"", "it has no layers"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"name: 'net'\nlayer {\n", "is no model of Caffe"),
        (model({"c/1": WEIGHTS["c/1"]}), "layer 'p' is missing"),
        (model({**WEIGHTS, "fc": WEIGHTS["fc"][:1]}), "layer 'fc': expected 2 arrays, got 1"),
        (model({**WEIGHTS, "p": [drawn(7)]}), "needs shape"),
        (
            model(WEIGHTS).replace(inside(1, b"\6"), inside(1, b"\7")),
            "the numbers of layer 'c/1' are 6, their sizes are 7",
        ),
        (model(WEIGHTS) + inside(100, inside(1, "fc"), inside(7, inside(12, "x"))), "of a fork"),
        (model(WEIGHTS) + inside(100, inside(1, "fc"), inside(7, inside(5, "abc"))), "end within"),
    ],
)
def test_files_that_do_not_fit(file: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(ArchscopeError, match=message) as caught:
        computed(tmp_path, SMALL, file, drawn(1, 4, 6, 6))
    assert "\n" not in str(caught.value)


def test_damaged_files_are_errors(tmp_path: Path) -> None:
    draw = random.Random(0)
    whole = [whole_file(1), whole_file(2), model(WEIGHTS)]
    (tmp_path / "with.prototxt").write_text(SMALL)
    for turn in range(400):
        content = bytearray(draw.choice(whole))
        if turn % 2:
            del content[draw.randrange(len(content)) :]
        for _ in range(draw.randrange(1, 4)):
            content[draw.randrange(min(len(content), 400)) - 1 :][:1] = bytes([draw.randrange(256)])
            if content:
                content[draw.randrange(len(content))] = draw.randrange(256)
        for stem in ("alone", "with"):
            path = tmp_path / f"{stem}.caffemodel"
            path.write_bytes(content)
            try:
                found = imported(str(path), (4, 6, 6))
                state_dict_of(found.graph, found.weights())
            except ArchscopeError as error:
                assert "\n" not in str(error)

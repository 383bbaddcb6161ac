"""Neural networks of Core ML: what each layer computes, and what counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from torch import nn
from torch.nn import functional

from archscope.errors import ArchscopeError
from archscope.sources import imported
from tests.importers.coreml.writer import Network, floats
from tests.importers.running import Cases, computed, numbers, params, torch_of

pytest.importorskip("onnx", reason="needs archscope[onnx]")

Make = Callable[[Network], str]
CASES: Cases[Make] = Cases()
"""How a network of the first generation is written, what it computes, and its params."""
case = CASES.of

W = numbers(6, 8, 3, 3)
B = numbers(6, seed=2)
G = numbers(12, 2, 3, 3)
D = numbers(8, 5, 4, 4)
C = numbers(8, seed=3)
L = numbers(10, 8 * 12 * 12) / 30
IMAGE = (1, 8, 12, 12)


def edges(*pairs: tuple[int, int]) -> dict[str, Any]:
    return {"borderAmounts": [{"startEdgeSize": a, "endEdgeSize": b} for a, b in pairs]}


@case(438, lambda x: functional.conv2d(x, torch_of(W), torch_of(B), stride=2, padding=1))
def convolution(net: Network) -> str:
    return net.layer("convolution", outputChannels=6, kernelChannels=8, stride=[2, 2],
                     valid={"paddingAmounts": edges((1, 1), (1, 1))}, hasBias=True,
                     weights=floats(W), bias=floats(B))  # fmt: skip


@case(432, lambda x: functional.conv2d(functional.pad(x, (0, 1, 0, 1)), torch_of(W), stride=2))
def same_padding_is_at_the_end(net: Network) -> str:
    return net.layer("convolution", outputChannels=6, kernelChannels=8, nGroups=1,
                     kernelSize=[3, 3], stride=[2, 2], same={}, weights=floats(W))  # fmt: skip


@case(432, lambda x: functional.conv2d(functional.pad(x, (1, 0, 1, 0)), torch_of(W), stride=2))
def same_padding_is_at_the_beginning(net: Network) -> str:
    return net.layer("convolution", outputChannels=6, kernelChannels=8, stride=[2, 2],
                     same={"asymmetryMode": 1}, weights=floats(W))  # fmt: skip


@case(216, lambda x: functional.conv2d(x, torch_of(G), padding=2, dilation=2, groups=4))
def groups_and_dilation(net: Network) -> str:
    return net.layer("convolution", outputChannels=12, kernelChannels=2, nGroups=4,
                     dilationFactor=[2, 2], valid={"paddingAmounts": edges((2, 2), (2, 2))},
                     weights=floats(G))  # fmt: skip


@case(640, lambda x: functional.conv_transpose2d(x, torch_of(D), None, 2, 1))
def deconvolution(net: Network) -> str:
    return net.layer("convolution", outputChannels=5, kernelChannels=8, kernelSize=[4, 4],
                     stride=[2, 2], valid={"paddingAmounts": edges((1, 1), (1, 1))},
                     isDeconvolution=True, weights=floats(D))  # fmt: skip


@case(640, lambda x: functional.conv_transpose2d(x, torch_of(D), None, 2, 1))
def deconvolution_to_the_same_size(net: Network) -> str:
    return net.layer("convolution", outputChannels=5, kernelChannels=8, kernelSize=[4, 4],
                     stride=[2, 2], same={}, isDeconvolution=True, weights=floats(D))  # fmt: skip


@case(0, lambda x: functional.max_pool2d(x, 3, 2, 1, ceil_mode=True))
def pooling_of_the_last_pixel(net: Network) -> str:
    return net.layer("pooling", type=0, kernelSize=[3, 3], stride=[2, 2],
                     includeLastPixel={"paddingAmounts": [1, 1]})  # fmt: skip


@case(0, lambda x: functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False))
def average_without_padding(net: Network) -> str:
    return net.layer("pooling", type=1, stride=[1, 1], avgPoolExcludePadding=True,
                     valid={"paddingAmounts": edges((1, 1), (1, 1))})  # fmt: skip


@case(0, lambda x: functional.lp_pool2d(x, 2, 3, 2))
def length_of_windows(net: Network) -> str:
    return net.layer("pooling", type=2, kernelSize=[3, 3], stride=[2, 2], valid={})


@case(11530, lambda x: functional.linear(x.flatten(1), torch_of(L), torch_of(C[:1].repeat(10))))
def product_of_all_positions(net: Network) -> str:
    y = net.layer("flatten", "x", mode=0)
    return net.layer("innerProduct", y, inputChannels=1152, outputChannels=10, hasBias=True,
                     weights=floats(L), bias=floats(C[:1].repeat(10)))  # fmt: skip


@case(0, lambda x: x.mean((2, 3)).softmax(1))
def global_pooling_and_softmax(net: Network) -> str:
    y = net.layer("pooling", "x", type=1, globalPooling=True)
    y = net.layer("reshape", y, targetShape=[8, 1, 1])
    return net.layer("softmax", y)


@case(16, lambda x: functional.batch_norm(x, torch_of(C), torch_of(C * C + 1), torch_of(C + 2),
                                          torch_of(C), eps=1e-3))  # fmt: skip
def batch_norm(net: Network) -> str:
    return net.layer("batchnorm", channels=8, epsilon=1e-3, gamma=floats(C + 2), beta=floats(C),
                     mean=floats(C), variance=floats(C * C + 1))  # fmt: skip


@case(16, lambda x: functional.instance_norm(x, None, None, torch_of(C), torch_of(C + 1)))
def instance_norm(net: Network) -> str:
    return net.layer("batchnorm", channels=8, computeMeanVar=True, instanceNormalization=True,
                     gamma=floats(C), beta=floats(C + 1))  # fmt: skip


@case(0, lambda x: functional.layer_norm(x, (8, 12, 12)))
def norm_of_whole_images(net: Network) -> str:
    return net.layer("mvn", acrossChannels=True, normalizeVariance=True, epsilon=1e-5)


@case(0, lambda x: functional.local_response_norm(x, 5, 1e-2, 0.5, 2.0))
def local_response_norm(net: Network) -> str:
    return net.layer("lrn", alpha=1e-2, beta=0.5, localSize=5, k=2.0)


def activation(net: Network, **kind: Any) -> str:
    return net.layer("activation", "x", **kind)


@case(8, lambda x: functional.leaky_relu(x, 0.2) + functional.elu(x) + 2 * torch.tanh(0.5 * x)
      + (0.3 * x + 0.4).clamp(0, 1) + functional.prelu(x, torch_of(C)) + 3 * x - 1)  # fmt: skip
def activations(net: Network) -> str:
    parts = [
        activation(net, leakyReLU={"alpha": 0.2}), activation(net, ELU={"alpha": 1.0}),
        activation(net, scaledTanh={"alpha": 2.0, "beta": 0.5}),
        activation(net, sigmoidHard={"alpha": 0.3, "beta": 0.4}),
        activation(net, PReLU={"alpha": floats(C)}),
        activation(net, linear={"alpha": 3.0, "beta": -1.0}),
    ]  # fmt: skip
    return net.layer("add", *parts)


@case(0, lambda x: torch.rsqrt(2 * x * x + 1 + 1e-6) + (x + 0.5).abs() + x.clamp(min=0.25))
def functions(net: Network) -> str:
    square = net.layer("multiply", "x", "x")
    parts = [net.layer("unary", square, type=1, scale=2.0, shift=1.0),
             net.layer("unary", "x", type=6, shift=0.5),
             net.layer("unary", "x", type=7, alpha=0.25)]  # fmt: skip
    return net.layer("add", *parts)


@case(16, lambda x: x * torch_of(C).view(8, 1, 1) + torch_of(C + 1).view(8, 1, 1))
def scale(net: Network) -> str:
    return net.layer("scale", shapeScale=[8], scale=floats(C), hasBias=True,
                     shapeBias=[8, 1, 1], bias=floats(C + 1))  # fmt: skip


@case(0, lambda x: torch.cat((x[:, 4:], x[:, :4] * x[:, :4].mean((2, 3), keepdim=True)), 1))
def split_and_join(net: Network) -> str:
    first = net.layer("split", "x", outputs=2, nOutputs=2)
    gate = net.layer("reduce", first, mode=1, axis=1)
    y = net.layer("multiply", first, gate)
    return net.layer("concat", f"{first}_1", y)


@case(0, lambda x: functional.interpolate(x, scale_factor=2) + functional.interpolate(
    x, scale_factor=2, mode="bilinear") + functional.interpolate(
    x, size=(24, 24), mode="bilinear", align_corners=True))  # fmt: skip
def resizing(net: Network) -> str:
    parts = [net.layer("upsample", "x", scalingFactor=[2, 2]),
             net.layer("upsample", "x", scalingFactor=[2, 2], mode=1, linearUpsampleMode=2),
             net.layer("resizeBilinear", "x", targetSize=[24, 24])]  # fmt: skip
    return net.layer("add", *parts)


@case(0, lambda x: functional.pixel_shuffle(x, 2)[:, :, 1:-2, ::2])
def blocks_and_slices(net: Network) -> str:
    y = net.layer("reorganizeData", "x", mode=2, blockSize=2)
    y = net.layer("crop", y, cropAmounts=edges((1, 2), (0, 0)))
    return net.layer("slice", y, startIndex=0, endIndex=24, stride=2, axis=2)


@case(0, lambda x: functional.pad(functional.pad(x, (1, 2, 3, 4), "reflect"), (1, 1, 1, 1),
                                  value=0.5))  # fmt: skip
def borders(net: Network) -> str:
    y = net.layer("padding", "x", reflection={}, paddingAmounts=edges((3, 4), (1, 2)))
    return net.layer("padding", y, constant={"value": 0.5}, paddingAmounts=edges((1, 1), (1, 1)))


@case(0, lambda x: x.permute(0, 2, 3, 1).reshape(1, 6, 24, 8).permute(0, 3, 1, 2).flatten(1))
def channels_last(net: Network) -> str:
    y = net.layer("reshape", "x", targetShape=[8, 6, 24], mode=1)
    return net.layer("flatten", y)


@pytest.mark.parametrize("name", CASES)
def test_a_layer_computes_what_torch_computes(name: str, tmp_path: Path) -> None:
    make, reference, expected = CASES[name]
    net = Network(*IMAGE[1:])
    graph, x, ours = computed(net.save(tmp_path, make(net)), *IMAGE)
    torch.testing.assert_close(ours, reference(x), rtol=1e-4, atol=1e-5)
    assert params(graph) == expected


EXACT: Cases[Make] = Cases()
exact = EXACT.of


@exact(130, lambda x: functional.linear(x, torch_of(L[:, :12]), torch_of(L[:, 13])))
def product_of_the_last_axis(net: Network) -> str:
    y = net.layer("reshapeStatic", "x", targetShape=[1, 96, 12])
    y = net.layer("innerProduct", y, inputChannels=12, outputChannels=10, hasBias=True,
                  weights=floats(L[:, :12]), bias=floats(L[:, 13]))  # fmt: skip
    return net.layer("reshapeStatic", y, targetShape=[1, 8, 12, 10])


@exact(0, lambda x: (x @ x.transpose(2, 3)).softmax(-1))
def matrices(net: Network) -> str:
    y = net.layer("batchedMatmul", "x", "x", transposeB=True)
    return net.layer("softmaxND", y, axis=-1)


@exact(24, lambda x: functional.layer_norm(x, (12,), torch_of(L[0, :12]), torch_of(L[1, :12])))
def layer_norm(net: Network) -> str:
    return net.layer("layerNormalization", normalizedShape=[12], eps=1e-5,
                     gamma=floats(L[0, :12]), beta=floats(L[1, :12]))  # fmt: skip


@exact(0, lambda x: torch.where(x > 0.1, x, 2 * x).amax(1, keepdim=True))
def choices(net: Network) -> str:
    above = net.layer("greaterThan", "x", alpha=0.1)
    twice = net.layer("addBroadcastable", "x", "x")
    y = net.layer("whereBroadcastable", above, "x", twice)
    return net.layer("reduceMax", y, axes=[1], keepDims=True)


@exact(0, lambda x: torch.cat((x[:, :2], x[:, 5:]), 1)[:, 1:, ::3])
def parts(net: Network) -> str:
    first = net.layer("splitND", "x", outputs=3, axis=1, splitSizes=[2, 3, 3])
    y = net.layer("concatND", first, f"{first}_2", axis=1)
    no, yes = [0, 0, 0, 0], [0, 1, 1, 1]
    return net.layer("sliceStatic", y, beginIds=[0, 1, 0, 0], beginMasks=no, endIds=[1, 0, 0, 0],
                     endMasks=yes, strides=[1, 1, 3, 1], squeezeMasks=no)  # fmt: skip


@exact(0, lambda x: x[:, 1:, :6])
def a_slice_as_large_as_another_value(net: Network) -> str:
    half = net.layer("pooling", "x", type=0, kernelSize=[2, 2], stride=[2, 2], valid={})
    size = net.layer("getShape", half)
    size = net.layer("multiplyBroadcastable", size, net.constant([1, 1, 1, 2]))
    begin = net.constant([0, 1, 0, 0])
    return net.layer("sliceDynamic", "x", begin, size, strides=[1, 1, 1, 1],
                     beginMasks=[1, 0, 1, 1], endMasks=[1, 1, 0, 1],
                     squeezeMasks=[0, 0, 0, 0])  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_layers_of_the_second_generation_have_axes_of_their_own(name: str, tmp_path: Path) -> None:
    make, reference, expected = EXACT[name]
    net = Network(*IMAGE, exact=True)
    graph, x, ours = computed(net.save(tmp_path, make(net)), *IMAGE)
    torch.testing.assert_close(ours, reference(x), rtol=1e-4, atol=1e-5)
    assert params(graph) == expected


def test_a_recurrent_layer_has_its_gates_one_by_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(8, 6, batch_first=True)
    state = {name: value.detach().numpy() for name, value in layer.named_parameters()}
    gates = ("inputGate", "forgetGate", "blockInput", "outputGate")  # in torch's order
    weights = {}
    for at, gate in enumerate(gates):
        rows = slice(6 * at, 6 * at + 6)
        weights[f"{gate}WeightMatrix"] = floats(state["weight_ih_l0"][rows])
        weights[f"{gate}RecursionMatrix"] = floats(state["weight_hh_l0"][rows])
        bias = state["bias_ih_l0"] + state["bias_hh_l0"]
        weights[f"{gate}BiasVector"] = floats(bias[rows])
    net = Network(1, 10, 8, exact=True)
    y = net.layer("transpose", "x", axes=[1, 0, 2])
    y = net.layer("expandDims", y, axes=[3, 4])
    y = net.layer("uniDirectionalLSTM", y, outputs=3, inputVectorSize=8, outputVectorSize=6,
                  activations=[{"sigmoid": {}}, {"tanh": {}}, {"tanh": {}}],
                  params={"sequenceOutput": True, "hasBiasVectors": True},
                  weightParams=weights)  # fmt: skip
    y = net.layer("squeeze", y, axes=[3, 4])
    y = net.layer("transpose", y, axes=[1, 0, 2])
    graph, x, ours = computed(net.save(tmp_path, y), 1, 10, 8)
    with torch.no_grad():
        torch.testing.assert_close(ours, layer(x)[0])
    assert params(graph) == 4 * 6 * (8 + 6 + 1)


def classifier(net: Network) -> str:
    y = net.layer("convolution", "x", outputChannels=6, kernelChannels=3, same={},
                  weights=floats(numbers(6, 3, 3, 3)))  # fmt: skip
    y = net.layer("pooling", y, type=1, globalPooling=True)
    y = net.layer("flatten", y)
    return net.layer("softmax", y)


def image(colors: int, **flexible: Any) -> dict[str, Any]:
    given = {"width": 16, "height": 12, "colorSpace": colors, **flexible}
    return {"name": "x", "type": {"imageType": given}}


@pytest.mark.parametrize(("colors", "order"), [(20, [0, 1, 2]), (30, [2, 1, 0])])
def test_images_are_scaled_and_shifted_before_the_first_layer(
    colors: int, order: list[int], tmp_path: Path
) -> None:
    net = Network(3, 12, 16)
    net.inputs = [image(colors)]
    scaler = {"channelScale": 0.5, "redBias": -1.0, "greenBias": -2.0, "blueBias": -3.0}
    net.fields["preprocessing"] = {"featureName": "x", "scaler": scaler}
    net.fields["labelProbabilityLayerName"] = y = classifier(net)
    net.fields["stringClassLabels"] = {}
    path = net.save(tmp_path, "label", word="neuralNetworkClassifier")
    graph, x, ours = computed(path, 1, 3, 12, 16)
    shifts = torch.tensor([-1.0, -2.0, -3.0])[order].view(3, 1, 1)
    made = functional.conv2d(0.5 * x + shifts, torch_of(numbers(6, 3, 3, 3)), padding=1)
    torch.testing.assert_close(ours, made.mean((2, 3)).softmax(1))
    assert params(graph) == 162
    assert y.startswith("softmax")
    assert graph.about == "the labels of its classes are left out"


def test_an_image_may_have_other_sizes_that_the_file_allows(tmp_path: Path) -> None:
    net = Network(3, 12, 16)
    area = {"widthRange": {"lowerBound": 8, "upperBound": -1},
            "heightRange": {"lowerBound": 12, "upperBound": 32}}  # fmt: skip
    net.inputs = [image(20, imageSizeRange=area)]
    path = str(net.save(tmp_path, classifier(net)))
    assert imported(path).graph.inputs[0].out == (3, 12, 16)
    assert imported(path, (3, 32, 100)).graph.inputs[0].out == (3, 32, 100)
    with pytest.raises(ArchscopeError, match=r"cannot be 3x40x100: the file allows 3x12\.\.32x8"):
        imported(path, (3, 40, 100))


def test_unknown_layers_are_named_and_their_weights_counted(tmp_path: Path) -> None:
    net = Network(8, 12, 12)
    y = net.layer("custom", "x", className="Fancy", weights=[floats(C), floats(W)])
    net.layers[-1]["outputTensor"] = {"rank": 3, "dimValue": [6, 12, 12]}
    graph = imported(str(net.save(tmp_path, net.layer("activation", y, ReLU={})))).graph
    node = graph.nodes[1]
    assert (node.op.name, node.op.kind) == ("opaque", "coreml.Fancy")  # type: ignore[attr-defined]
    assert node.out == (6, 12, 12)
    assert params(graph) == 8 + 432


BITS = numpy.random.default_rng(0)


@pytest.mark.parametrize("bits", [1, 3, 4, 8])
@pytest.mark.parametrize("by_table", [False, True])
def test_weights_of_a_few_bits(bits: int, by_table: bool, tmp_path: Path) -> None:
    codes = BITS.integers(0, 1 << bits, W.shape, dtype=numpy.uint8)
    flags = numpy.unpackbits(codes.reshape(-1, 1), axis=1)[:, -bits:]
    weights: dict[str, Any] = {"rawValue": numpy.packbits(flags).tobytes()}
    if by_table:
        table = numbers(1 << bits)
        coding = {"lookupTableQuantization": {"floatValue": table}}
        real = table[codes]
    else:
        steps, least = numpy.abs(B) / 50, B
        coding = {"linearQuantization": {"scale": steps, "bias": least}}
        real = codes * steps.reshape(6, 1, 1, 1) + least.reshape(6, 1, 1, 1)
    weights["quantization"] = {"numberOfBits": bits, **coding}
    net = Network(8, 12, 12)
    y = net.layer("convolution", "x", outputChannels=6, kernelChannels=8, same={}, weights=weights)
    graph, x, ours = computed(net.save(tmp_path, y), *IMAGE)
    expected = functional.conv2d(x, torch_of(real), padding=1)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)
    assert params(graph) == 432
    assert bool(graph.about) == (by_table or bits not in (4, 8))


def test_weights_in_half_precision_count_as_stored(tmp_path: Path) -> None:
    half = W.astype(numpy.float16)
    net = Network(8, 12, 12)
    y = net.layer("convolution", "x", outputChannels=6, kernelChannels=8, same={},
                  weights={"float16Value": half.tobytes()})  # fmt: skip
    graph, x, ours = computed(net.save(tmp_path, y), *IMAGE)
    torch.testing.assert_close(ours, functional.conv2d(x, torch_of(half), padding=1))
    assert graph.nodes[1].weight_bits == 16

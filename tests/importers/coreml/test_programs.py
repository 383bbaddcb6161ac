"""Programs of Core ML: what each operation computes, and what counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from torch import nn
from torch.nn import functional

import archscope
from archscope.errors import ArchscopeError
from archscope.sources import imported
from tests.importers.coreml.writer import Program, array_feature, tensor_type
from tests.importers.running import Cases, computed, numbers, params, torch_of

pytest.importorskip("onnx", reason="needs archscope[onnx]")

Make = Callable[[Program], str]
CASES: Cases[Make] = Cases()
"""How a program is written, what it computes, and its params."""
case = CASES.of

W = numbers(6, 8, 3, 3)
G = numbers(12, 2, 3, 3)
D = numbers(8, 5, 4, 4)
B = numbers(6, seed=2)
C = numbers(8, seed=3)
L = numbers(10, 12)
IMAGE = (1, 8, 12, 12)


def conv(net: Program, x: str = "x", weight: Any = W, out: tuple[int, ...] = (1, 6, 12, 12),
         **more: Any) -> str:  # fmt: skip
    given = {"pad_type": ("custom",), "pad": ([1, 1, 1, 1],), **more}
    return net.add("conv", out, x=x, weight=net.constant(weight, "stem_0_weight"), **given)


@case(438, lambda x: functional.conv2d(x, torch_of(W), torch_of(B), padding=1))
def convolution(net: Program) -> str:
    return conv(net, bias=net.constant(B, "stem_0_bias"))


@case(216, lambda x: functional.conv2d(x, torch_of(G), padding=2, dilation=2, groups=4))
def groups_and_dilation(net: Program) -> str:
    return conv(net, weight=G, out=(1, 12, 12, 12), groups=(4,), dilations=([2, 2],),
                pad=([2, 2, 2, 2],))  # fmt: skip


@case(432, lambda x: functional.conv2d(functional.pad(x, (0, 1, 0, 1)), torch_of(W), stride=2))
def same_padding(net: Program) -> str:
    weight = net.constant(W, "w")
    return net.add("conv", (1, 6, 6, 6), x="x", weight=weight, pad_type=("same",),
                   strides=([2, 2],))  # fmt: skip


@case(640, lambda x: functional.conv_transpose2d(x, torch_of(D), None, 2, 1))
def transposed_convolution(net: Program) -> str:
    weight = net.constant(D, "w")
    return net.add("conv_transpose", (1, 5, 24, 24), x="x", weight=weight, pad_type=("custom",),
                   pad=([1, 1, 1, 1],), strides=([2, 2],))  # fmt: skip


@case(130, lambda x: functional.linear(x, torch_of(L), torch_of(L[:, 0])))
def linear(net: Program) -> str:
    return net.add("linear", (1, 8, 12, 10), x="x", weight=net.constant(L, "head_weight"),
                   bias=net.constant(L[:, 0], "head_bias"))  # fmt: skip


@case(120, lambda x: functional.linear(x, torch_of(L)))
def a_bias_of_zeros_that_the_converter_added(net: Program) -> str:
    return net.add("linear", (1, 8, 12, 10), x="x", weight=net.constant(L, "head_weight"),
                   bias=net.constant(0 * L[:, 0], "linear_0_bias_0"))  # fmt: skip


@case(0, lambda x: functional.max_pool2d(x, 3, 2, 1, ceil_mode=True)
      + functional.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False))  # fmt: skip
def pooling(net: Program) -> str:
    given: dict[str, Any] = {"kernel_sizes": ([3, 3],), "strides": ([2, 2],),
                             "pad_type": ("custom",), "pad": ([1, 1, 1, 1],),
                             "ceil_mode": (True,)}  # fmt: skip
    out = (1, 8, 7, 7)
    most = net.add("max_pool", out, x="x", **given)
    mean = net.add("avg_pool", out, x="x", exclude_padding_from_average=(True,), **given)
    return net.add("add", out, x=most, y=mean)


@case(16, lambda x: functional.batch_norm(x, torch_of(C), torch_of(C * C + 1), torch_of(C + 2),
                                          torch_of(C), eps=1e-3))  # fmt: skip
def batch_norm(net: Program) -> str:
    given = {"mean": C, "variance": C * C + 1, "gamma": C + 2, "beta": C}
    arrays = {key: net.constant(array, f"bn_{key}") for key, array in given.items()}
    return net.add("batch_norm", IMAGE, x="x", epsilon=(1e-3,), **arrays)


@case(24, lambda x: functional.layer_norm(x, (12,), torch_of(L[0]), torch_of(L[1])))
def layer_norm(net: Program) -> str:
    return net.add("layer_norm", IMAGE, x="x", axes=([-1],), epsilon=(1e-5,),
                   gamma=net.constant(L[0], "g"), beta=net.constant(L[1], "b"))  # fmt: skip


@case(8, lambda x: functional.relu6(x) + functional.gelu(x) + functional.silu(x)
      + functional.prelu(x, torch_of(C)) + functional.leaky_relu(x, 0.1)
      + functional.hardsigmoid(x))  # fmt: skip
def activations(net: Program) -> str:
    parts = [
        net.add("relu6", IMAGE, x="x"), net.add("gelu", IMAGE, x="x", mode=("EXACT",)),
        net.add("silu", IMAGE, x="x"),
        net.add("prelu", IMAGE, x="x", alpha=net.constant(C, "slope_weight")),
        net.add("leaky_relu", IMAGE, x="x", alpha=(0.1,)),
        net.add("sigmoid_hard", IMAGE, x="x", alpha=(1 / 6,), beta=(0.5,)),
    ]  # fmt: skip
    y = parts[0]
    for part in parts[1:]:
        y = net.add("add", IMAGE, x=y, y=part)
    return y


@case(0, lambda x: torch.cat((x[:, 5:], x[:, :2]), 1)[:, 1:, ::2, 3])
def parts(net: Program) -> str:
    first = net.add("split", (1, 2, 12, 12), more=((1, 3, 12, 12), (1, 3, 12, 12)), x="x",
                    split_sizes=([2, 3, 3],), axis=(1,))  # fmt: skip
    y = net.add("concat", (1, 5, 12, 12), values=[f"{first}_2", first], axis=(1,))
    return net.add("slice_by_index", (1, 4, 6), x=y, begin=([0, 1, 0, 3],), end=([1, 5, 12, 4],),
                   stride=([1, 1, 2, 1],), begin_mask=([True, False, True, False],),
                   end_mask=([True, True, True, False],),
                   squeeze_mask=([False, False, False, True],))  # fmt: skip


@case(0, lambda x: functional.channel_shuffle(x, 2))
def channel_shuffle(net: Program) -> str:
    y = net.add("reshape", (1, 2, 4, 12, 12), x="x", shape=([1, 2, 4, 12, 12],))
    y = net.add("transpose", (1, 4, 2, 12, 12), x=y, perm=([0, 2, 1, 3, 4],))
    return net.add("reshape", IMAGE, x=y, shape=([1, 8, 12, 12],))


@case(0, lambda x: functional.interpolate(x, scale_factor=2) + functional.interpolate(
    x, (24, 24), mode="bilinear", align_corners=True))  # fmt: skip
def resizing(net: Program) -> str:
    out = (1, 8, 24, 24)
    nearest = net.add("upsample_nearest_neighbor", out, x="x", scale_factor_height=(2.0,),
                      scale_factor_width=(2.0,))  # fmt: skip
    between = net.add("upsample_bilinear", out, x="x", scale_factor_height=(2.0,),
                      scale_factor_width=(2.0,), align_corners=(True,))  # fmt: skip
    return net.add("add", out, x=nearest, y=between)


@case(0, lambda x: functional.interpolate(x, (18, 30), mode="bilinear"))
def resizing_of_the_last_axes(net: Program) -> str:
    return net.add("resize", (1, 8, 18, 30), x="x", shape=([8, 18, 30],), resized_dims=(2,),
                   interpolation_mode=("LINEAR",), sampling_mode=("UNALIGN_CORNERS",))  # fmt: skip


@case(0, lambda x: functional.pixel_shuffle(functional.pad(x, (1, 1, 2, 0), "replicate"), 2))
def blocks(net: Program) -> str:
    y = net.add("pad", (1, 8, 14, 14), x="x", pad=([2, 0, 1, 1],), mode=("replicate",))
    return net.add("pixel_shuffle", (1, 2, 28, 28), x=y, upscale_factor=(2,))


@case(0, lambda x: functional.scaled_dot_product_attention(x, x * 2, x).mean((2, 3)))
def attention_and_mean(net: Program) -> str:
    key = net.add("mul", IMAGE, x="x", y=(2.0,))
    y = net.add("scaled_dot_product_attention", IMAGE, query="x", key=key, value="x")
    return net.add("reduce_mean", (1, 8), x=y, axes=([2, 3],), keep_dims=(False,))


@case(0, lambda x: torch.fake_quantize_per_tensor_affine(x, 0.02, -28, -128, 127))
def rounding_through_bytes(net: Program) -> str:
    zero = net.blob(numpy.int8(-28).tobytes(), "int8", ())
    y = net.add("quantize", IMAGE, word="int8", input="x", scale=(0.02,), zero_point=zero,
                output_dtype=("int8",))  # fmt: skip
    return net.add("dequantize", IMAGE, input=y, scale=(0.02,), zero_point=zero)


MASKED = torch.zeros(1, 8, 12, 12).index_fill(1, torch.tensor([1, 4]), 2.0)


@case(0, lambda x: x + MASKED)
def values_at_places_of_a_constant(net: Program) -> str:
    zeros = net.add("fill", IMAGE, shape=([1, 8, 12, 12],), value=(0.0,))
    updates = net.add("fill", (1, 2, 12, 12), shape=([1, 2, 12, 12],), value=(2.0,))
    mask = net.add("scatter", IMAGE, data=zeros, indices=([1, 4],), updates=updates, axis=(1,),
                   mode=("update",))  # fmt: skip
    return net.add("add", IMAGE, x="x", y=mask)


@pytest.mark.parametrize("name", CASES)
def test_an_operation_computes_what_torch_computes(name: str, tmp_path: Path) -> None:
    make, reference, expected = CASES[name]
    net = Program(*IMAGE)
    graph, x, ours = computed(net.save(tmp_path, make(net)), *IMAGE)
    torch.testing.assert_close(ours, reference(x), rtol=1e-4, atol=1e-5)
    assert params(graph) == expected


@pytest.mark.parametrize("both", [False, True])
def test_a_recurrent_layer_has_its_gates_in_another_order(both: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(8, 6, batch_first=True, bidirectional=both)
    state = {name: value.detach().numpy() for name, value in layer.named_parameters()}
    net = Program(1, 10, 8)
    rows = [0, 1, 3, 2]
    sides = 2 if both else 1
    given: dict[str, Any] = {}
    for side, (end, word) in enumerate((("", ""), ("_reverse", "_back"))[:sides]):
        bias = state[f"bias_ih_l0{end}"] + state[f"bias_hh_l0{end}"]
        arrays = {"weight_ih": state[f"weight_ih_l0{end}"],
                  "weight_hh": state[f"weight_hh_l0{end}"], "bias": bias}  # fmt: skip
        for key, array in arrays.items():
            turned = array.reshape(4, 6, *array.shape[1:])[rows].reshape(array.shape)
            given[f"{key}{word}"] = net.constant(turned, f"{key}{side}")
    x = net.add("transpose", (10, 1, 8), x="x", perm=([1, 0, 2],))
    zeros = (numpy.zeros((1, 6 * sides), numpy.float32),)
    width = 6 * sides
    y = net.add("lstm", (10, 1, width), more=((1, width), (1, width)), x=x, initial_h=zeros,
                initial_c=zeros, output_sequence=(True,),
                direction=("bidirectional" if both else "forward",), **given)  # fmt: skip
    y = net.add("transpose", (1, 10, width), x=y, perm=([1, 0, 2],))
    graph, value, ours = computed(net.save(tmp_path, y), 1, 10, 8)
    with torch.no_grad():
        torch.testing.assert_close(ours, layer(value)[0])
    assert params(graph) == sides * 4 * 6 * (8 + 6 + 1)


def test_nodes_have_the_names_of_weights(tmp_path: Path) -> None:
    net = Program(*IMAGE)
    y = net.add("relu", (1, 6, 12, 12), name="input_3", x=conv(net))
    y = net.add("reduce_mean", (1, 6), x=y, name="pooled", axes=([2, 3],), keep_dims=(False,))
    graph = imported(str(net.save(tmp_path, y))).graph
    assert [(node.name, node.op.name) for node in graph.nodes] == [
        ("input", "input"), ("stem.0", "conv"), ("relu", "relu"), ("pooled", "global_avgpool"),
        ("pooled_2", "flatten"),
    ]  # fmt: skip


def test_half_precision(tmp_path: Path) -> None:
    net = Program(*IMAGE)
    x = net.add("cast", IMAGE, word="float16", x="x", dtype=("fp16",))
    weight = net.constant(W.astype(numpy.float16), "stem_weight_to_fp16")
    y = net.add("conv", (1, 6, 12, 12), word="float16", x=x, weight=weight, pad_type=("same",))
    graph, x, ours = computed(net.save(tmp_path, y), *IMAGE)
    half = torch_of(W.astype(numpy.float16))
    torch.testing.assert_close(ours, functional.conv2d(x, half, padding=1), rtol=1e-4, atol=1e-4)
    assert graph.dtype == "float16"
    assert archscope.analyze(graph).totals.params == 432


def test_the_addends_of_an_image_are_no_params(tmp_path: Path) -> None:
    net = Program(*IMAGE)
    shifts = net.constant(C.reshape(1, 8, 1, 1), "x__biased___y_0")
    y = net.add("add", IMAGE, name="x__biased__", x="x", y=shifts)
    graph, x, ours = computed(net.save(tmp_path, y), *IMAGE)
    torch.testing.assert_close(ours, x + torch_of(C).view(8, 1, 1))
    assert params(graph) == 0


def flexible(*allowed: tuple[int, int]) -> dict[str, Any]:
    sizes = [{"lowerBound": least, "upperBound": most} for least, most in allowed]
    return {"shapeRange": {"sizeRanges": sizes}}


def test_an_input_may_have_other_sizes_that_the_file_allows(tmp_path: Path) -> None:
    net = Program(1, 8, -1, -1)
    limits = flexible((1, 1), (8, 8), (12, 24), (12, 24))
    net.features = [array_feature("x", IMAGE, **limits)]
    y = conv(net, out=(1, 6, -1, -1))
    size = net.add("shape", (4,), word="int32", x=y)
    height = net.add("slice_by_index", (1,), word="int32", x=size, begin=([2],), end=([3],))
    height = net.add("squeeze", (), word="int32", x=height)
    shape = net.add("concat", (3,), word="int32", values=[(1,), (6,), height], axis=(0,))
    y = net.add("reduce_mean", (1, 6, -1), x=y, axes=([3],), keep_dims=(False,))
    y = net.add("reshape", (1, 6, -1), x=y, shape=shape)
    path = str(net.save(tmp_path, y))
    assert imported(path).graph.inputs[0].out == (8, 12, 12)
    graph = imported(path, (8, 20, 16)).graph
    assert graph.inputs[0].out == (8, 20, 16)
    assert graph.by_name[graph.outputs[0].node].out == (6, 20)
    with pytest.raises(ArchscopeError, match=r"cannot be 8x20x99: the file allows 8x12\.\.24x12"):
        imported(path, (8, 20, 99))


def test_unknown_operations_are_named_and_their_weights_counted(tmp_path: Path) -> None:
    net = Program(*IMAGE)
    y = net.add("fancy", (1, 6, 12, 12), x="x", table=net.constant(W, "table"), size=(3,))
    graph = imported(str(net.save(tmp_path, net.add("relu", (1, 6, 12, 12), x=y)))).graph
    node = graph.nodes[1]
    assert (node.op.name, node.op.kind) == ("opaque", "coreml.fancy")  # type: ignore[attr-defined]
    analysis = archscope.analyze(graph)
    assert analysis.totals.params == 432
    assert "coreml.fancy" in str(analysis.unknown)


def test_the_labels_of_a_classifier_are_left_out(tmp_path: Path) -> None:
    net = Program(*IMAGE)
    y = net.add("reduce_mean", (1, 8), x="x", axes=([2, 3],), keep_dims=(False,))
    net.add("classify", (), name="label", more=((),), probabilities=y)
    graph = imported(str(net.save(tmp_path, "label", "label_1"))).graph
    assert graph.about == "the labels of its classes are left out"
    assert [graph.by_name[output.node].out for output in graph.outputs] == [(8,)]


CODES = numpy.random.default_rng(0).integers(0, 16, W.shape, dtype=numpy.uint8)
BLOCKS = numpy.abs(numbers(6, 4, 1, 1)) / 8


def packed(codes: Any, bits: int) -> bytes:
    """Return numbers of a few bits, the lowest first."""
    flags = numpy.unpackbits(codes.reshape(-1, 1), axis=1, bitorder="little")[:, :bits]
    return numpy.packbits(flags, bitorder="little").tobytes()


def compressed(net: Program, kind: str, **given: Any) -> str:
    return net.add(kind, W.shape, name="stem_weight", **given)


FORMS: dict[str, tuple[Callable[[Program], str], Any, int | None]] = {}


def form(real: Any, bits: int | None) -> Callable[[Make], Make]:
    """Register weights in a form, the numbers that they stand for, and the bits that count."""

    def register(make: Make) -> Make:
        FORMS[make.__name__] = make, real, bits
        return make

    return register


SCALE = numpy.abs(B) / 20


@form((CODES.astype(numpy.float32) - 3) * SCALE.reshape(6, 1, 1, 1), 8)
def bytes_with_a_scale_for_each_channel(net: Program) -> str:
    data = net.blob(CODES.tobytes(), "uint8", W.shape)
    zero = net.blob(numpy.full(6, 3, numpy.uint8).tobytes(), "uint8", (6,))
    scale = net.blob(SCALE.tobytes(), "float32", (6,))
    return compressed(net, "constexpr_affine_dequantize", quantized_data=data, axis=(0,),
                      scale=scale, zero_point=zero)  # fmt: skip


@form(CODES * numpy.repeat(BLOCKS, 2, 1), 4)
def nibbles_with_a_scale_for_each_block(net: Program) -> str:
    data = net.blob(packed(CODES, 4), "uint4", W.shape)
    scale = net.blob(BLOCKS.tobytes(), "float32", BLOCKS.shape)
    return compressed(net, "constexpr_blockwise_shift_scale", data=data, scale=scale)


TABLE = numbers(16)
GROUPS = numbers(2, 1, 1, 1, 16, 1)


@form(TABLE[CODES], None)
def places_in_a_table(net: Program) -> str:
    places = packed(CODES, 4)
    shape = net.blob(numpy.array(W.shape, "<u4").tobytes(), "uint32", (4,))
    return compressed(net, "constexpr_lut_to_dense", shape=shape,
                      indices=net.blob(places, "uint8", (len(places),)),
                      lut=net.blob(TABLE.tobytes(), "float32", (16,)))  # fmt: skip


@form(numpy.concatenate((GROUPS[0].reshape(-1)[CODES[:3]], GROUPS[1].reshape(-1)[CODES[3:]])), None)
def places_in_a_table_for_each_group(net: Program) -> str:
    return compressed(net, "constexpr_lut_to_dense",
                      indices=net.blob(packed(CODES, 4), "uint4", W.shape),
                      lut=net.blob(GROUPS.tobytes(), "float32", GROUPS.shape))  # fmt: skip


MASK = CODES > 9


@form(W * MASK, None)
def numbers_that_a_mask_leaves(net: Program) -> str:
    values = W[MASK]
    mask = net.blob(packed(MASK.astype(numpy.uint8), 1), "uint1", W.shape)
    data = net.blob(values.tobytes(), "float32", values.shape)
    return compressed(net, "constexpr_sparse_to_dense", nonzero_data=data, mask=mask)


@pytest.mark.parametrize("name", FORMS)
def test_compressed_weights_have_the_numbers_that_they_stand_for(name: str, tmp_path: Path) -> None:
    make, real, bits = FORMS[name]
    net = Program(*IMAGE)
    y = net.add("conv", (1, 6, 12, 12), x="x", weight=make(net), pad_type=("same",))
    graph, x, ours = computed(net.save(tmp_path, y), *IMAGE)
    expected = functional.conv2d(x, torch_of(real), padding=1)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)
    assert params(graph) == 432
    assert graph.nodes[1].weight_bits == bits
    assert bool(graph.about) == (bits is None)


def test_one_of_several_functions_is_read(tmp_path: Path) -> None:
    net = Program(*IMAGE)
    path = net.save(tmp_path, net.add("relu", IMAGE, x="x"), functions=("main", "other"))
    assert imported(str(path)).graph.about == "of its 2 functions only 'main' is read"


def test_a_state_is_an_input(tmp_path: Path) -> None:
    net = Program(*IMAGE)
    kind = {"stateType": {"wrappedType": tensor_type("float32", IMAGE)}}
    net.inputs.append({"name": "memory", "type": kind})
    found = net.add("read_state", IMAGE, input="memory")
    graph = imported(str(net.save(tmp_path, net.add("add", IMAGE, x="x", y=found)))).graph
    assert [node.name for node in graph.inputs] == ["x", "memory"]

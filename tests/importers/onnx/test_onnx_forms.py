"""Indirect forms in ONNX files: computed shapes, lists of parts, quantized values, batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

pytest.importorskip("onnx", reason="needs archscope[onnx]")

from onnx import TensorProto, helper

from archscope import analyze, load
from archscope.exporters.export import export_network
from archscope.importers.onnx import from_file
from archscope.ir import Graph
from archscope.verify import verify
from tests.importers.onnx.models import Array, model, numbers, outputs, saved

IMAGE = (1, 4, 8, 8)
W = numbers(6, 4, 3, 3)


def node(kind: str, inputs: str, output: str = "y", **attributes: Any) -> Any:
    return helper.make_node(kind, inputs.split(" "), output.split(" "), **attributes)


def ints(*values: int) -> Array:
    return numpy.array(values, dtype=numpy.int64)


def words(graph: Graph) -> str:
    return " ".join(one.op.name for one in graph.nodes[1:])


def test_shape_that_is_computed(tmp_path: Path) -> None:
    nodes = [
        node("Shape", "x", "s"), node("Gather", "s zero", "n"), node("Unsqueeze", "n front", "u"),
        node("Concat", "u rest", "t", axis=0), node("Reshape", "x t", "f"), node("Gemm", "f w"),
    ]  # fmt: skip
    weights = {"zero": numpy.array(0), "front": ints(0), "rest": ints(-1), "w": numbers(256, 5)}
    path = saved(model(nodes, ("n", 4, 8, 8), weights), tmp_path)
    found = from_file(path)
    assert words(found.graph) == "flatten linear"
    ours, theirs = outputs(found, path)
    numpy.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_zeros_in_place_of_a_bias_are_no_params(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Constant", [], ["zero"], value_float=0.0),
        node("CastLike", "zero x", "z"),
        node("Expand", "z six", "b"), node("Conv", "x w b"),
    ]  # fmt: skip
    found = from_file(saved(model(nodes, IMAGE, {"w": W, "six": ints(6)}, 18), tmp_path))
    assert analyze(found.graph).totals.params == W.size
    biased = model([node("Conv", "x w b")], IMAGE, {"w": W, "b": numpy.zeros(6, "float32")})
    assert analyze(from_file(saved(biased, tmp_path)).graph).totals.params == W.size + 6


@pytest.mark.parametrize("sizes", [numpy.array(3), ints(3, 1)])
def test_list_of_parts(sizes: Array, tmp_path: Path) -> None:
    nodes = [
        node("SplitToSequence", "x n", "parts", axis=1), node("SequenceAt", "parts one", "b"),
        node("SequenceAt", "parts zero", "a"), node("Concat", "b a", axis=1),
    ]  # fmt: skip
    weights = {"n": sizes, "one": numpy.array(-1), "zero": numpy.array(0)}
    path = saved(model(nodes, IMAGE, weights), tmp_path)
    found = from_file(path)
    assert words(found.graph) == "slice slice concat"
    numpy.testing.assert_array_equal(*outputs(found, path))


def quantized(kind: Any, **weights: Array) -> Any:
    pair = [node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "d")]
    given = {"s": numpy.array(0.05, "float32"), "z": numpy.array(3, kind), **weights}
    back = [node("DequantizeLinear", "wq ws", "w", axis=0), node("Conv", "d w", "y")]
    return model(pair + back, IMAGE, given)


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_quantized_network(kind: str, tmp_path: Path) -> None:
    packed = (10 * W).astype("int8")
    made = quantized(kind, wq=packed, ws=abs(numbers(6)))
    path = saved(made, tmp_path)
    found = from_file(path)
    assert words(found.graph) == "fake_quantize conv"
    result = analyze(found.graph)
    assert (result.totals.params, result.totals.macs) == (W.size, W.size * 36)
    assert result.receptive_field is not None
    assert result.receptive_field.size == (3, 3)
    assert result.unknown == ()
    ours, theirs = outputs(found, path)
    numpy.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_quantized_value_with_two_readers(tmp_path: Path) -> None:
    nodes = [
        node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "a"),
        node("DequantizeLinear", "q s z", "b"), node("Relu", "a", "r"), node("Add", "r b"),
    ]  # fmt: skip
    weights = {"s": numpy.array(0.1, "float32"), "z": numpy.array(128, "uint8")}
    path = saved(model(nodes, IMAGE, weights), tmp_path)
    found = from_file(path)
    assert words(found.graph) == "fake_quantize relu add"
    numpy.testing.assert_allclose(*outputs(found, path), atol=1e-6)


@pytest.mark.parametrize(
    "weights",
    [
        {"s": abs(numbers(4)), "z": numpy.zeros(4, "uint8")},  # for each channel
        {
            "s": numpy.array(0.1, "float32"),
            "z": numpy.array(0, "uint8"),
            "t": numpy.array(0.2, "float32"),
        },
    ],
)
def test_quantized_in_another_way_is_opaque(weights: dict[str, Array], tmp_path: Path) -> None:
    back = "t" if "t" in weights else "s"
    nodes = [node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", f"q {back} z")]
    found = from_file(saved(model(nodes, IMAGE, weights), tmp_path)).graph
    assert words(found) == "opaque opaque"
    assert analyze(found).totals.params == 0


def test_quantized_convolution_is_counted(tmp_path: Path) -> None:
    """Weights and bias are params, scales are none."""
    nodes = [
        node("QuantizeLinear", "x s z", "q"), node("QLinearConv", "q s z w ws wz s z b", "c"),
        node("DequantizeLinear", "c s z"),
    ]  # fmt: skip
    scale, zero = numpy.array(0.1, "float32"), numpy.array(0, "uint8")
    weights = {
        "s": scale, "z": zero, "w": (10 * W).astype("int8"), "ws": abs(numbers(6)),
        "wz": numpy.zeros(6, "int8"), "b": numpy.arange(6, dtype="int32"),
    }  # fmt: skip
    result = analyze(from_file(saved(model(nodes, IMAGE, weights), tmp_path)).graph)
    assert (result.totals.params, result.totals.macs) == (W.size + 6, W.size * 36)
    assert result.opaque == ()


def test_batch_of_the_file_is_no_part_of_the_numbers(tmp_path: Path) -> None:
    one, four = (
        analyze(from_file(saved(model(made, (batch, 4, 8, 8), weights), tmp_path)).graph).totals
        for batch in (1, 4)
        for made, weights in [
            (
                [node("Conv", "x w", "c"), node("Reshape", "c s", "r"), node("MatMul", "r m")],
                {"w": W, "s": ints(-1, 6), "m": numbers(6, 7)},
            )
        ]
    )
    assert one.macs == four.macs == W.size * 36 + 36 * 6 * 7
    assert one.activation_bytes == four.activation_bytes


def test_weights_are_counted_once_however_they_are_made(tmp_path: Path) -> None:
    """The first operator holds the file's numbers, not what it makes of them."""
    nodes = [
        node("Gather", "table rows", "bias"),
        node("Sub", "bias x", "m"),
        node("Sub", "m bias"),
    ]
    weights = {"table": numbers(3, 8), "rows": ints(*[0, 1, 2, 0, 1, 2, 0, 1])}
    found = from_file(saved(model(nodes, IMAGE, weights), tmp_path)).graph
    assert words(found) == "learned learned"
    assert analyze(found).totals.params == 24


@pytest.mark.parametrize(
    "nodes, work",
    [
        ([node("Clip", "x low")], 256),
        ([node("Sub", "x mean")], 256),
        ([node("Max", "x low mean")], 512),
        ([node("Gelu", "x", approximate="tanh")], 9 * 256),
    ],
)
def test_arithmetic_is_counted_and_seen_through(
    nodes: list[Any], work: int, tmp_path: Path
) -> None:
    weights = {"low": numpy.array(-5, "float32"), "mean": numbers(1, 4, 1, 1), "w": W}
    nodes[0].output[0] = "a"
    made = model([*nodes, node("Conv", "a w")], IMAGE, weights, 20)
    result = analyze(from_file(saved(made, tmp_path)).graph)
    assert result.totals.elementwise == work
    assert result.unknown == ()
    assert result.opaque == ()
    assert result.receptive_field is not None
    assert result.receptive_field.size == (3, 3)


def test_what_mixes_positions_loses_the_receptive_field(tmp_path: Path) -> None:
    nodes = [node("Transpose", "x", "a", perm=[0, 1, 3, 2]), node("Conv", "a w")]
    result = analyze(from_file(saved(model(nodes, IMAGE, {"w": W}), tmp_path)).graph)
    assert result.unknown == ()
    assert result.receptive_field is not None
    assert result.receptive_field.node == "input"


def test_channels_last_at_both_ends(tmp_path: Path) -> None:
    """TensorFlow's files bring the channels to the front, and to the end again."""
    nodes = [
        node("Transpose", "x", "a", perm=[0, 3, 1, 2]),
        node("Conv", "a w", "c", auto_pad="SAME_UPPER", strides=[2, 2]), node("Add", "c b", "d"),
        node("Relu", "d", "e"), node("Transpose", "e", "y", perm=[0, 2, 3, 1]),
    ]  # fmt: skip
    weights = {"w": W, "b": numbers(1, 6, 1, 1)}
    path = saved(model(nodes, (1, 9, 8, 4), weights), tmp_path)
    found = from_file(path)
    assert words(found.graph) == "conv relu"
    assert (found.graph.inputs[0].out, found.graph.nodes[-1].out) == ((4, 9, 8), (6, 5, 4))
    assert analyze(found.graph).totals.params == W.size + 6
    ours, theirs = outputs(found, path, last=True)
    numpy.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_half_precision(tmp_path: Path) -> None:
    made = model([node("Conv", "x w")], IMAGE, {"w": W.astype("float16")})
    made.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    made.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    found = from_file(saved(made, tmp_path))
    assert analyze(found.graph).totals.params == W.size
    assert found.weights()["conv.weight"].dtype == numpy.float16


def test_numbers_of_the_file_are_its_weights(tmp_path: Path) -> None:
    norm = {"s": numbers(6), "b": numbers(6), "m": numbers(6), "v": abs(numbers(6))}
    nodes = [
        helper.make_node("Conv", ["x", "stem.weight"], ["c"], name="/stem/Conv"),
        helper.make_node("BatchNormalization", ["c", "s", "b", "m", "v"], ["y"], name="norm"),
    ]
    found = from_file(saved(model(nodes, IMAGE, {"stem.weight": W, **norm}), tmp_path))
    assert [one.name for one in found.graph.nodes] == ["input", "stem", "norm"]
    held = {name: value.shape for name, value in found.weights().items()}
    assert held == {
        "stem.weight": (6, 4, 3, 3), "norm.weight": (6,), "norm.bias": (6,),
        "norm.running_mean": (6,), "norm.running_var": (6,), "norm.num_batches_tracked": (),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("read", "names"),
    [("v", ["flatten", "top_k", "linear"]), ("c", ["flatten", "top_k", "linear"])],
)
def test_outputs_that_nothing_reads(read: str, names: list[str], tmp_path: Path) -> None:
    nodes = [node("Flatten", "x", "f"), node("TopK", "f k", "v i"), node("Gemm", f"{read} w")]
    if read == "c":
        nodes.insert(2, node("Cast", "i", "c", to=1))
    made = model(nodes, IMAGE, {"k": ints(7), "w": numbers(7, 2)})
    graph = load(str(saved(made, tmp_path)))
    assert [one.name for one in graph.nodes[1:]] == names
    assert analyze(graph).totals.params == 14


def test_further_outputs_take_no_name_of_a_later_operator(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("TopK", ["x", "k"], ["v", "i"], name="top"),
        helper.make_node("TopK", ["v", "k"], ["w", "j"], name="top_1"),
        node("Cast", "i", "c", to=1), node("Cast", "j", "d", to=1), node("Add", "c d", "e"),
        node("Add", "e w"),
    ]  # fmt: skip
    graph = load(str(saved(model(nodes, IMAGE, {"k": ints(3)}), tmp_path)))
    assert graph.by_name["top_1"].inputs == ("top",)
    assert len(graph.nodes) == 7


FURTHER: dict[str, tuple[tuple[Any, ...], list[Any], tuple[int, ...]]] = {
    "number": ((), [node("Conv", "x w", "c"), node("Mul", "c t")], (1,)),
    "list of a number": ((1,), [node("Conv", "x w", "c"), node("Mul", "c t")], (1,)),
    "number for each image": (("n",), [node("Conv", "x w", "c"), node("Mul", "c t")], (1,)),
    "state": ((2, 1, 4), [
        node("Reshape", "x s", "q"), node("GRU", "q u v   t", "o h", hidden_size=4,
             direction="bidirectional"),
        node("ReduceMean", "o", "p"), node("ReduceMean", "h", "r"), node("Add", "p r"),
    ], (2, 1, 4)),
}  # fmt: skip


@pytest.mark.parametrize("name", FURTHER)
def test_inputs_that_are_no_images(name: str, tmp_path: Path) -> None:
    shape, nodes, out = FURTHER[name]
    weights = {"w": W, "s": ints(64, 1, 4), "u": numbers(2, 12, 4), "v": numbers(2, 12, 4)}
    made = model(nodes, IMAGE, weights)
    made.graph.input.append(helper.make_tensor_value_info("t", TensorProto.FLOAT, shape))
    graph = load(str(saved(made, tmp_path)))
    assert [one.out for one in graph.inputs] == [(4, 8, 8), out]
    assert analyze(graph).totals.params == (192 if name == "state" else W.size)


QUANTIZED = [
    node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "d"),
    node("DequantizeLinear", "w s", "v"), node("Conv", "d v", "e"), node("Relu", "e", "r"),
    node("QuantizeLinear", "r s z", "t"), node("DequantizeLinear", "t s z"),
]  # fmt: skip


def test_quantized_file_is_verified_and_exported(tmp_path: Path) -> None:
    weights = {"w": (40 * W).astype("int8"), "s": numpy.float32(0.02), "z": numpy.uint8(9)}
    graph = from_file(saved(model(QUANTIZED, IMAGE, weights), tmp_path)).graph
    result = verify(graph)
    assert result.agrees
    assert min(check.compared for check in result.checks if check.name != "reference") > 0
    pytest.importorskip("onnxscript", reason="torch writes ONNX with it")
    for kind in ("onnx", "torchscript"):
        assert export_network(graph, kind).difference is not None

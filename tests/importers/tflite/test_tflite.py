"""TensorFlow Lite models: built networks compute the same as TensorFlow Lite's own runtime."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

pytest.importorskip("tflite", reason="needs archscope[tflite]")

import numpy

from archscope import analyze, load
from archscope.build import build
from archscope.cli import main
from archscope.errors import ArchscopeError
from archscope.importers import file_content
from archscope.importers.formats import Imported
from archscope.importers.tflite import from_file
from tests.importers.tflite.cases import CASES, RESULTS, given, sample
from tests.importers.tflite.writer import Array, Writer, numbers

EXPECTED = json.loads(RESULTS.read_text())


def imported(made: Writer, folder: Path, *outputs: int, **words: Any) -> Imported:
    path = folder / "net.tflite"
    path.write_bytes(made.content(*outputs))
    return from_file(path, **words)


def first(array: Array) -> Array:
    """Return an array of the file with the channels behind the batch."""
    return numpy.moveaxis(array, -1, 1) if array.ndim > 2 else array


def result(found: Imported, x: Array) -> Array:
    """Return what the built network gives, with the channels first."""
    network = build(found.graph).eval()
    state = {key: torch.tensor(value) for key, value in found.weights().items()}
    network.load_state_dict(state, strict=True)
    with torch.no_grad():
        made = network(torch.from_numpy(first(x).copy()))
    return (made if isinstance(made, torch.Tensor) else next(iter(made.values()))).numpy()


@pytest.mark.parametrize("name", CASES)
def test_a_network_gives_what_the_runtime_gives(name: str, tmp_path: Path) -> None:
    writer = CASES[name]()
    found = imported(writer, tmp_path)
    shape = tuple(writer.tensors[0]["shape"])
    ours, expected = result(found, given(shape)), EXPECTED[name]
    if len(expected["shape"]) != ours.ndim:  # without a batch in the file
        ours = ours[0]
    ours = numpy.moveaxis(ours, 1, -1) if ours.ndim == len(expected["shape"]) > 2 else ours
    if expected["shape"][0] != shape[0]:
        ours = numpy.moveaxis(ours, 0, -1)
    assert list(ours.shape) == expected["shape"]
    numpy.testing.assert_allclose(sample(ours), expected["values"], rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize(
    ("kind", "constants", "wanted"),
    [
        ("FLOOR", (), numpy.floor),
        ("CEIL", (), numpy.ceil),
        ("ROUND", (), numpy.round),
        ("SIGN", (), numpy.sign),
        ("REVERSE_V2", ([1, 3],), lambda x: x[:, ::-1, :, ::-1]),
        ("CUMSUM", (2,), lambda x: x.cumsum(2)),
    ],
)
def test_operators_of_numpy(
    kind: str, constants: tuple[Any, ...], wanted: Callable[[Array], Array], tmp_path: Path
) -> None:
    writer, x = Writer(1, 5, 6, 4), given((1, 5, 6, 4))
    others = [writer.constant(numpy.array(value, numpy.int32)) for value in constants]
    writer.op(kind, [0, *others], (1, 5, 6, 4))
    made = numpy.moveaxis(result(imported(writer, tmp_path), x), 1, -1)
    numpy.testing.assert_allclose(made, wanted(x), atol=1e-5)


def test_a_reversed_cumulative_sum_is_opaque(tmp_path: Path) -> None:
    writer = Writer(1, 5, 6, 4)
    writer.op("CUMSUM", [0, writer.constant(numpy.array(1, numpy.int32))], (1, 5, 6, 4),
              Reverse=True)  # fmt: skip
    assert imported(writer, tmp_path).graph.nodes[-1].op.name == "opaque"


@pytest.mark.parametrize("name", ["conv_same", "half_weights", "strided_pick"])
def test_a_large_file_is_read_where_it_is_looked_at(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_content, "MAPPED", 1)
    test_a_network_gives_what_the_runtime_gives(name, tmp_path)


def quantized(values: Array, axis: int | None = None) -> dict[str, Any]:
    """Return numbers in int8 and their scales: one, or one for each place along an axis."""
    others = tuple(n for n in range(values.ndim) if n != axis)
    peak = numpy.abs(values).max(axis=others if axis is not None else None, keepdims=True)
    scale = (peak / 127).astype(numpy.float32)
    stored = numpy.round(values / scale).astype(numpy.int8)
    return {"data": stored, "scale": scale.reshape(-1), "axis": axis or 0}


def int8_network(each: bool, inner: str = "INT8") -> tuple[Writer, Array]:
    w = Writer(1, 8, 8, 4, kind=inner, **({"scale": 0.05, "zero": 3} if inner == "INT8" else {}))
    weight = numbers(6, 3, 3, 4)
    bias = numbers(6, seed=1)
    held = w.constant(**quantized(weight, 0 if each else None))
    added = w.constant(numpy.round(bias / 0.01).astype(numpy.int32), scale=0.01)
    w.op("CONV_2D", [0, held, added], (1, 4, 4, 6), Padding=0, StrideH=2, StrideW=2,
         quantized={"scale": 0.1, "zero": -5} if inner == "INT8" else None)  # fmt: skip
    return w, weight


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("inner", ["INT8", "FLOAT32"])
def test_quantized_weights_are_real_numbers_of_so_many_bytes(
    each: bool, inner: str, tmp_path: Path
) -> None:
    writer, weight = int8_network(each, inner)
    found = imported(writer, tmp_path)
    result = analyze(found.graph)
    assert result.totals.params == weight.size + 6
    assert result.totals.weight_bytes == weight.size + 4 * 6
    assert result.totals.macs == 4 * 4 * weight.size
    assert result.dtype == ("int8" if inner == "INT8" else "float32")
    assert ("quantized in the file" in found.graph.about) == (inner == "INT8")
    arrays = {key.rpartition(".")[2]: value for key, value in found.weights().items()}
    numpy.testing.assert_allclose(arrays["weight"], weight.transpose(0, 3, 1, 2), atol=0.02)
    numpy.testing.assert_allclose(arrays["bias"], numbers(6, seed=1), atol=0.006)


def test_types_of_a_whole_network(tmp_path: Path) -> None:
    """Conversions at the ends of an int8 network are no layers."""
    w = Writer(1, 8, 8, 4)
    q = w.op("QUANTIZE", [0], (1, 8, 8, 4), as_kind="INT8", quantized={"scale": 0.05})
    held = w.constant(**quantized(numbers(6, 3, 3, 4)))
    bias = w.constant(numpy.zeros(6, numpy.int32), scale=0.01)
    c = w.op("CONV_2D", [q, held, bias], (1, 8, 8, 6), as_kind="INT8", quantized={"scale": 0.1},
             StrideH=1, StrideW=1)  # fmt: skip
    w.op("DEQUANTIZE", [c], (1, 8, 8, 6), as_kind="FLOAT32")
    graph = imported(w, tmp_path).graph
    assert [node.op.name for node in graph.nodes] == ["input", "conv"]
    assert graph.dtype == "int8"


def test_half_and_packed_weights(tmp_path: Path) -> None:
    found = imported(CASES["half_weights"](), tmp_path)
    totals = analyze(found.graph).totals
    assert totals.weight_bytes == 2 * 216 + 4 * 6
    w = Writer(1, 5)
    four = numpy.array([[1, -2, 3, -8, 7], [0, 5, -1, 2, -3]], numpy.int8)
    flat = four.reshape(-1) & 15
    packed = (flat[::2] | flat[1::2] << 4).astype(numpy.uint8)
    held = w.tensor("w", (2, 5), packed, kind="INT4", scale=0.5)
    w.op("FULLY_CONNECTED", [0, held], (1, 2))
    found = imported(w, tmp_path)
    totals = analyze(found.graph).totals
    assert (totals.params, totals.weight_bytes) == (10, 5)
    (weight,) = found.weights().values()
    numpy.testing.assert_array_equal(weight, four / 2)


def test_weights_that_several_layers_read_count_once(tmp_path: Path) -> None:
    w = Writer(1, 8, 8, 4)
    held, bias = w.constant(numbers(4, 3, 3, 4)), w.constant(numbers(4))
    words = {"Padding": 0, "StrideH": 1, "StrideW": 1}
    a = w.op("CONV_2D", [0, held, bias], (1, 8, 8, 4), **words)
    w.op("CONV_2D", [a, held, bias], (1, 8, 8, 4), **words)
    found = imported(w, tmp_path)
    totals = analyze(found.graph).totals
    assert (totals.params, totals.macs) == (144 + 4, 2 * 64 * 144)
    assert result(found, given((1, 8, 8, 4))).shape == (1, 4, 8, 8)


def test_boxes_are_chosen_behind_the_network(tmp_path: Path) -> None:
    writer = CASES["detection_head"]()
    boxes = len(writer.tensors) - 1
    anchors = writer.constant(numbers(40, 4))
    chosen = writer.op("TFLite_Detection_PostProcess", [boxes, boxes, anchors], (1, 10, 4), (1, 10))
    writer.op("GATHER", [chosen, writer.constant([0])], (1, 1, 4), Axis=1)
    found = imported(writer, tmp_path)
    graph = found.graph
    assert "TFLite_Detection_PostProcess and 1 operators after it" in graph.about
    assert [graph.by_name[output.node].out for output in graph.outputs] == [(3, 40)]
    assert not analyze(graph).opaque


def test_what_is_not_known_is_counted_as_far_as_it_can_be(tmp_path: Path) -> None:
    w = Writer(1, 8, 8, 4)
    own = w.op("MyOwn", [0, w.constant(numbers(9, 9))], (1, 8, 8, 6))
    w.op("CONV_2D", [own, w.constant(numbers(2, 1, 1, 6))], (1, 8, 8, 2), StrideH=1, StrideW=1)
    graph = imported(w, tmp_path).graph
    result = analyze(graph)
    assert [(entry.kind, entry.count) for entry in result.opaque] == [("tflite.MyOwn", 1)]
    assert result.totals.params == 81 + 12 + 2
    assert result.totals.macs == 64 * 12
    w = Writer(1, 5, 6, 4)
    weight = w.op("MUL", [0, 0], (1, 5, 6, 4))
    w.op("CONV_2D", [0, weight, w.constant(numbers(1))], (1, 1, 1, 1), StrideH=1, StrideW=1)
    assert analyze(imported(w, tmp_path).graph).totals.macs == prod((5, 6, 4))


@pytest.mark.parametrize(("height", "width"), [(10, 12), (7, 9), (3, 5)])
def test_bilinear_resizing_from_corners(height: int, width: int, tmp_path: Path) -> None:
    """Position u of n reads u * m / n of m, as in TensorFlow 1."""
    w = Writer(1, 5, 6, 4)
    w.op("RESIZE_BILINEAR", [0, w.constant([height, width])], (1, height, width, 4))
    network = build(imported(w, tmp_path).graph)
    x = numpy.random.default_rng(0).random((1, 4, 5, 6), dtype=numpy.float32)
    expected = x
    for axis, size in ((2, height), (3, width)):
        places = numpy.arange(size) * expected.shape[axis] / size
        low = places.astype(int)
        high = numpy.minimum(low + 1, expected.shape[axis] - 1)
        share = (places - low).reshape(-1, *(1,) * (3 - axis))
        expected = expected.take(low, axis) * (1 - share) + expected.take(high, axis) * share
    output = network(torch.from_numpy(x)).numpy()
    numpy.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-6)


def test_an_operator_that_turns_out_opaque_is_counted_once(tmp_path: Path) -> None:
    """Layers that were added before it did are taken back."""
    w = Writer(1, 8, 8, 4)
    held = w.tensor("w", (6, 3, 3, 4), numbers(6, 3, 3, 4), kind="COMPLEX64")
    w.op("CONV_2D", [0, held, w.constant(numbers(6))], (1, 8, 8, 6), StrideH=1, StrideW=1)
    graph = imported(w, tmp_path).graph
    assert [node.op.name for node in graph.nodes] == ["input", "opaque"]
    assert analyze(graph).totals.macs == 64 * 216
    with pytest.raises(ArchscopeError, match="known only for the input sizes stated in the file"):
        imported(w, tmp_path, input=(4, 6, 6))


def test_a_recurrent_layer_has_a_state_that_no_operator_gives(tmp_path: Path) -> None:
    w = Writer(1, 7, 4)
    state = w.tensor("state", (1, 5))
    own = w.op("UNIDIRECTIONAL_SEQUENCE_LSTM", [0, w.constant(numbers(5, 4)), state], (1, 7, 5))
    w.op("RELU", [own], (1, 7, 5))
    graph = imported(w, tmp_path).graph
    assert [node.out for node in graph.nodes] == [(4, 7), (5, 7), (5, 7)]
    assert analyze(graph).totals.params == 20 and analyze(graph).unknown


def test_variables_are_no_layers(tmp_path: Path) -> None:
    w = Writer(1, 8, 8, 4)
    w.op("RELU", [0], (1, 8, 8, 4))
    w.op("ASSIGN_VARIABLE", [0, 1])
    assert [n.op.name for n in imported(w, tmp_path, 1).graph.nodes] == ["input", "relu"]


def test_inputs_of_other_sizes(tmp_path: Path) -> None:
    def network(*signature: int) -> Writer:
        w = Writer(1, 8, 8, 4)
        w.tensors[0]["signature"] = signature or None
        up = w.op("RESIZE_NEAREST_NEIGHBOR", [0, w.constant([16, 16])], (1, 16, 16, 4))
        out, weight = w.constant([1, 32, 32, 2]), w.constant(numbers(2, 2, 2, 4))
        c = w.op("TRANSPOSE_CONV", [out, weight, up], (1, 32, 32, 2), Padding=1, StrideH=2,
                 StrideW=2)  # fmt: skip
        shape = w.op("SHAPE", [c], (4,), as_kind="INT32")
        part = w.op(
            "STRIDED_SLICE", [shape, *map(w.constant, ([0], [1], [1]))], (), ShrinkAxisMask=1
        )
        size = w.op("PACK", [part, w.constant(-1)], (2,), ValuesCount=2)
        w.op("RESHAPE", [c, size], (1, 2048))
        return w

    assert imported(network(), tmp_path).graph.nodes[-1].out == (2048,)
    graph = imported(network(), tmp_path, input=(4, 4, 6)).graph
    assert [node.out for node in graph.nodes] == [
        (4, 4, 6), (4, 8, 12), (2, 16, 24), (16, 24, 2), (768,)
    ]  # fmt: skip
    with pytest.raises(
        ArchscopeError, match=r"net\.tflite: does not state the size of its input 'x'"
    ):
        imported(network(-1, -1, -1, 4), tmp_path)
    assert imported(network(-1, -1, -1, 4), tmp_path, input={"x": (4, 4, 6)}).graph
    with pytest.raises(ArchscopeError, match="has no input 'y'"):
        imported(network(), tmp_path, input={"y": (4, 4, 6)})


def test_names_are_those_of_the_layers(tmp_path: Path) -> None:
    w = Writer(1, 8, 8, 4)
    words = {"StrideH": 1, "StrideW": 1}
    names = ("net/conv1/Relu;net/bn/FusedBatchNormV3;net/conv1/Conv2D", "net/a/BiasAdd", "b:0")
    x = 0
    for name in names:
        x = w.op("CONV_2D", [x, w.constant(numbers(4, 1, 1, 4))], (1, 8, 8, 4), name=name, **words)
    nodes = imported(w, tmp_path).graph.nodes
    assert [node.name for node in nodes] == ["x", "net.conv1", "net.a", "b"]


def test_a_spec_is_written_with_its_weights(tmp_path: Path) -> None:
    writer = CASES["detection_head"]()
    (tmp_path / "net.tflite").write_bytes(writer.content())
    out, weights = tmp_path / "net.yaml", tmp_path / "net.safetensors"
    args = ["import", str(tmp_path / "net.tflite"), "-o", str(out), "--weights", str(weights)]
    assert not main(args)
    network = build(load(str(out))).eval()
    network.load_state_dict(load_file(weights))
    x = given((1, 4, 4, 4))
    with torch.no_grad():
        ours = network(torch.from_numpy(first(x).copy())).numpy()
    expected = EXPECTED["detection_head"]["values"]
    found = sample(numpy.moveaxis(ours, 1, -1))
    numpy.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-5)


def refusal(content: bytes, folder: Path) -> str | None:
    """Return what is said of a model that cannot be taken, None for one that can."""
    path = folder / "net.tflite"
    path.write_bytes(content)
    try:
        analyze(from_file(path).graph)
    except ArchscopeError as error:
        assert "\n" not in str(error) and "net.tflite" in str(error) and len(str(error)) < 600
        return str(error)
    return None


def test_damaged_models_are_refused_in_a_line_or_do_no_harm(tmp_path: Path) -> None:
    rng = random.Random(3)
    refused = 0
    for name in ("detection_head", "stacked_and_unstacked", "strided_pick", "conv_same", "pad"):
        content = CASES[name]().content()
        for end in range(0, len(content), len(content) // 6):
            refused += refusal(content[:end], tmp_path) is not None
        for _ in range(25):
            changed = bytearray(content)
            for _ in range(rng.choice((1, 1, 4))):
                at = rng.randrange(8, len(content))
                changed[at] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
            refused += refusal(bytes(changed), tmp_path) is not None
        for at in range(8, len(content) - 4, len(content) // 40 * 8 or 4):
            for word in (b"\xff\xff\xff\x7f", b"\x00\xca\x9a\x3b"):
                changed = bytearray(content)
                changed[at // 4 * 4 : at // 4 * 4 + 4] = word
                refused += refusal(bytes(changed), tmp_path) is not None
    assert refused > 60


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    def said(make: Callable[[], Writer]) -> str:
        return str(refusal(make().content(), tmp_path))

    def conv(weight: tuple[int, ...], x: tuple[int, ...] = (1, 5, 6, 4), **words: int) -> Writer:
        w = Writer(*x)
        held = w.tensor("w", weight, numbers(*weight) if prod(weight) < 10**6 else numbers(4))
        bias = w.constant(numbers(weight[0] if weight[0] < 10**6 else 1))
        w.op("CONV_2D", [0, held, bias], (1, 5, 6, weight[0]),
             **{"StrideH": 1, "StrideW": 1, **words})  # fmt: skip
        return w

    assert "is not a TensorFlow Lite model" in str(refusal(b"\0" * 100, tmp_path))
    assert "is not a TensorFlow Lite model" in str(refusal(b"", tmp_path))
    assert "'w' of 1000000000x3x3x4 numbers of type FLOAT32 has 16 bytes" in said(
        lambda: conv((10**9, 3, 3, 4))
    )
    for side, what in ((2**31 - 1, "elements"), (2**25, "positions along an axis")):
        large = conv((6, 1, 1, 4), (1, side, side, 4)).content()
        assert f"more {what} than the limit" in str(refusal(large, tmp_path))
    assert "has weights for 3 channels, its input has 4" in said(lambda: conv((6, 1, 1, 3)))
    assert "has the unknown padding 7" in said(lambda: conv((6, 1, 1, 4), Padding=7))
    assert "stride" in said(lambda: conv((6, 1, 1, 4), StrideH=0))
    assert "a window of 9" in said(lambda: conv((6, 9, 9, 4), Padding=1))

    def reads_itself() -> Writer:
        w = Writer(1, 4)
        w.op("RELU", [1], (1, 4))
        return w

    assert "the network has no layers" in said(reads_itself)
    with pytest.raises(ArchscopeError, match="no such file"):
        from_file(tmp_path / "missing.tflite")


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "tflite", None)
    said = refusal(CASES["relu"]().content(), tmp_path)
    assert "needs the package tflite: pip install 'archscope[tflite]'" in str(said)

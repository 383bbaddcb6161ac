"""Errors in ONNX files are reported in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx", reason="needs archscope[onnx]")

import onnx
from onnx import helper

from archscope import language
from archscope.errors import ArchscopeError
from archscope.importers.onnx import from_file
from archscope.language.write import to_yaml
from tests.importers.onnx.models import model, numbers, saved

SHAPE = (1, 4, 8, 8)
RELU = helper.make_node("Relu", ["x"], ["y"])
CONV = helper.make_node("Conv", ["x", "w"], ["y"])
WEIGHTS = {"w": numbers(4, 4, 3, 3)}


def refusal(path: Path, **words: Any) -> str:
    with pytest.raises(ArchscopeError) as caught:
        from_file(path, **words)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_file_that_is_missing(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "net.onnx")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04zip", b"name: net\n", b"\x00" * 64, b"\x08"])
def test_file_that_is_no_model(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    assert "ONNX file" in refusal(path)


@pytest.mark.parametrize("name", [b"\xff\xfe", b"R\nlu"])
def test_names_that_are_no_text(name: bytes, tmp_path: Path) -> None:
    path = saved(model([RELU], SHAPE), tmp_path)
    for word in (b"Relu", b"\x01x\x12"):
        damaged = path.read_bytes().replace(word, (name * len(word))[: len(word)], 1)
        (tmp_path / "damaged.onnx").write_bytes(damaged)
        assert "ONNX file" in refusal(tmp_path / "damaged.onnx")


def test_arithmetic_that_makes_no_sense(tmp_path: Path) -> None:
    """Patterns that divide by what the file says let go of it."""
    nodes = [
        helper.make_node("Mul", ["x", "x"], ["a"]),
        helper.make_node("Div", ["a", "z"], ["b"]),
        helper.make_node("Mul", ["b", "z"], ["y"]),
    ]
    made = model(nodes, SHAPE, {"z": numbers(1) * 0})
    kinds = [node.op.name for node in from_file(saved(made, tmp_path)).graph.nodes]
    assert kinds == ["input", "mul", "parameter", "div", "learned"]


def test_every_truncation_is_one_error(tmp_path: Path) -> None:
    path = saved(model([CONV], SHAPE, WEIGHTS), tmp_path)
    content = path.read_bytes()
    for end in range(0, len(content) - 1, 7):
        path.write_bytes(content[:end])
        try:
            from_file(path)
        except ArchscopeError:
            continue
        pytest.fail(f"{end} of {len(content)} bytes were taken")
    path.write_bytes(content[: len(content) // 2])
    assert "damaged or truncated" in refusal(path)


def test_external_data(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(
        model([CONV], SHAPE, WEIGHTS), str(path), save_as_external_data=True,
        location="net.data", size_threshold=0,
    )  # fmt: skip
    assert from_file(path).graph.nodes[1].op.name == "conv"
    data = tmp_path / "net.data"
    data.write_bytes(data.read_bytes()[:100])
    assert "w" in refusal(path)
    data.unlink()
    assert "'net.data', which is missing" in refusal(path)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (model([RELU], SHAPE, opset=6), "opset 6 is too old"),
        (model([RELU], SHAPE, opset=99), "opset 99 is newer"),
        (model([], SHAPE), "no operators"),
        (model([helper.make_node("Shape", [], ["y"])], SHAPE), "does not follow ONNX's definition"),
        (
            model([helper.make_node("CastLike", ["x"], ["y"])], SHAPE),
            "does not follow ONNX's definition",
        ),
        (model([RELU], (1, 4, "h", "w")), "--input 4xNxN"),
        (model([helper.make_node("Relu", ["z"], ["y"])], SHAPE), "which no operator produces"),
        (model([RELU], SHAPE, outputs=("z",)), "no operator produces the output 'z'"),
        (model([helper.make_node("Conv", ["x", "w"], ["y"])], (1, 5, 8, 8), WEIGHTS), "Conv"),
        (model([helper.make_node("Nonsense", ["x"], ["y"])], SHAPE), "no operator Nonsense"),
        (
            model(
                [helper.make_node("F", ["x"], ["y"], domain="com.me")], SHAPE, domains=("com.me",)
            ),
            "domain 'com.me'",
        ),
        (model([helper.make_node("NonZero", ["x"], ["y"])], SHAPE), "depends on the data"),
        (model([RELU, RELU], SHAPE), "Relu 'y' produces 'y', which is there already"),
        (model([RELU], (1, 4, -1, -1)), "input 'x' is 1x4x?x?, which leaves sizes open"),
        (
            model([CONV], (1, 4, 2, 2), WEIGHTS),
            "Conv 'y' leaves nothing of its input: it would give 1x4x0x0",
        ),
        (
            model([CONV], (1, 4, 1, 1), WEIGHTS),
            "Conv 'y' leaves nothing of its input: it would give 1x4x-1x-1",
        ),
    ],
)
def test_model_that_is_not_read(made: Any, said: str, tmp_path: Path) -> None:
    assert said in refusal(saved(made, tmp_path))


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("dims", [-4, 4, 3, 3], "the weights 'w' are broken: their shape is -4x4x3x3"),
        ("data_type", 99, "the weights 'w' are broken: the type 99 is not known"),
    ],
)
def test_weights_of_no_shape_or_type(field: str, value: Any, said: str, tmp_path: Path) -> None:
    made = model([CONV], SHAPE, WEIGHTS)
    weights = made.graph.initializer[0]
    weights.ClearField(field)
    if isinstance(value, list):
        weights.dims.extend(value)
    else:
        setattr(weights, field, value)
    assert said in refusal(saved(made, tmp_path))


def test_control_flow(tmp_path: Path) -> None:
    body = helper.make_graph([helper.make_node("Relu", ["x"], ["r"])], "b", [], [
        helper.make_tensor_value_info("r", 1, SHAPE)])  # fmt: skip
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["m"], keepdims=0),
        helper.make_node("Cast", ["m"], ["c"], to=9),
        helper.make_node("If", ["c"], ["y"], name="choose", then_branch=body, else_branch=body),
    ]
    assert "If 'choose' decides at run time" in refusal(saved(model(nodes, SHAPE), tmp_path))


def test_sizes_that_the_user_says(tmp_path: Path) -> None:
    path = saved(model([CONV], ("n", 4, "h", "w"), WEIGHTS), tmp_path)
    assert from_file(path, input=(4, 9, 10)).graph.nodes[-1].out == (4, 7, 8)
    assert from_file(path, input={"x": (4, 9, 10)}).graph.nodes[-1].out == (4, 7, 8)
    assert "does not fit it" in refusal(path, input=(3, 9, 10))
    assert "no input 'z', it has x" in refusal(path, input={"z": (4, 9, 10)})


def test_hostile_names(tmp_path: Path) -> None:
    names = ["", "x", "../../etc", "a b: {c}", "é", "forward", "1", "1", "a" * 100_000, "a/a/a"]
    nodes = [
        helper.make_node("Relu", [f"v{i}" if i else "x"], [f"v{i + 1}"], name=name)
        for i, name in enumerate(names)
    ]
    graph = from_file(saved(model(nodes, SHAPE, outputs=("v10",)), tmp_path)).graph
    assert len(graph.nodes) == 11
    read = language.graph(language.document("net", text=to_yaml(graph).encode()))
    assert [node.name for node in read.nodes] == [node.name for node in graph.nodes]


def test_operator_whose_first_output_nobody_wants(tmp_path: Path) -> None:
    weights = {"w": numbers(1, 12, 4), "r": numbers(1, 12, 3)}
    node = helper.make_node("LSTM", ["x", "w", "r"], ["", "h"], hidden_size=3)
    _, lstm = from_file(
        saved(model([node], (5, 2, 4), weights, outputs=("h",)), tmp_path)
    ).graph.nodes
    assert (lstm.op.kind, lstm.facts.params) == ("onnx.LSTM", 12 * 4 + 12 * 3)
    assert "macs" not in lstm.op.unknown

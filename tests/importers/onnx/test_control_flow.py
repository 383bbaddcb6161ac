"""Branches and loops that are decided without the input are written out; the others are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

pytest.importorskip("onnx", reason="needs archscope[onnx]")

from onnx import TensorProto, helper, numpy_helper

from archscope import analyze
from archscope.errors import ArchscopeError
from archscope.importers.onnx import from_file
from tests.importers.onnx.models import model, numbers, outputs, saved
from tests.importers.onnx.test_onnx_ops import ints, node, num

IMAGE = (1, 4, 8, 8)
W = numbers(4, 4, 3, 3) / 9
CONV = {"pads": [1] * 4}


def graph(
    nodes: list[Any], given: str = "", results: str = "r", weights: dict[str, Any] | None = None
) -> Any:
    """Return a graph inside an operator; `n` and `c` in its inputs are a number and a truth."""
    kinds = {"n": TensorProto.INT64, "c": TensorProto.BOOL, "go": TensorProto.BOOL}

    def info(name: str) -> Any:
        if name in kinds:
            return helper.make_tensor_value_info(name, kinds[name], ())
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)

    held = [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()]
    return helper.make_graph(
        nodes, "inner", [*map(info, given.split())], [*map(info, results.split())], held
    )


def branch(condition: list[Any], then: Any, otherwise: Any) -> list[Any]:
    return [*condition, node("If", "t", "z", then_branch=then, else_branch=otherwise),
            node("Relu", "z")]  # fmt: skip


SHAPE = [node("Shape", "x", "h"), node("Gather", "h i", "k"), node("Equal", "k four", "t")]
NUMBERS = {"i": numpy.array(1), "four": numpy.array(4), "five": numpy.array(5), "w": W}
TAKEN = graph([node("Conv", "x w", "r", **CONV)])
LEFT = graph([node("Conv", "x v", "r", **CONV)], weights={"v": W})
OWN = graph([node("Conv", "x v", "q", **CONV), node("Conv", "q v", "r", **CONV)], weights={"v": W})
NESTED = graph([node("If", "t", "r", then_branch=TAKEN, else_branch=LEFT)])
LOOPED = graph([node("Conv", "a w", "b", **CONV), node("Identity", "c", "go")], "n c a", "go b")
UNTIL_2 = graph(
    [node("Conv", "a v", "b", **CONV), node("Less", "n one", "go")], "n c a", "go b",
    {"v": W, "one": numpy.array(1)},
)  # fmt: skip
ROWS = graph(
    [node("Conv", "a w", "b", **CONV), node("GlobalAveragePool", "b", "p"),
     node("Flatten", "p", "f"), node("Squeeze", "f", "s"), node("Identity", "c", "go")],
    "n c a", "go b s",
)  # fmt: skip
CASES: dict[str, tuple[list[Any], dict[str, Any], str, int]] = {
    "then": (branch(SHAPE, TAKEN, LEFT), NUMBERS, "conv relu", 144),
    "else": (branch([*SHAPE[:2], node("Equal", "k five", "t")], TAKEN, LEFT), NUMBERS,
             "conv relu", 144),
    "own weights": (branch(SHAPE, OWN, LEFT), NUMBERS, "conv conv relu", 144),
    "nested": (branch(SHAPE, NESTED, LEFT), NUMBERS, "conv relu", 144),
    "passes on what is outside": (
        branch(SHAPE, graph([node("Identity", "x", "r")]), LEFT), NUMBERS, "identity relu", 0),
    "turns": ([node("Loop", "m  x", "z", body=LOOPED), node("Relu", "z")],
              {"m": numpy.array(3), "w": W}, "conv conv conv relu", 144),
    "condition of the turn": ([node("Loop", " t x", "z", body=UNTIL_2), node("Relu", "z")],
                              {"t": numpy.array(True)}, "conv conv relu", 144),
    "no turn": ([node("Loop", "m  x", "z", body=LOOPED), node("Relu", "z")],
                {"m": numpy.array(0), "w": W}, "relu", 0),
    "is the output": ([node("Loop", "m  x", "y", body=LOOPED)],
                      {"m": numpy.array(2), "w": W}, "conv conv", 144),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_is_decided_is_written_out(name: str, tmp_path: Path) -> None:
    nodes, weights, words, params = CASES[name]
    path = saved(model(nodes, IMAGE, weights), tmp_path)
    found = from_file(path)
    assert " ".join(one.op.name for one in found.graph.nodes[1:]) == words
    assert analyze(found.graph).totals.params == params
    ours, theirs = outputs(found, path)
    numpy.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_results_of_every_turn(tmp_path: Path) -> None:
    nodes = [node("Loop", "m  x", "z q", body=ROWS), node("Gemm", "q g")]
    weights = {"m": numpy.array(3), "w": W, "g": numbers(4, 2)}
    found = from_file(saved(model(nodes, IMAGE, weights), tmp_path))
    assert analyze(found.graph).totals.params == 144 + 8
    assert [one.op.name for one in found.graph.nodes].count("conv") == 3


def test_scan(tmp_path: Path) -> None:
    body = graph(
        [node("Add", "a e", "s"), node("Gemm", "s g", "b"), node("Identity", "b", "o")],
        "a e", "b o",
    )  # fmt: skip
    nodes = [
        node("Flatten", "x", "f"), node("Reshape", "f s", "t"), node("Slice", "t p q p", "u"),
        node("Squeeze", "u p", "v"),
        node("Scan", "v t", "h z", body=body, num_scan_inputs=1), node("Relu", "h"),
    ]  # fmt: skip
    weights = {"s": ints(8, 1, 32), "g": numbers(32, 32), "p": ints(0), "q": ints(1)}
    result = analyze(from_file(saved(model(nodes, IMAGE, weights), tmp_path)).graph)
    assert result.totals.params == 1024
    assert result.totals.macs == 8 * 1024


REFUSED: dict[str, tuple[list[Any], dict[str, Any], str]] = {
    "condition of the input": (
        [node("ReduceMax", "x", "k", keepdims=0), node("Greater", "k half", "t"),
         *branch([], TAKEN, LEFT)], {"half": num(0.5), "w": W}, "If 'z' decides at run time"),
    "trips of the input": (
        [node("ReduceMax", "x", "k", keepdims=0), node("Cast", "k", "m", to=TensorProto.INT64),
         node("Loop", "m  x", "y", body=LOOPED)], {"w": W}, "Loop 'y' decides at run time"),
    "too many turns": ([node("Loop", "m  x", "y", body=LOOPED)],
                       {"m": numpy.array(10**12), "w": W}, "the limit of 2,000"),
    "turns without end": ([node("Loop", " t x", "y", body=LOOPED)],
                          {"t": numpy.array(True), "w": W}, "the limit of 2,000"),
    "no body": ([helper.make_node("Loop", ["m", "", "x"], ["y"])], {"m": numpy.array(1)},
                "does not follow ONNX's definition"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_decided_or_takes_too_long(name: str, tmp_path: Path) -> None:
    nodes, weights, said = REFUSED[name]
    with pytest.raises(ArchscopeError, match=said) as caught:
        from_file(saved(model(nodes, IMAGE, weights), tmp_path))
    assert "\n" not in str(caught.value)

"""Small files that ask for much are refused, naming the limit, before the memory is taken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest

pytest.importorskip("onnx", reason="needs archscope[onnx]")

from onnx import helper

from archscope.errors import ArchscopeError
from archscope.importers.onnx import from_file
from archscope.importers.onnx.limits import OPERATORS
from tests.importers.onnx.models import model, numbers, saved
from tests.importers.onnx.test_onnx_ops import ints, node, num

IMAGE = (1, 4, 8, 8)

CONSTANTS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "doubling": ([node("Concat", f"c{i} c{i}", f"c{i + 1}", axis=0) for i in range(60)],
                 {"c0": num([1])}),
    "fill": ([node("ConstantOfShape", "s", "q")], {"s": ints(10**6, 10**6)}),
    "range": ([node("Range", "a b d", "q")], {"a": num(0), "b": num(1e12), "d": num(1)}),
    "expand": ([node("Expand", "a s", "q")], {"a": num([1]), "s": ints(10**4, 10**4, 10**4)}),
    "tile": ([node("Tile", "a s", "q")], {"a": num([1]), "s": ints(10**12)}),
    "pad": ([node("Pad", "a s", "q")], {"a": num([1]), "s": ints(10**11, 10**11)}),
    "broadcast": ([node("Add", "a b", "q")], {"a": numbers(20000, 1), "b": numbers(1, 20000)}),
    "one-hot": ([node("OneHot", "a d v", "q")],
                {"a": ints(*range(99)), "d": ints(10**10), "v": num([0, 1])}),
    "window": ([node("HannWindow", "s", "q")], {"s": numpy.array(10**11)}),
    "outer product": ([node("Einsum", "a a", "q", equation="a,b->ab")], {"a": numbers(20000)}),
    "matrix product": ([node("MatMul", "a b", "q")],
                       {"a": numbers(20000, 1), "b": numbers(1, 20000)}),
    "resize": ([node("Resize", "a  s", "q")],
               {"a": numbers(1, 1, 8, 8), "s": num([1, 1, 1e5, 1e5])}),
    "work": ([node("Conv", "a w", "q", pads=[99] * 4)],
             {"a": numbers(1, 64, 9, 9), "w": numbers(64, 64, 9, 9)}),
}  # fmt: skip


def constant_bomb(name: str) -> Any:
    nodes, weights = CONSTANTS[name]
    last = nodes[-1].output[0]
    # What is large is read for its shape alone.
    used = [*nodes, node("Shape", last, "h"), node("Size", "h", "k"), node("Unsqueeze", "k f", "g"),
            node("Expand", "x o", "e"), node("Add", "e e", "y")]  # fmt: skip
    return model(used, IMAGE, {**weights, "f": ints(0), "o": ints(1)})


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_that_expand(name: str, tmp_path: Path) -> None:
    with pytest.raises(ArchscopeError, match=r"the limit of|not known") as caught:
        from_file(saved(constant_bomb(name), tmp_path))
    assert "\n" not in str(caught.value)


def functions(depth: int, width: int) -> Any:
    """Return a model of functions that each call the next `width` times."""
    made = model([helper.make_node("F0", ["x"], ["y"], domain="own")], IMAGE, domains=("own",))
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    for level in range(depth):
        kind = {"op_type": f"F{level + 1}", "domain": "own"}
        kind = {"op_type": "Relu"} if level == depth - 1 else kind
        nodes = [helper.make_node(inputs=[f"v{i}"], outputs=[f"v{i + 1}"], **kind)
                 for i in range(width)]  # fmt: skip
        made.functions.append(
            helper.make_function("own", f"F{level}", ["v0"], [f"v{width}"], nodes, imports)
        )
    return made


def test_functions_that_expand(tmp_path: Path) -> None:
    with pytest.raises(ArchscopeError, match=rf"operators than the limit of {OPERATORS:,}"):
        from_file(saved(functions(30, 2), tmp_path))
    with pytest.raises(ArchscopeError, match="nested deeper than the limit of 64"):
        from_file(saved(functions(100, 1), tmp_path))
    assert len(from_file(saved(functions(4, 3), tmp_path)).graph.nodes) == 82


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_little_memory_is_taken(tmp_path: Path) -> None:
    """All of them together, in a process of their own."""
    for name in CONSTANTS:
        saved(constant_bomb(name), tmp_path, f"{name}.onnx")
    saved(functions(30, 2), tmp_path, "functions.onnx")
    code = """
import pathlib, re, sys
from archscope.errors import ArchscopeError
from archscope.importers.onnx import from_file
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    try:
        from_file(path)
    except ArchscopeError:
        continue
    raise SystemExit(f"{path.name} was taken")
# Not getrusage, whose peak is also that of the process that made this one.
print(re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1])
"""
    words = [sys.executable, "-c", code, str(tmp_path)]
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) < 400_000  # kilobytes


def test_many_equal_names_and_transposes_take_no_square_of_time(tmp_path: Path) -> None:
    nodes = [node("Transpose", "x", "v0", perm=[0, 2, 3, 1])]
    nodes += [node("Relu", f"v{i}", f"v{i + 1}") for i in range(1500)]
    made = model([*nodes, node("Identity", "v1500")], IMAGE)
    graph = from_file(saved(made, tmp_path)).graph
    assert 1500 <= len(graph.nodes) <= 1510

"""ONNX files on the command line are accepted like specs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import torch

pytest.importorskip("onnx", reason="needs archscope[onnx]")

from onnx import helper
from safetensors.torch import load_file

from archscope import load
from archscope.build import build
from tests.cli.conftest import Run, run
from tests.importers.onnx.models import model, numbers, saved
from tests.test_light import HEAVY

__all__ = ["run"]
WEIGHTS = {"w": numbers(8, 3, 3, 3)}
STEM = helper.make_node("Conv", ["x", "w"], ["c"], name="stem")
RELU = helper.make_node("Relu", ["c"], ["y"], name="relu")


@pytest.fixture
def custom(tmp_path: Path) -> str:
    """Return a file with an operator of another domain, of which only the shape is said."""
    deform = helper.make_node("Deform", ["c"], ["y"], name="deform", domain="mmcv")
    made = model([STEM, deform], (1, 3, 32, 32), WEIGHTS, domains=("mmcv",))
    shape = made.graph.output[0].type.tensor_type.shape
    for size in (1, 8, 30, 30):
        shape.dim.add().dim_value = size
    return str(saved(made, tmp_path))


def test_analysis(run: Run, tmp_path: Path) -> None:
    path = saved(model([STEM, RELU], ("n", 3, "h", "w"), WEIGHTS), tmp_path)
    result = run("analyze", str(path), "--input", "3x32x32", "--format", "json")
    assert (result.code, result.err) == (0, "")
    data = json.loads(result.out)
    assert (data["totals"]["params"], data["totals"]["macs"]) == (216, 216 * 30 * 30)
    assert data["receptive_field"]["size"] == [3, 3]
    assert [layer["name"] for layer in data["layers"]] == ["input", "stem", "relu"]


def test_open_size_is_asked_for(run: Run, tmp_path: Path) -> None:
    path = saved(model([STEM, RELU], ("n", 3, "h", "w"), WEIGHTS), tmp_path)
    result = run("analyze", str(path))
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1
    assert "give them with --input 3xNxN" in result.err
    result = run("analyze", str(path), "--input", "3x32x2")
    assert result.code == 2
    assert "Conv 'stem' leaves nothing of its input: it would give 1x8x30x0" in result.err


def test_operator_that_is_not_known(run: Run, custom: str) -> None:
    result = run("analyze", custom)
    assert result.code == 0
    assert ">= 194,400" in result.out
    assert "unknown: 1 x onnx.mmcv.Deform, first at deform" in result.out
    strict = run("analyze", custom, "--strict")
    assert (strict.code, strict.out) == (2, "")
    assert "not recognised: 1 x onnx.mmcv.Deform" in strict.err


def test_package_that_is_missing(run: Run, custom: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    result = run("analyze", custom)
    assert result.code == 2
    assert "pip install 'archscope[onnx]'" in result.err


def test_nothing_heavy_is_loaded(tmp_path: Path) -> None:
    """Reading the file takes numpy, and neither torch nor onnxruntime."""
    path = saved(model([STEM, RELU], (1, 3, 32, 32), WEIGHTS), tmp_path)
    code = (
        "import sys; from archscope.cli import main; assert main(sys.argv[1:]) == 0;"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    words = [sys.executable, "-c", code, "analyze", str(path)]
    result = subprocess.run(words, capture_output=True, text=True, check=True)
    loaded = set(result.stderr.split())
    assert {"archscope", "onnx", "numpy"} <= loaded
    assert not loaded & (HEAVY | {"onnxruntime", "onnxscript"}) - {"numpy"}


def test_other_commands_take_it(run: Run, tmp_path: Path) -> None:
    path = str(saved(model([STEM, RELU], (1, 3, 32, 32), WEIGHTS), tmp_path))
    result = run("compare", path, path, "--format", "json")
    assert (result.code, result.err) == (0, "")
    assert run("lint", path).code in (0, 1)


def test_import_gives_a_spec_and_weights_that_compute_the_same(run: Run, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="judges what is built")
    norm = {name: abs(numbers(8, seed=seed)) for seed, name in enumerate("sbmv")}
    nodes = [
        STEM, helper.make_node("BatchNormalization", ["c", *"sbmv"], ["d"], name="norm"),
        helper.make_node("Relu", ["d"], ["e"]), helper.make_node("GlobalAveragePool", ["e"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]), helper.make_node("Gemm", ["f", "h"], ["y"]),
    ]  # fmt: skip
    weights = {**WEIGHTS, **norm, "h": numbers(8, 5)}
    path = saved(model(nodes, ("n", 3, 16, 16), weights), tmp_path)
    made, kept = tmp_path / "net.yaml", tmp_path / "net.safetensors"
    result = run("import", str(path), "-o", str(made), "--weights", str(kept))
    assert result.code == 0, result.err
    network = build(load(made)).eval()
    network.load_state_dict(load_file(kept))
    x = numbers(2, 3, 16, 16, seed=9)
    (wanted,) = onnxruntime.InferenceSession(str(path)).run(None, {"x": x})
    with torch.no_grad():
        given = network(torch.from_numpy(x)).numpy()
    numpy.testing.assert_allclose(given, wanted, rtol=1e-4, atol=1e-5)

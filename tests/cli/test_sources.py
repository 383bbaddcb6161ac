"""Every command accepts a model to import instead of a spec, and reports what it cannot know."""

from __future__ import annotations

import json
from pathlib import Path

import onnxruntime
import pytest
import torch

from tests.cli.conftest import Run
from tests.importers.caffe.definitions import drawn, inputs, layer
from tests.importers.caffe.model_files import model
from tests.zoo.oracle import torchvision

WHOLE = "tests.importers.torch.modules:Loop"
INPUT = ("--input", "4x8x8")
PARTIAL = "tests.importers.torch.modules:Solved"
ROWS = ("--input", "7x6")


@pytest.mark.parametrize(
    "args",
    [
        ("analyze", WHOLE, "--count", "ptflops"), ("compare", WHOLE, WHOLE), ("guidelines", WHOLE),
        ("verify", WHOLE), ("build", WHOLE), ("convert", WHOLE, "--flat"),
        ("im2col", WHOLE, "blocks.0.0"), ("reconcile", WHOLE), ("draw", WHOLE),
        ("import", WHOLE, "--strict"), ("space", WHOLE, "--vary", "kernel"),
    ],
)  # fmt: skip
def test_command_takes_a_model(args: tuple[str, ...], run: Run) -> None:
    result = run(*args, *INPUT)
    assert (result.code, result.out != "") == (0, True), result.err


def test_search_report_and_bench_take_a_model(run: Run, tmp_path: Path) -> None:
    torchvision()
    name = "torchvision.models:squeezenet1_1"
    page = tmp_path / "page.html"
    assert run("report", name, "--date", "none", "-o", str(page)).code == 0
    assert "squeezenet1_1" in page.read_text()
    assert run("lint", name, "--exit-zero").code == 0


def test_a_model_is_never_written_to(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "twice.py").write_text(
        "from torch import nn\n"
        "def net():\n    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.ReLU())\n"
    )
    result = run("lint", "twice:net", "--fix", "--exit-zero")
    assert "ACT" in result.out or "relu" in result.out
    assert {path.name for path in tmp_path.iterdir()} <= {"twice.py", "__pycache__"}


def test_findings_in_a_model_say_the_layer(run: Run) -> None:
    torchvision()
    name = "torchvision.models:mobilenet_v2"
    told = run("lint", name, "--exit-zero").out
    assert "mobilenet_v2: features.4.conv.0.0: G1 1x1 convolution" in told
    assert name not in told  # with a line of a text that nobody has
    rows = json.loads(run("lint", name, "--exit-zero", "--format", "json").out)["findings"]
    assert {(row["file"], row["line"]) for row in rows} == {(None, None)}


def test_unknown_counts_read_at_least(run: Run) -> None:
    table = run("analyze", PARTIAL, *ROWS)
    assert (table.code, table.err) == (0, "")
    assert (
        "unknown: 1 x aten.linalg_solve.default, first at layer: its macs and other work"
        in table.out
    )
    row = next(line for line in table.out.splitlines() if line.startswith(" macs"))
    assert row.split()[1:3] == [">=", "0"]
    data = json.loads(run("analyze", PARTIAL, *ROWS, "--format", "json").out)
    assert [one["kind"] for one in data["unknown"]] == ["aten.linalg_solve.default"]
    assert [one["kind"] for one in data["opaque"]] == ["aten.linalg_solve.default"]
    assert data["receptive_field"]["size"] is None and data["receptive_field"]["known"] is False
    assert ">= 0" in run("compare", PARTIAL, *ROWS).out


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (
            ("analyze", "--strict"),
            2,
            "has operators that are not recognised: 1 x aten.linalg_solve.default",
        ),
        (
            ("analyze", "--count", "fvcore"),
            2,
            "such as aten.linalg_solve.default at layer: their count in fvcore",
        ),
        (("analyze", "--max-macs", "1M"), 1, "not known to be within the budget: Solved: macs"),
        (("compare", "--max-macs", "1M"), 1, "not known to be within the budget: Solved: macs"),
        (("import", "--strict"), 2, "not recognised: aten.linalg_solve.default"),
        (("import", "--weights", "w.safetensors"), 2, "cannot be built, and its weights"),
        (("build",), 2, "'aten.linalg_solve.default' is not an operator of archscope"),
        (("verify",), 2, "'aten.linalg_solve.default' is not an operator of archscope"),
        (("bench",), 2, "'aten.linalg_solve.default' is not an operator of archscope"),
    ],
)
def test_what_is_not_known_is_said(args: tuple[str, ...], code: int, words: str, run: Run) -> None:
    result = run(args[0], PARTIAL, *ROWS, *args[1:])
    assert (result.code, result.err.count("\n")) == (code, 1), result.err
    assert words in result.err
    assert not Path("w.safetensors").exists()


def test_tools_answer_for_a_module_that_is_not_recognised(run: Run) -> None:
    result = run("reconcile", PARTIAL, *ROWS)
    assert result.code == 0
    row = next(line for line in result.out.splitlines() if line.startswith(" fvcore "))
    assert "of your module" in row


def test_import_prints_a_spec(run: Run, tmp_path: Path) -> None:
    result = run("import", WHOLE, *INPUT)
    assert result.code == 0
    assert result.out.startswith(f"# Written by `archscope import {WHOLE}`.\nname: Loop\n")
    path = tmp_path / "loop.yaml"
    path.write_text(result.out)
    totals = []
    for word in (str(path), WHOLE):
        found = run("analyze", word, *INPUT, "--format", "json")
        totals.append(json.loads(found.out)["totals"])
        del totals[-1]["peak_node"]  # in the spec it has another name
    assert totals[0] == totals[1]


CAFFE = inputs(1, 4, 6, 6) + layer(
    "Convolution", "c", "data", "convolution_param { num_output: 6 kernel_size: 3 group: 2 }"
)


def test_commands_take_the_weights_of_caffe(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    weight, bias, x = drawn(6, 2, 3, 3), drawn(6), drawn(1, 4, 6, 6)
    wanted = torch.nn.functional.conv2d(x, weight, bias, groups=2)
    Path("net.prototxt").write_text(CAFFE, encoding="utf-8")
    Path("net.caffemodel").write_bytes(model({"c": [weight, bias]}))
    for source in ("net.prototxt", "net.caffemodel"):
        result = run("import", source, "-o", "net.yaml", "--weights", "w.safetensors")
        assert (result.code, "2 tensors in w.safetensors" in result.err) == (0, True)
        exported = run("export", source, "-o", "net.onnx", "--check")
        assert exported.code == 0, exported.err
        session = onnxruntime.InferenceSession("net.onnx")
        (made,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        assert torch.allclose(torch.from_numpy(made), wanted, atol=1e-5)

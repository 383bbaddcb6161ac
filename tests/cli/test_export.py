"""`archscope export`: complete files, their description, and errors of one line."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from archscope import load
from archscope.build import build
from archscope.files import write_json
from archscope.records.training import RunSummary
from tests.cli.conftest import Run

NET = "INPUT 3x16x16 -> CONV 4 -> RELU -> POOL -> FC 5"
NORMED = """\
name: normed
input: [3, 8, 8]
layers:
  - conv: {out: 4, kernel: 3, bias: false}
  - batchnorm
  - relu
  - flatten
  - linear: 3
"""


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "normed.yaml"
    path.write_text(NORMED, encoding="utf-8")
    return str(path)


@pytest.fixture
def weights(spec: str, tmp_path: Path) -> Path:
    """Weights whose batch norm is not at its start."""
    torch.manual_seed(3)
    network = build(load(spec))
    state = network.state_dict()
    state["batchnorm.running_mean"].normal_()
    state["batchnorm.running_var"].uniform_(0.5, 2)
    path = tmp_path / "mine.safetensors"
    save_file(state, path)
    return path


def test_source_is_written_and_told(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    result = run("export", NET, "-o", str(path))
    assert (result.code, result.err) == (0, "")
    assert f"file      {path.as_posix()}, " in result.out
    assert "those of archscope.build fit by name" in result.out
    assert [path.name for path in tmp_path.iterdir()] == ["net.py"]
    space = runpy.run_path(str(path))
    assert space[space["__all__"][0]]()(torch.rand(2, 3, 16, 16)).shape == (2, 5)


@pytest.mark.parametrize("fused", [False, True])
def test_source_takes_the_weights_beside_it(
    run: Run, spec: str, weights: Path, tmp_path: Path, fused: bool
) -> None:
    path = tmp_path / "net.py"
    words = ["--weights", str(weights), "--format", "json", *(["--fused"] if fused else [])]
    data = json.loads(run("export", spec, "-o", str(path), *words).out)
    assert [Path(file["path"]).name for file in data["files"]] == ["net.py", "net.safetensors"]
    assert all(Path(file["path"]).stat().st_size == file["bytes"] for file in data["files"])
    assert (data["norms_folded"], data["fused"]) == (fused, fused)
    assert (data["weights"], data["seed"]) == (weights.as_posix(), None)
    space = runpy.run_path(str(path))
    module = space[space["__all__"][0]]().eval()
    state = load_file(tmp_path / "net.safetensors")
    module.load_state_dict(state, strict=True)
    assert any(name.startswith("batchnorm") for name in state) != fused
    network = build(load(spec)).eval()
    network.load_state_dict(load_file(weights))
    x = torch.randn(4, 3, 8, 8)
    assert torch.allclose(network(x), module(x), atol=1e-5)


def test_the_ending_says_the_format(run: Run, spec: str, tmp_path: Path) -> None:
    for name, form in (("a.pt", "torchscript"), ("a.pt2", "exported-program")):
        data = json.loads(run("export", spec, "-o", str(tmp_path / name), "--format", "json").out)
        assert (data["to"], data["weights"], data["seed"]) == (form, "random", 0)
        assert data["inputs"] == {"input": [3, 8, 8]} and data["outputs"] == ["output"]
        assert data["difference"] < 1e-5
    x = torch.rand(3, 3, 8, 8)
    one = torch.jit.load(tmp_path / "a.pt")(x)
    assert torch.allclose(one, torch.export.load(tmp_path / "a.pt2").module()(x), atol=1e-6)


def test_onnx(run: Run, spec: str, weights: Path, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    path = tmp_path / "net.onnx"
    result = run("export", spec, "-o", str(path), "--weights", str(weights))
    assert (result.code, result.err) == (0, "")
    assert "ONNX, for any batch, opset 18" in result.out
    x = torch.randn(3, 3, 8, 8)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (out,) = session.run(["output"], {"input": x.numpy()})
    network = build(load(spec)).eval()
    network.load_state_dict(load_file(weights))
    assert torch.allclose(network(x), torch.from_numpy(out), atol=1e-5)


def test_weights_of_a_run(run: Run, spec: str, weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    weights.rename(folder / "best.safetensors")
    result = run("export", spec, "-o", str(tmp_path / "net.pt"), "--weights", str(folder))
    assert (result.code, result.err) == (0, "")
    assert folder.as_posix() in result.out


def test_seed_draws_weights_for_source_too(run: Run, spec: str, tmp_path: Path) -> None:
    result = run("export", spec, "-o", str(tmp_path / "net.py"), "--seed", "5")
    assert "random, seed 5: nothing was trained" in result.out
    torch.manual_seed(5)
    wanted = build(load(spec)).state_dict()
    found = load_file(tmp_path / "net.safetensors")
    assert all(torch.equal(found[name], value) for name, value in wanted.items())


def test_an_imported_model_keeps_its_weights(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_net.py").write_text(
        "from torch import nn\n"
        "net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))\n"
        "nn.init.constant_(net[3].bias, 7.0)\n"
        "net.eval()\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    words = ["own_net:net", "--input", "3x8x8", "-o", "out.pt", "--format", "json"]
    data: dict[str, Any] = json.loads(run("export", *words).out)
    assert (data["weights"], data["seed"]) == ("own_net:net", None)
    biases = [
        parameter for parameter in torch.jit.load("out.pt").parameters() if parameter.shape == (2,)
    ]
    assert biases[0].tolist() == [7, 7]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "net.h5"], "the suffix of 'net.h5' belongs to no format (.py torch, .onnx onnx"),
        (["-o", "no/net.py"], "cannot write 'no/net.py': there is no folder 'no'"),
        (["-o", "n.py", "--seed", "1", "--weights", "w.safetensors"], "--seed is for random"),
        (["-o", "n.py", "--opset", "18"], "--opset is for ONNX, not for --to torch"),
        (
            ["-o", "n.py", "--weights", "w.h5"],
            "expected a weights file (.safetensors, .pth, .pt, .bin, .ckpt, .tar), got 'w.h5'",
        ),
        (["-o", "n.py", "--weights", "w.safetensors"], "cannot read 'w.safetensors': no such file"),
        (
            ["-o", "n.py", "--weights", "run"],
            "a file of weights or a run, got the folder 'run'",
        ),
        (["-o", "n.py", "--weights", "bad.safetensors"], "cannot read 'bad.safetensors': "),
        (
            ["-o", "n.py", "--weights", "other.safetensors"],
            "'other.safetensors' lacks 2 of the network's 4 weights",
        ),
        (["--to", "torch"], "missing --output"),
        (["--to", "tflite", "-o", "n"], "there is no 'tflite'; there are torch, onnx"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "bad.safetensors").write_bytes(b"no safetensors")
    (tmp_path / "w.h5").write_bytes(b"no weights")
    save_file(build(load("INPUT 1x8x8 -> FC 5")).state_dict(), tmp_path / "other.safetensors")
    before = sorted(tmp_path.iterdir())
    result = run("export", "INPUT 3x8x8 -> CONV 2 -> FC 5", *words)
    assert result.code == 2
    assert message in result.err
    assert "Traceback" not in result.err
    assert sorted(tmp_path.iterdir()) == before


def test_own_weights_are_not_overwritten_by_fused_ones(
    run: Run, spec: str, weights: Path, tmp_path: Path
) -> None:
    before = weights.read_bytes()
    words = ["-o", str(tmp_path / "mine.py"), "--weights", str(weights), "--fused"]
    result = run("export", spec, *words)
    assert result.code == 2 and "would overwrite" in result.err
    assert weights.read_bytes() == before and not (tmp_path / "mine.py").exists()


def test_an_old_file_stays_where_writing_fails(
    run: Run, spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net.py"
    path.write_text("mine\n", encoding="utf-8")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space")))
    result = run("export", spec, "-o", str(path))
    assert result.code == 2 and "cannot write" in result.err
    assert path.read_text(encoding="utf-8") == "mine\n"
    assert {path.name for path in tmp_path.iterdir()} == {"net.py", "normed.yaml"}


def test_what_cannot_be_built_is_told(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(
        "name: odd\ninput: [3, 8, 8]\nlayers:\n  - opaque: {kind: aten.odd, size: [3, 8, 8]}\n",
        encoding="utf-8",
    )
    result = run("export", str(path), "-o", str(tmp_path / "odd.py"))
    assert result.code == 2 and "'aten.odd' is not an operator" in result.err


def test_convert_writes_the_fused_network_as_a_spec(run: Run, spec: str, tmp_path: Path) -> None:
    path = tmp_path / "fused.yaml"
    assert run("convert", spec, "--fused", "-o", str(path)).code == 0
    assert [node.op.name for node in load(path).nodes] == [
        "input", "conv", "relu", "flatten", "linear",
    ]  # fmt: skip
    before = json.loads(run("analyze", spec, "--fused", "--format", "json").out)
    after = json.loads(run("analyze", str(path), "--format", "json").out)
    assert before["totals"] == after["totals"]


MEAN, STD = [0.2, 0.5, 0.7], [0.1, 0.25, 0.0]


@pytest.fixture
def folder(spec: str, weights: Path, tmp_path: Path) -> Path:
    """A run folder as far as an export reads it."""
    path = tmp_path / "run"
    path.mkdir()
    weights.rename(path / "best.safetensors")
    Path(spec).rename(path / "spec.yaml")
    data = {
        "name": "d", "source": {"name": "d", "folder": None}, "digest": "", "adapt": {},
        "classes": list("abc"), "statistics": {"mean": MEAN, "std": STD},
        "adaptation": {"source": [3, 8, 8], "target": [3, 8, 8], "how": "none", "channels": "same"},
    }  # fmt: skip
    summary = RunSummary(
        format=1, name="run", network="normed", state="finished", reason="epochs",
        task={"kind": "classification"}, data=data, seed=0, deterministic=False, device="cpu",
        params=0, macs=0, epochs=1, steps=1, seconds=1.0, goal="top1", best=None, last=None,
        test=None, fit="", diagnoses=(), started="", archscope="",
    )  # fmt: skip
    write_json(path / "run.json", summary)
    return path


@pytest.mark.parametrize("words", [[], ["--fused"]])
def test_weights_of_a_run_are_not_overwritten(run: Run, folder: Path, words: list[str]) -> None:
    before = (folder / "best.safetensors").read_bytes()
    for name in ("best", "last"):
        result = run("export", str(folder), "-o", str(folder / f"{name}.py"), *words)
        assert (result.code, result.out) == (2, "")
        assert f"would overwrite '{folder.as_posix()}/{name}.safetensors' of the run" in result.err
        assert not (folder / f"{name}.py").exists()
    assert (folder / "best.safetensors").read_bytes() == before


def normalised(images: torch.Tensor) -> torch.Tensor:
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, [0.1, 0.25, 1.0]))
    return (images - mean) / std


@pytest.mark.parametrize("words", [[], ["--no-normalization"], ["--fused"]])
def test_a_run_is_exported_with_its_normalization(
    run: Run, folder: Path, tmp_path: Path, words: list[str]
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    path = tmp_path / "net.onnx"
    data = json.loads(run("export", str(folder), "-o", str(path), *words, "--format", "json").out)
    inside = "--no-normalization" not in words
    assert data["weights"] == folder.as_posix()
    assert data["normalization"]["in_file"] == inside
    assert (data["normalization"]["mean"], data["normalization"]["std"]) == (MEAN, STD)
    network = build(load(folder / "spec.yaml")).eval()
    network.load_state_dict(load_file(folder / "best.safetensors"))
    images = torch.rand(4, 3, 8, 8)
    session = onnxruntime.InferenceSession(path.read_bytes())
    (out,) = session.run(None, {"input": (images if inside else normalised(images)).numpy()})
    assert torch.allclose(torch.from_numpy(out), network(normalised(images)), atol=1e-4)
    told = session.get_modelmeta().custom_metadata_map
    assert told["input_layout"] == "NCHW" and json.loads(told["input_classes"]) == list("abc")
    assert told["input_range"].startswith("pixels from 0 to 1")
    assert json.loads(told["input_in_file"]) == inside


def test_a_run_takes_images_as_they_are_read(run: Run, folder: Path, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    outputs = []
    for words, times in ((), 1.0), (("--pixels", "255"), 255.0):
        path = tmp_path / f"net{len(words)}.onnx"
        assert run("export", str(folder), "-o", str(path), *words).code == 0
        torch.manual_seed(0)
        images = times * torch.rand(4, 3, 8, 8)
        session = onnxruntime.InferenceSession(path.read_bytes())
        outputs.append(session.run(None, {"input": images.numpy()})[0])
    told = session.get_modelmeta().custom_metadata_map
    assert told["input_range"].startswith("pixels from 0 to 255")
    assert abs(outputs[0] - outputs[1]).max() < 1e-4


def test_pixels_are_those_of_a_run(run: Run, tmp_path: Path) -> None:
    result = run("export", "lenet5", "--pixels", "255", "-o", str(tmp_path / "net.onnx"))
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "--pixels applies only to exported runs" in result.err


def test_normalization_is_no_part_of_the_params(run: Run, folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    path = tmp_path / "net.onnx"
    assert run("export", str(folder), "-o", str(path), "--no-fuse").code == 0
    totals = [
        json.loads(run("analyze", str(source), "--format", "json").out)["totals"]
        for source in (path, folder / "spec.yaml")
    ]
    assert totals[0]["params"] == totals[1]["params"]
    assert totals[0]["macs"] == totals[1]["macs"]


@pytest.mark.parametrize("name, inside", [("n.pt", True), ("n.pt2", True), ("n.py", False)])
def test_other_formats_say_what_they_expect(
    run: Run, folder: Path, tmp_path: Path, name: str, inside: bool
) -> None:
    words = "--weights", str(folder), "-o", str(tmp_path / name)
    result = run("export", str(folder / "spec.yaml"), *words)
    assert (result.code, result.err) == (0, "")
    assert "expects   NCHW, pixels from 0 to 1" in result.out
    assert ("the file normalises them" in result.out) == inside


def test_weights_of_another_network_name_the_command_of_theirs(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    net = "INPUT 3x8x8 -> CONV 4 -> FC 5"
    for weights in (folder, folder / "best.safetensors"):
        result = run("export", net, "--weights", str(weights), "-o", str(tmp_path / "net.onnx"))
        assert result.code == 2
        assert f"they are of the network of that run: archscope export {folder} -o" in result.err


def test_channels_that_the_run_did_not_have_are_refused(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    text = json.loads((folder / "run.json").read_text())
    text["data"]["statistics"] = {"mean": [0.5, 0.5], "std": [1.0, 1.0]}
    (folder / "run.json").write_text(json.dumps(text))
    result = run("export", str(folder), "-o", str(tmp_path / "net.pt"))
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "the run normalises 2 channels, 'normed' takes 3; see --no-normalization" in result.err

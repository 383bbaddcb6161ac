"""Folders of runs as networks: the run's spec, with the bytes and bits of its stored weights."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import archscope
from archscope import load
from archscope.build import build
from archscope.compress.storage import sizes
from archscope.compress.stored_weights import with_stored_weights
from archscope.errors import OptionError
from archscope.fused import fused_weights
from archscope.language.write import to_yaml
from archscope.nn.rounding import best_scales, level_range, rounded
from archscope.transforms.fuse import fuse
from tests.cli.conftest import Run
from tests.nets import Net

Weights = dict[str, torch.Tensor]


def network() -> Net:
    net = Net(x=(3, 8, 8))
    first = net("conv", "x", out=6, kernel=3, bias=False, name="first")
    norm = net("batchnorm", first, name="norm")
    few = net("fake_quantize", norm, scale=0.1, zero=1.5, levels=4, name="few")
    second = net("conv", few, out=6, kernel=1, groups=2, name="second")
    again = net("conv", second, out=6, kernel=1, groups=2, name="again", shares="second")
    net("linear", net("flatten", again), out=5, name="last")
    return net


def weights_of(bits: dict[str, int]) -> Weights:
    """Return weights of the network, some of them on the levels of so many bits."""
    torch.manual_seed(0)
    state = build(network().graph()).state_dict()
    for name, count in bits.items():
        weight, (zero, levels) = state[f"{name}.weight"], level_range(count, signed=True)
        steps = best_scales(weight.flatten(1), zero, levels)
        shape = (-1, *(1 for _ in weight.shape[1:]))
        state[f"{name}.weight"] = rounded(weight, steps.view(shape), zero, levels)
    return {name: tensor.contiguous() for name, tensor in state.items()}


def run_of(path: Path, weights: Weights) -> Path:
    path.mkdir()
    (path / "spec.yaml").write_text(to_yaml(network().graph()), encoding="utf-8")
    (path / "run.json").write_text("{}", encoding="utf-8")
    shared = {name: tensor for name, tensor in weights.items() if not name.startswith("again")}
    save_file(shared, path / "best.safetensors")
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return run_of(tmp_path / "few-bits", weights_of({"second": 2, "last": 8}))


def test_bytes_and_bits_of_a_run(run: Run, path: Path) -> None:
    result = run("analyze", str(path))
    assert (result.code, result.err) == (0, "")
    assert f"float32, weights as in {path.as_posix()}/best.safetensors\n" in result.out
    assert "macs by bits" in result.out
    data = json.loads(run("analyze", str(path), "--format", "json").out)
    assert data["weights"] == f"{path.as_posix()}/best.safetensors"
    layers = {layer["name"]: layer["weight_bytes"] for layer in data["layers"]}
    assert layers == {
        "x": 0, "first": 4 * 162, "norm": 4 * 24, "few": 0, "flatten6": 0, "again": 0,
        "second": 4 * 6 + -(-18 * 2 // 8) + 4 * 6, "last": 4 * 5 + 5 * 216 + 4 * 5,
    }  # fmt: skip
    assert data["macs_by_bits"] == [
        {"weights": 2, "inputs": 2, "macs": 18 * 36},
        {"weights": 2, "inputs": 32, "macs": 18 * 36},
        {"weights": 8, "inputs": 32, "macs": 1080},
        {"weights": 32, "inputs": 32, "macs": 162 * 36},
    ]


def test_totals_are_those_of_size_also_fused(run: Run, path: Path) -> None:
    graph, state = load(path / "spec.yaml"), weights_of({"second": 2, "last": 8, "first": 4})
    save_file({n: t for n, t in state.items() if "again" not in n}, path / "best.safetensors")
    plain = sizes(graph, state).totals["levels"]
    fused = sizes(fuse(graph), fused_weights(graph, state)).totals["levels"]
    for words, expected in (((), plain), (("--fused",), fused)):
        data = json.loads(run("analyze", str(path), *words, "--format", "json").out)
        assert data["totals"]["weight_bytes"] == expected


def test_a_dtype_replaces_what_is_stored(run: Run, path: Path) -> None:
    data = json.loads(run("analyze", str(path), "--dtype", "float16", "--format", "json").out)
    assert data["weights"] == ""
    assert data["totals"]["weight_bytes"] == 2 * (162 + 24 + 24 + 1085)
    assert {row["weights"] for row in data["macs_by_bits"]} == {16}


def test_weights_of_other_types(tmp_path: Path) -> None:
    half = {name: tensor.to(torch.bfloat16) for name, tensor in weights_of({}).items()}
    path = run_of(tmp_path / "half", half)
    graph = with_stored_weights(network().graph(), path / "best.safetensors")
    assert [(n.weight_bytes, n.weight_bits) for n in graph.nodes if n.own_params] == [
        (2 * 162, 16), (2 * 24, None), (2 * 24, 16), (2 * 1085, 16),
    ]  # fmt: skip


def test_runs_side_by_side(run: Run, path: Path, tmp_path: Path) -> None:
    plain = run_of(tmp_path / "plain", weights_of({}))
    result = run("compare", str(plain), str(path))
    assert result.code == 0
    assert f"weights as in {path.as_posix()}/best.safetensors" in result.out
    found = json.loads(run("compare", str(plain), str(path), "--fused", "--format", "json").out)
    assert found["networks"][0]["totals"]["weight_bytes"] == 4 * (162 + 6 + 24 + 1085)
    assert found["networks"][1]["totals"]["weight_bytes"] == 4 * 168 + 53 + 1120


def test_a_run_without_weights_yet_is_its_spec(run: Run, path: Path) -> None:
    (path / "best.safetensors").unlink()
    data = json.loads(run("analyze", str(path), "--format", "json").out)
    assert (data["weights"], data["totals"]["weight_bytes"]) == ("", 4 * (162 + 24 + 24 + 1085))


def test_files_that_do_not_fit(run: Run, path: Path) -> None:
    result = run("analyze", str(path), "--input", "3x9x9")
    assert result.code == 2
    assert "'last' has 1,475 weights, in the file 1,085" in result.err
    (path / "best.safetensors").write_bytes(b"junk")
    with pytest.raises(OptionError, match=r"cannot read .*best.safetensors"):
        with_stored_weights(network().graph(), path / "best.safetensors")


def test_weights_of_a_file(run: Run, path: Path, tmp_path: Path) -> None:
    state = weights_of({"second": 2, "last": 8})
    torch.save(state, tmp_path / "state.pth")
    spec, own = (
        str(path / "spec.yaml"),
        json.loads(run("analyze", str(path), "--format", "json").out),
    )
    for file in (path, path / "best.safetensors", tmp_path / "state.pth"):
        result = run("analyze", spec, "--weights", str(file), "--format", "json")
        assert (result.code, result.err) == (0, "")
        data = json.loads(result.out)
        named = file / "best.safetensors" if file == path else file
        assert data["weights"] == named.as_posix()
        assert {**data, "weights": ""} == {**own, "weights": ""}
    told = run("analyze", spec, "--weights", str(path)).out
    assert f"float32, weights as in {path.as_posix()}/best.safetensors\n" in told
    assert "KiB with buffers, as stored; even levels in few bits, with their scales" in told


def test_python_counts_the_same(run: Run, path: Path) -> None:
    data = json.loads(run("analyze", str(path), "--format", "json").out)
    state = weights_of({"second": 2, "last": 8})
    for found in (
        archscope.analyze(path),
        archscope.analyze(str(path / "spec.yaml"), weights=str(path)),
        archscope.analyze(load(path / "spec.yaml"), weights=state),
    ):
        assert found.totals.weight_bytes == data["totals"]["weight_bytes"]
    assert found.weights == "weights"
    assert archscope.compare(path).networks[0].totals == archscope.analyze(path).totals
    assert archscope.analyze(path, dtype="float16").weights == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"first.weight": None}, "lacks 1 of the network's 10 weights, first 'first.weight'"),
        ({"strange": torch.zeros(2)}, "weights that the network lacks (1 in all), first 'strange'"),
        ({"last.bias": torch.zeros(1, 5)}, "'last.bias' has shape 1x5, the network expects 5"),
        (b"cut", "it is cut off or damaged"),
        (b"", "cannot read 'given.safetensors'"),
        (pickle.dumps({"a": load}), "holds more than weights"),
        ("folder", "expected a file of weights or a run, got the folder"),
        (None, "cannot read 'given.safetensors': no such file"),
    ],
)
def test_weights_that_do_not_fit(
    run: Run, path: Path, content: object, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    file = Path("given.safetensors")
    state = {name: t for name, t in weights_of({}).items() if not name.startswith("again")}
    if isinstance(content, dict):
        changed = {**state, **content}
        save_file({name: t for name, t in changed.items() if t is not None}, file)
    elif content == "folder":
        file.mkdir()
    elif content == b"cut":
        save_file(state, file)
        file.write_bytes(file.read_bytes()[:-10])
    elif isinstance(content, bytes):
        file = file if not content else Path("given.pth")
        file.write_bytes(content)
    result = run("analyze", f"{path.name}/spec.yaml", "--weights", str(file))
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1 and message in result.err


def test_weights_exclude_a_dtype(run: Run, path: Path) -> None:
    result = run("analyze", str(path), "--weights", str(path), "--dtype", "float16")
    assert (result.code, result.err.count("\n")) == (2, 1)
    with pytest.raises(OptionError, match="weights exclude dtype"):
        archscope.analyze(path, weights=path, dtype="float16")
    for wrong in (3, {"first.weight": 3}):
        with pytest.raises(OptionError, match="weights are a file"):
            archscope.analyze(path, weights=wrong)  # type: ignore[arg-type]


def test_findings_tell_the_bytes_of_a_heavy_classifier(run: Run, tmp_path: Path) -> None:
    spec = "INPUT 1x32x32 -> CONV 4 -> FC 600"
    folder = tmp_path / "heavy"
    folder.mkdir()
    (folder / "spec.yaml").write_text(to_yaml(load(spec)), encoding="utf-8")
    (folder / "run.json").write_text("{}", encoding="utf-8")
    state = {name: tensor.half() for name, tensor in build(load(spec)).state_dict().items()}
    save_file(state, folder / "best.safetensors")
    for words in ((str(folder),), (str(folder), "--fused")):
        found = json.loads(run("lint", *words, "--select", "CST101", "--format", "json").out)
        (finding,) = found["findings"]
        held = 2 * (600 * 4096 + 600)
        assert finding["evidence"]["weight_bytes"] == held
        assert finding["evidence"]["total_weight_bytes"] == held + 2 * 40
        assert "as stored" in finding["message"]
    listed = {found.code: found.evidence for found in archscope.lint(folder)}
    assert listed["CST101"] == finding["evidence"]

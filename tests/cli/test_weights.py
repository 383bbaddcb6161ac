"""`archscope weights`: runs, files, models; every format; values that are not finite."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from archscope import load
from archscope.build import build
from tests.cli.conftest import Run

NET = "INPUT 1x8x8 -> CONV 4 -> BN -> RELU -> FC 3"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    state = build(load(NET)).state_dict()
    state["conv.weight"][2] = 0.0
    path = tmp_path / "w.safetensors"
    save_file(state, path)
    return path


def test_a_row_for_each_tensor_in_the_order_of_the_network(run: Run, weights: Path) -> None:
    result = run("weights", NET, "--weights", str(weights))
    assert (result.code, result.err) == (0, "")
    layers = [line.split(".")[0].strip() for line in result.out.splitlines() if "." in line]
    assert layers[:8] == ["conv"] * 2 + ["batchnorm"] * 4 + ["linear"] * 2
    assert "rows of zeros, which read nothing of their input: 1, most in conv.weight" in result.out
    assert "num_batches_tracked" not in result.out


def test_numbers_for_programs(run: Run, weights: Path) -> None:
    words = ["weights", NET, "--weights", str(weights), "--format"]
    data = json.loads(run(*words, "json").out)
    rows = list(csv.DictReader(io.StringIO(run(*words, "csv").out)))
    kernel = next(item for item in data["weights"] if item["name"] == "conv.weight")
    assert (kernel["shape"], kernel["zeros"], kernel["zero_rows"]) == ([4, 1, 3, 3], 9, 1)
    assert [row["name"] for row in rows] == [item["name"] for item in data["weights"]]
    assert sum(map(int, rows[0]["histogram"].split())) == int(rows[0]["values"])


def test_a_file_alone(run: Run, weights: Path, tmp_path: Path) -> None:
    torch.save({"state_dict": {"a.b": torch.ones(3)}}, tmp_path / "x.pth")
    assert "conv.weight" in run("weights", str(weights)).out
    assert "a.b" in run("weights", str(tmp_path / "x.pth")).out


def test_folded_batch_norms(run: Run, weights: Path) -> None:
    words = ["weights", NET, "--weights", str(weights), "--fused", "--format", "json"]
    names = [item["name"] for item in json.loads(run(*words).out)["weights"]]
    assert names == ["conv.weight", "conv.bias", "linear.weight", "linear.bias"]


def test_values_that_are_not_finite(run: Run, tmp_path: Path) -> None:
    save_file({"w": torch.tensor([1.0, float("nan")])}, tmp_path / "w.safetensors")
    result = run("weights", str(tmp_path / "w.safetensors"))
    assert result.code == 1
    assert "not finite: w (1)" in result.out


def test_weights_of_another_network(run: Run, weights: Path) -> None:
    result = run(
        "weights", "INPUT 1x8x8 -> CONV 5 -> BN -> RELU -> FC 3", "--weights", str(weights)
    )
    assert (result.code, result.out) == (2, "")
    assert "has shape 4, the network expects 5" in result.err


def test_weights_against_others(run: Run, weights: Path, tmp_path: Path) -> None:
    state = load_file(weights)
    other = {name: tensor.clone() for name, tensor in state.items()}
    other["conv.weight"][0] *= 2
    other["linear.weight"] = torch.where(other["linear.weight"] > 0, 1.0, -1.0)
    save_file(other, tmp_path / "other.safetensors")
    words = ["weights", NET, "--weights", str(tmp_path / "other.safetensors"),
             "--against", str(weights)]  # fmt: skip
    shown = run(*words)
    assert (shown.code, shown.err) == (0, "")
    assert "many -> 2" in shown.out
    data = json.loads(run(*words, "--format", "json").out)["differences"]
    found = {item["name"]: item for item in data["tensors"]}
    assert {n for n, item in found.items() if item["changed"]} == {"conv.weight", "linear.weight"}
    old, new = (each["conv.weight"].double() for each in (state, other))
    assert found["conv.weight"]["largest"] == (new - old).abs().max()
    assert found["conv.weight"]["relative"] == pytest.approx(float((new - old).norm() / old.norm()))
    cosine = torch.nn.functional.cosine_similarity(old.flatten(), new.flatten(), dim=0)
    assert found["conv.weight"]["cosine"] == pytest.approx(float(cosine))
    rows = list(csv.DictReader(io.StringIO(run(*words, "--format", "csv").out)))
    assert [row["name"] for row in rows] == [item["name"] for item in data["tensors"]]


def test_equal_files_and_files_of_other_networks(run: Run, weights: Path, tmp_path: Path) -> None:
    assert "the same weights" in run("weights", str(weights), "--against", str(weights)).out
    other = {f"module.{name}": tensor for name, tensor in load_file(weights).items()}
    other["module.linear.bias"] = torch.ones(5)
    other["module.more"] = torch.ones(2)
    del other["module.conv.bias"]
    other["module.conv.weight"][0, 0, 0, 0] = float("nan")
    torch.save(other, tmp_path / "other.pth")
    result = run("weights", str(weights), "--against", str(tmp_path / "other.pth"))
    assert result.code == 1, "a value is not finite"
    assert "linear.bias has shape 3, there 5" in result.out
    assert "other.pth: more" in result.out and "only in w.safetensors: conv.bias" in result.out
    torch.save({"a": torch.ones(2)}, tmp_path / "strange.pth")
    strange = run("weights", str(weights), "--against", str(tmp_path / "strange.pth"))
    assert strange.code == 2 and "have no tensor of the same name" in strange.err


def test_complex_numbers(run: Run, tmp_path: Path) -> None:
    numbers = torch.tensor([[3 + 4j, 1j], [2, 0]])
    for name, factor in (("one", 1), ("turned", 1j)):
        torch.save({"filter": factor * numbers, "bias": torch.ones(2)}, tmp_path / f"{name}.pth")
    one, turned = (str(tmp_path / f"{name}.pth") for name in ("one", "turned"))
    found = json.loads(run("weights", turned, "--against", one, "--format", "json").out)
    first, second = found["differences"]["tensors"]
    assert (first["changed"], first["values"], first["cosine"]) == (3, 4, 0)
    assert first["largest"] == pytest.approx(5 * 2**0.5)
    assert second["changed"] == 0
    alone = run("weights", one)
    assert "filter" not in alone.out
    assert "left out, as they have complex numbers: filter" in alone.err

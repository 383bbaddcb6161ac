"""`archscope size`: all forms as tables and JSON, and files of both kinds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from archscope import load
from archscope.build import build
from archscope.compress.storage import FORMS, UNWEIGHTED
from tests.cli.conftest import Run

NET = "INPUT 1x8x8 -> CONV 4 -> RELU -> FC 3"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    state = {name: (w * 8).round() / 8 for name, w in build(load(NET)).state_dict().items()}
    path = tmp_path / "w.safetensors"
    save_file(state, path)
    return path


def test_tables_and_json(run: Run, weights: Path) -> None:
    result = run("size", NET)
    assert (result.code, result.err) == (0, "")
    assert "no weights were given" in result.out
    data = json.loads(run("size", NET, "--format", "json").out)
    assert list(data["totals"]) == list(UNWEIGHTED)
    result = run("size", NET, "--weights", str(weights))
    assert "codebooks hold every weight exactly" in result.out
    data = json.loads(
        run("size", NET, "--weights", str(weights), "--bits", "6", "--format", "json").out
    )
    assert list(data["totals"]) == list(FORMS)
    assert data["bits"] == {"codes": [6, 6], "distances": [8, 5]}


def test_a_compressed_file_and_back(run: Run, weights: Path, tmp_path: Path) -> None:
    packed, back = tmp_path / "x.net", tmp_path / "back.safetensors"
    assert run("size", NET, "--weights", str(weights), "--weights-output", str(packed)).code == 0
    words = ["--weights", str(packed), "--weights-output", str(back), "--format", "json"]
    data = json.loads(run("size", NET, *words).out)
    assert data["bits"] == {"codes": [8, 4], "distances": [4, 4]}
    assert data["totals"]["deep_compression"] == packed.stat().st_size
    before, after = load_file(weights), load_file(back)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_refusals(run: Run, weights: Path, tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_bytes(b"junk")
    for words, message in (
        (["--weights-output", str(tmp_path / "x.net")], "--weights-output needs weights"),
        (["--weights", str(tmp_path / "none.net")], "cannot read"),
        (["--weights", str(tmp_path / "x.h5")], "expected a weights file (.safetensors, "),
        (["--weights", str(weights), "--weights-output", "x.pt"], "weights are written as"),
        (["--bits", "9"], "--bits: expected a whole number from 1 to 8"),
    ):
        result = run("size", NET, *words)
        assert (result.code, result.out) == (2, "")
        assert message in result.err


def test_folded_batch_norms(run: Run, tmp_path: Path) -> None:
    net, path = "INPUT 1x8x8 -> CONV 4 -> BN -> RELU -> FC 3", tmp_path / "w.safetensors"
    save_file(build(load(net)).state_dict(), path)
    words = ["size", net, "--format", "json"]
    plain = json.loads(run(*words).out)
    for given in ([], ["--weights", str(path)]):
        folded = json.loads(run(*words, "--fused", *given).out)
        assert len(folded["layers"]) == len(plain["layers"]) - 1
        assert folded["totals"]["int8"] == plain["totals"]["int8"]
        assert folded["totals"]["float32"] == plain["totals"]["float32"] - 4 * 4 * 4

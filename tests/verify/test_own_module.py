"""`reconcile` of a user's module: the numbers are what tools print of that module itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from archscope.cli import main
from archscope.importers.torch import module_and_inputs
from archscope.verify import peers

NETS = """
import torch
from torch import nn
from torch.nn import functional

class Functions(nn.Module):  # tools that hook modules see none of it
    def __init__(self):
        super().__init__()
        self.kernel = nn.Parameter(torch.rand(4, 3, 3, 3))
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x):
        y = self.norm(functional.conv2d(x, self.kernel))
        y += y.relu()
        return y.mean((2, 3))

class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.tower = nn.Conv2d(3, 4, 3)

    def forward(self, left, right):
        return self.tower(left) @ self.tower(right).transpose(2, 3)

class Named(nn.Module):
    def forward(self, *, image):
        return image * 2
"""


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder with a module of networks, which is the current one."""
    import sys

    monkeypatch.chdir(tmp_path)
    (tmp_path / "ownnets.py").write_text(NETS)
    yield
    sys.modules.pop("ownnets", None)


def reconciled(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    assert main(["reconcile", *args, "--format", "json"]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return {tool["name"]: tool for tool in result["tools"]}


def test_numbers_are_those_of_the_module(nets: None, capsys: pytest.CaptureFixture[str]) -> None:
    tools = reconciled(capsys, "ownnets:Functions", "--input", "3x8x8")
    macs = 4 * 6 * 6 * 27
    assert tools["torch"]["counted"] == 2 * macs
    module, inputs = module_and_inputs("ownnets:Functions", (3, 8, 8))
    for name, tool in tools.items():
        if peers.installed(name) is not None and name in peers.PEERS:
            direct = peers.measure_module(name, lambda device: (module, inputs))
            assert (tool["counted"], tool["run"]["own"]) == (direct, True), name
            assert macs + sum(reason["amount"] for reason in tool["reasons"]) == direct, name


def test_several_inputs_and_unknown_layers(nets: None, capsys: pytest.CaptureFixture[str]) -> None:
    tools = reconciled(
        capsys, "ownnets:Pair", "--input", "left=3x8x8", "--input", "right=3x8x8",
        "--against", "torch",
    )  # fmt: skip
    assert tools["torch"]["counted"] == 2 * (2 * 4 * 6 * 6 * 27 + 4 * 6 * 6 * 6)
    assert tools["torch"]["unknown"] == []


def test_rows_of_tables_say_so(
    nets: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "installed", lambda name: None)
    tools = reconciled(capsys, "ownnets:Functions", "--input", "3x8x8", "--against", "torch")
    note = tools["torch"]["run"]["note"]
    assert note.startswith(
        "of its table, for the module that build makes, as torch is not installed"
    )


def test_inputs_by_name_alone_are_refused(nets: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reconcile", "ownnets:Named", "--input", "image=3x8x8"]) == 2
    assert "accepts image only by keyword" in capsys.readouterr().err


def test_the_module_is_left_as_it_is() -> None:
    module = torch.nn.Conv2d(3, 4, 3)
    before = set(vars(module))
    peers.measure_module("torch", lambda device: (module, (torch.rand(1, 3, 8, 8),)))
    assert set(vars(module)) == before and not module._forward_hooks

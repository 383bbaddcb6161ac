"""One step of recurrent layers of darknet, against the formulas of its source."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

import archscope
from archscope.build import build
from archscope.errors import ArchscopeError
from archscope.sources import imported
from tests.importers.darknet.configs import load, net

Matrix = Callable[[str, Tensor], Tensor]


def step(where: Path, text: str) -> tuple[list[Tensor], list[Tensor], Matrix]:
    """Return inputs and outputs of one step, and a function that applies a layer within."""
    graph = load(where, text)
    network = build(graph).eval()
    ins = [torch.randn(2, *node.out) for node in graph.inputs]
    outs = network(*ins)
    state = network.state_dict()

    def apply(name: str, x: Tensor) -> Tensor:
        word = "conv" if x.ndim == 4 else "linear"
        weight, bias = (state[f"layer0.{name}.{word}.{kind}"] for kind in ("weight", "bias"))
        if x.ndim == 4:
            return functional.conv2d(x, weight, bias, padding=1)
        return functional.linear(x, weight, bias)

    return ins, [outs] if isinstance(outs, Tensor) else list(outs.values()), apply


def same(outs: list[Tensor], *wanted: Tensor) -> None:
    assert len(outs) == len(wanted)
    for made, value in zip(outs, wanted, strict=True):
        assert torch.allclose(made, value, atol=1e-5)


@pytest.mark.parametrize("more", ["", "shortcut=1\n", "logistic=1\n", "hidden=5\n"])
def test_rnn(more: str, tmp_path: Path) -> None:
    text = f"[net]\ninputs=6\n[rnn]\noutput=4\nactivation=leaky\n{more}"
    (x, before), outs, layer = step(tmp_path, text)
    read, kept = functional.leaky_relu(layer("input", x), 0.1), layer("self", before)
    kept = kept.sigmoid() if "logistic" in more else functional.leaky_relu(kept, 0.1)
    state = read + kept + (before if "shortcut" in more else 0)
    same(outs, state, functional.leaky_relu(layer("output", state), 0.1))


def test_crnn(tmp_path: Path) -> None:
    text = net(5) + "[crnn]\nhidden=6\noutput=4\npad=1\nactivation=leaky\n"
    (x, before), outs, layer = step(tmp_path, text)
    state = sum(functional.leaky_relu(layer(*part), 0.1) for part in
                [("input", x), ("self", before)])  # fmt: skip
    same(outs, state, functional.leaky_relu(layer("output", state), 0.1))
    totals = archscope.analyze(load(tmp_path, text)).totals
    assert totals.macs == 9 * 25 * (3 * 6 + 6 * 6 + 6 * 4)


@pytest.mark.parametrize("tanh", [0, 1])
def test_gru(tanh: int, tmp_path: Path) -> None:
    (x, h), outs, layer = step(tmp_path, f"[net]\ninputs=6\n[gru]\noutput=4\ntanh={tanh}\n")
    z, r = ((layer(f"input_{k}", x) + layer(f"state_{k}", h)).sigmoid() for k in "zr")
    fresh = layer("input_h", x) + layer("state_h", r * h)
    fresh = fresh.tanh() if tanh else fresh.sigmoid()
    same(outs, z * h + (1 - z) * fresh)


@pytest.mark.parametrize(
    "text",
    ["[net]\ninputs=6\n[lstm]\noutput=4\n", net(5) + "[conv_lstm]\noutput=4\npad=1\npeephole=1\n",
     net(5) + "[conv_lstm]\noutput=4\npad=1\n"],
)  # fmt: skip
def test_lstm(text: str, tmp_path: Path) -> None:
    (x, h, c), outs, layer = step(tmp_path, text)
    f, i, g, o = (layer(f"w{k}", h) + layer(f"u{k}", x) for k in "figo")
    peeps = "peephole" in text
    f, i = f + (layer("vf", c) if peeps else 0), i + (layer("vi", c) if peeps else 0)
    cell = f.sigmoid() * c + i.sigmoid() * g.tanh()
    o = (o + layer("vo", cell) if peeps else o).sigmoid()
    same(outs, cell, o * cell.tanh())


def test_history(tmp_path: Path) -> None:
    (x, before), outs, _ = step(tmp_path, net(4) + "[history]\nhistory_size=3\n[maxpool]\nsize=1\n")
    maps = torch.cat([x, before], 1)
    same(outs, maps[:, :6], maps)


def test_states_are_named_and_counts_are_those_of_the_matrices(tmp_path: Path) -> None:
    text = "[net]\ninputs=256\n[gru]\noutput=1024\n[rnn]\noutput=16\nbatch_normalize=1\n"
    graph = load(tmp_path, text)
    assert [node.name for node in graph.inputs] == ["input", "layer0_state", "layer1_state"]
    assert graph.about == "one step in time: states are inputs and outputs"
    totals = archscope.analyze(graph).totals
    gru = 3 * (256 * 1024 + 1024 * 1024)
    rnn = 1024 * 16 + 2 * 16 * 16
    assert (totals.macs, totals.params) == (gru + rnn, gru + 6 * 1024 + rnn + 6 * 16)


def test_weights_of_steps(tmp_path: Path) -> None:
    def write(text: str, numbers: int) -> None:
        (tmp_path / "net.cfg").write_text(text)
        values = np.arange(numbers, dtype="<f4")
        (tmp_path / "net.weights").write_bytes(struct.pack("<3iq", 0, 2, 0, 0) + values.tobytes())

    write("[net]\ninputs=2\n[rnn]\noutput=1\n", 3 + 2 + 2)
    arrays = imported(str(tmp_path / "net.cfg")).weights()
    assert {name: array.ravel().tolist() for name, array in arrays.items()} == {
        "layer0.input.linear.bias": [0], "layer0.input.linear.weight": [1, 2],
        "layer0.self.linear.bias": [3], "layer0.self.linear.weight": [4],
        "layer0.output.linear.bias": [5], "layer0.output.linear.weight": [6],
    }  # fmt: skip
    write(net(1, 1) + "[conv_lstm]\npeephole=1\nsize=1\n", 11 * 2)
    arrays = imported(str(tmp_path / "net.cfg")).weights()
    order = [f"layer0.{name}.conv.bias" for name in
             ["vf", "vi", "vo", "wf", "wi", "wg", "wo", "uf", "ui", "ug", "uo"]]  # fmt: skip
    assert [arrays[name].item() for name in order] == [*range(0, 22, 2)]
    write("[net]\ninputs=2\n[gru]\n", 9)
    with pytest.raises(ArchscopeError, match=r"weights of \[gru\] have another order"):
        imported(str(tmp_path / "net.cfg")).weights()

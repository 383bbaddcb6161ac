"""Darknet configurations: counts printed by the authors, darknet's own rules, and weights."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

import archscope
from archscope.build import build
from archscope.errors import ArchscopeError
from archscope.ir import Graph
from archscope.sources import imported
from archscope.weights import state_dict_of


def conv(filters: int, size: int, stride: int = 1, act: str = "leaky", normed: int = 1) -> str:
    return (
        f"[convolutional]\nbatch_normalize={normed}\nfilters={filters}\nsize={size}\n"
        f"stride={stride}\npad=1\nactivation={act}\n"
    )


def net(size: int, channels: int = 3) -> str:
    return f"[net]\nheight={size}\nwidth={size}\nchannels={channels}\n"


def load(where: Path, text: str) -> Graph:
    (where / "net.cfg").write_text(text)
    return imported(str(where / "net.cfg")).graph


def test_darknet19(tmp_path: Path) -> None:
    pool = "[maxpool]\nsize=2\nstride=2\n"
    text = net(256) + conv(32, 3) + pool + conv(64, 3) + pool
    for wide in (128, 256):
        text += conv(wide, 3) + conv(wide // 2, 1) + conv(wide, 3) + pool
    text += conv(512, 3) + (conv(256, 1) + conv(512, 3)) * 2 + pool
    text += conv(1024, 3) + (conv(512, 1) + conv(1024, 3)) * 2
    text += conv(1000, 1, act="linear", normed=0) + "[avgpool]\n[softmax]\ngroups=1\n"
    totals = archscope.analyze(load(tmp_path, text)).totals
    assert (totals.params, totals.macs) == (20_842_376, 3_645_374_464)  # 7.29 Bn operations


def test_darknet53(tmp_path: Path) -> None:
    text = net(256) + conv(32, 3)
    for wide, number in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        block = conv(wide // 2, 1) + conv(wide, 3) + "[shortcut]\nfrom=-3\nactivation=linear\n"
        text += conv(wide, 3, stride=2) + block * number
    text += "[avgpool]\n" + conv(1000, 1, act="linear", normed=0) + "[softmax]\n"
    totals = archscope.analyze(load(tmp_path, text)).totals
    assert totals.params == 41_609_928
    assert round(2 * totals.macs / 1e9, 2) == 18.57  # as darknet prints it


@pytest.mark.parametrize("side", [7, 12, 13, 14])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_maxpool_is_that_of_darknet(side: int, size: int, stride: int, tmp_path: Path) -> None:
    graph = load(tmp_path, net(side, 1) + f"[maxpool]\nsize={size}\nstride={stride}\n")
    padding = size - 1
    out = (side + padding - size) // stride + 1
    x = torch.randn(1, 1, side, side)
    wanted = torch.full((1, 1, out, out), -torch.inf)
    for row in range(out):
        for column in range(out):
            for place in range(size * size):
                y = row * stride - padding // 2 + place // size
                z = column * stride - padding // 2 + place % size
                if 0 <= y < side and 0 <= z < side:
                    wanted[0, 0, row, column] = max(wanted[0, 0, row, column], x[0, 0, y, z])
    assert torch.equal(build(graph).eval()(x), wanted)


@pytest.mark.parametrize("reverse", [0, 1])
def test_reorg_is_that_of_darknet(reverse: int, tmp_path: Path) -> None:
    c, h, w, s = 8, 4, 6, 2
    text = f"[net]\nheight={h}\nwidth={w}\nchannels={c}\n[reorg]\nstride={s}\nreverse={reverse}\n"
    graph = load(tmp_path, text)
    x = np.arange(c * h * w, dtype="f4")
    wanted = np.zeros_like(x)
    thin = c // s**2
    for k in range(c):  # reorg_cpu of darknet's blas.c
        for j in range(h):
            for i in range(w):
                inner = i + w * (j + h * k)
                c2, offset = k % thin, k // thin
                outer = i * s + offset % s + w * s * (j * s + offset // s + h * s * c2)
                if reverse:
                    wanted[outer] = x[inner]
                else:
                    wanted[inner] = x[outer]
    made = build(graph).eval()(torch.from_numpy(x).reshape(1, c, h, w))
    assert made.flatten().tolist() == wanted.tolist()


@pytest.mark.parametrize(("now", "other"), [(8, 4), (4, 8), (4, 4)])
@pytest.mark.parametrize("step", [1, 2])
def test_shortcut_adds_what_both_have(now: int, other: int, step: int, tmp_path: Path) -> None:
    text = net(8, 3) + conv(other, 3, act="linear", normed=0)
    text += conv(now, 3, step, act="linear", normed=0) + "[shortcut]\nfrom=-2\n"
    network = build(load(tmp_path, text)).eval()
    x = torch.randn(1, 3, 8, 8)
    weights = [*network.parameters()]
    a = functional.conv2d(x, weights[0], weights[1], padding=1)
    wanted = functional.conv2d(a, weights[2], weights[3], padding=1, stride=step)
    both = min(now, other)
    wanted[:, :both] += a[:, :both, ::step, ::step]
    assert torch.allclose(network(x), wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("leaky", lambda x: torch.where(x > 0, x, 0.1 * x)),
        ("logistic", torch.sigmoid),
        ("mish", functional.mish),
        ("swish", functional.silu),
        ("ramp", lambda x: x * (x > 0) + 0.1 * x),
        ("loggy", lambda x: 2 / (1 + torch.exp(-x)) - 1),
        ("relie", lambda x: torch.where(x > 0, x, 0.01 * x)),
        ("tanh", torch.tanh),
        ("linear", lambda x: x),
    ],
)
def test_activations(name: str, function: object, tmp_path: Path) -> None:
    text = net(4) + f"[activation]\nactivation={name}\n" + "[maxpool]\nsize=1\n"
    x = torch.randn(2, 3, 4, 4)
    assert torch.allclose(build(load(tmp_path, text)).eval()(x), function(x), atol=1e-6)  # type: ignore[operator]


@pytest.mark.parametrize("version", [(0, 1), (0, 2)])
def test_weights_give_what_darknet_computes(version: tuple[int, int], tmp_path: Path) -> None:
    text = net(6) + conv(4, 3) + "[connected]\nbatch_normalize=1\noutput=5\nactivation=linear\n"
    text += "[local]\nfilters=2\nsize=1\nactivation=linear\n"
    (tmp_path / "net.cfg").write_text(text)
    draw = np.random.default_rng(0)
    b1, s1, m1, v1, b2, s2, m2, v2 = (
        draw.uniform(0.5, 1.5, size).astype("f4") for size in (4,) * 4 + (5,) * 4
    )
    w1 = draw.normal(size=(4, 3, 3, 3)).astype("f4")
    w2 = draw.normal(size=(5, 144)).astype("f4")
    b3, w3 = draw.normal(size=2).astype("f4"), draw.normal(size=(1, 2, 5)).astype("f4")
    seen = struct.pack("<q" if version == (0, 2) else "<i", 7)
    parts = [b1, s1, m1, v1, w1, b2, w2, s2, m2, v2, b3, w3]
    numbers = b"".join(part.tobytes() for part in parts)
    (tmp_path / "net.weights").write_bytes(struct.pack("<3i", *version, 0) + seen + numbers)

    found = imported(str(tmp_path / "net.cfg"))
    network = build(found.graph).eval()
    network.load_state_dict(state_dict_of(found.graph, found.weights()))
    x = torch.randn(2, 3, 6, 6)

    def normed(y: torch.Tensor, m: object, v: object, s: object, b: object) -> torch.Tensor:
        shape = (1, -1, *[1] * (y.ndim - 2))
        mean, var, scale, bias = (torch.as_tensor(t).reshape(shape) for t in (m, v, s, b))
        return (y - mean) / (var.sqrt() + 1e-6) * scale + bias

    y = functional.conv2d(x, torch.from_numpy(w1), padding=1)
    y = functional.leaky_relu(normed(y, m1, v1, s1, b1), 0.1).flatten(1)
    y = normed(y @ torch.from_numpy(w2).T, m2, v2, s2, b2)
    y = y @ torch.from_numpy(w3[0]).T + torch.from_numpy(b3)
    assert torch.allclose(network(x).flatten(1), y, atol=1e-3)

    (tmp_path / "net.weights").write_bytes(struct.pack("<3i", *version, 0) + seen + numbers[:-4])
    with pytest.raises(ArchscopeError, match="cut short, or of another network"):
        imported(str(tmp_path / "net.cfg")).weights()
    (tmp_path / "net.weights").unlink()
    with pytest.raises(ArchscopeError, match=r"net\.weights"):
        imported(str(tmp_path / "net.cfg")).weights()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[convolutional]\nfilters=2\n", r"net.cfg:1:1: expected \[net\] first"),
        ("filters=2\n", r"net.cfg:1:1: expected \[net\]"),
        (net(8) + "[convolutinal]\n", "did you mean 'convolutional'"),
        (net(8) + "[route]\nlayers=-1\n", "names layer -1, which is not one of the 0 before it"),
        (net(8) + conv(2, 1) + "[shortcut]\nfrom=1\n", "names layer 1, which is not one of the 1"),
        (net(8) + "[convolutional]\nfilters=two\n", "net.cfg:6:1: 'filters' of .convolutional."),
        (net(8) + conv(2, 1, act="leeky"), "unknown activation of darknet 'leeky', did you mean"),
        (net(8) + "[convolutional]\nantialiasing=1\n", "'antialiasing' .* is not supported"),
        ("[net]\nbatch=1\n[avgpool]\n", "does not state the size of its input 'input'"),
        (net(8), "the network has no layers"),
        (net(8) + "[route]\n", r"\[route\] needs 'layers'"),
    ],
)
def test_errors(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ArchscopeError, match=said):
        load(tmp_path, text)


def test_heads_are_listed_and_not_counted(tmp_path: Path) -> None:
    graph = load(tmp_path, net(32) + conv(18, 1, act="linear", normed=0) + "[yolo]\nmask=0\n")
    assert graph.about == "[yolo] is not counted: line 12"
    assert archscope.analyze(graph).totals.macs == 18 * 3 * 32 * 32


def test_recurrent_layers_are_counted_and_not_built(tmp_path: Path) -> None:
    graph = load(tmp_path, "[net]\ninputs=256\n[gru]\noutput=1024\n[rnn]\noutput=16\n")
    gru, rnn = graph.nodes[1:]
    assert gru.facts.params == 3 * (256 * 1024 + 1024 * 1024) + 6 * 1024
    assert rnn.facts.macs == 1024 * 16 + 2 * 16 * 16
    assert archscope.analyze(graph).opaque

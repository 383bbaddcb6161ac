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
from archscope.sources import imported
from archscope.weights import state_dict_of
from tests.importers.darknet.configs import conv, load, net


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
        (net(8) + "[conv_lstm]\nbottleneck=1\n", "'bottleneck' of .conv_lstm. is not supported"),
        (net(8) + "[convolutional]\nshare_index=0\n", "names layer 0, which is not one of the 0"),
        (
            net(8) + "[maxpool]\n[convolutional]\nshare_index=0\n",
            "layer 0, which is no convolution",
        ),
        (
            net(8) + conv(2, 1) + "[convolutional]\nshare_index=-1\nfilters=2\n",
            "shares the weights of 'layer0.conv', which have other shapes",
        ),
        (net(8) + "[maxpool]\nmaxpool_depth=1\nout_channels=2\n", "must divide 3 channels, got 2"),
        (net(8) + "[softmax]\ngroups=5\n", "'groups' of .softmax. must divide 192 values, got 5"),
        (net(8) + "[reorg]\nstride=2\n", "needs channels that 4 divides, got 3"),
        (net(8) + "[reorg3d]\nstride=3\n", "divisible by its block 3"),
        (
            net(8) + conv(3, 1) + "[shortcut]\nfrom=-1\nweights_type=per_chanel\n",
            "must be one of per_feature, per_layer, per_channel.*mean 'per_channel'",
        ),
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


def test_misspelt_options_are_noted(tmp_path: Path) -> None:
    text = net(8) + "[convolutional]\nfilers=64\nstream=1\ndilation=2\nsize=1\nbatch_normalise=1\n"
    graph = load(tmp_path, text)
    assert graph.about == (
        "line 6: 'filers' is no option of [convolutional], did you mean 'filters'?;"
        " line 10: 'batch_normalise' is no option of [convolutional], did you mean"
        " 'batch_normalize'?"
    )

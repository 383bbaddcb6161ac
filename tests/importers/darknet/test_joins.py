"""Sums, products and learned values of darknet."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional

import archscope
from archscope.build import build
from tests.importers.darknet.configs import conv, load, net


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


@pytest.mark.parametrize("kind", ["per_feature", "per_layer", "per_channel"])
@pytest.mark.parametrize("norm", ["", "relu", "softmax"])
def test_shortcut_weighs_its_layers(kind: str, norm: str, tmp_path: Path) -> None:
    text = net(5, 4) + "[maxpool]\nsize=3\nstride=1\n" + "[activation]\nactivation=leaky\n" * 2
    text += f"[shortcut]\nfrom=-2,-3\nweights_type={kind}\n"
    graph = load(tmp_path, text + (f"weights_normalization={norm}\n" if norm else ""))
    channels = 4 if kind == "per_channel" else 1
    assert archscope.analyze(graph).totals.params == 3 * channels
    network = build(graph).eval()
    (factors,) = network.parameters()
    with torch.no_grad():
        factors.copy_(torch.randn(factors.shape))
    x = torch.randn(2, 4, 5, 5)
    first = functional.max_pool2d(x, 3, 1, 1)
    second = functional.leaky_relu(first, 0.1)
    values = torch.stack([functional.leaky_relu(second, 0.1), second, first])
    w = factors.detach().reshape(3, 1, channels, 1, 1)
    if norm:  # shortcut_multilayer_cpu of darknet
        w = w.relu() if norm == "relu" else (w - w.amax(0)).exp()
        w = w / (1e-4 + w.sum(0))
    assert torch.allclose(network(x), (values * w).sum(0), atol=1e-6)


def test_implicit_values_shift_and_control(tmp_path: Path) -> None:
    text = net(4) + conv(6, 1) + "[implicit_add]\nfilters=6\n[implicit_mul]\nfilters=6\n"
    text += "[route]\nlayers=-3\n[shift_channels]\nfrom=1\n[control_channels]\nfrom=2\n"
    graph = load(tmp_path, text)
    assert archscope.analyze(graph).totals.params == 6 * 3 + 12 + 6 + 6
    network = build(graph).eval()
    add, mul = (network.get_parameter(f"layer{at}.parameter.weight") for at in (1, 2))
    outs = network(torch.randn(2, 3, 4, 4))
    assert outs.shape == (2, 6, 4, 4)
    assert add.shape == mul.shape == (6, 1, 1)

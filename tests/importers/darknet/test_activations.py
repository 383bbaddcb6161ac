"""Activation functions of darknet, against the formulas of its source."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional

import archscope
from archscope.build import build
from tests.importers.darknet.configs import load, net


def _softmax(x: torch.Tensor) -> torch.Tensor:
    return x.exp() / (1e-4 + x.exp().sum(1, keepdim=True))


def _stair(x: torch.Tensor) -> torch.Tensor:
    whole = x.floor()
    return torch.where(whole % 2 == 0, (x / 2).floor(), x - whole + (x / 2).floor())


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
        ("revleaky", lambda x: torch.where(x > 0, x, 0.1 * x)),
        ("relu6", functional.relu6),
        ("selu", functional.selu),
        ("gelu", lambda x: functional.gelu(x, approximate="tanh")),
        ("hardtan", functional.hardtanh),
        ("lhtan", lambda x: torch.where(
            x < 0, 0.001 * x, torch.where(x > 1, 0.001 * (x - 1) + 1, x))),
        ("plse", lambda x: torch.where(
            x < -4, 0.01 * (x + 4), torch.where(x > 4, 0.01 * (x - 4) + 1, 0.125 * x + 0.5))),
        ("stair", _stair),
        ("hard_mish", lambda x: torch.where(
            x > 0, x, torch.where(x > -2, x * x / 2 + x, 0 * x))),
        ("normalize_channels", lambda x: x.relu() / (1e-4 + x.relu().sum(1, keepdim=True))),
        ("normalize_channels_softmax", _softmax),
        ("normalize_channels_softmax_maxval", lambda x: _softmax(x - x.amax(1, keepdim=True))),
    ],
)  # fmt: skip
def test_activations(name: str, function: object, tmp_path: Path) -> None:
    text = net(4) + f"[activation]\nactivation={name}\n" + "[maxpool]\nsize=1\n"
    x = 4 * torch.randn(2, 3, 4, 4)
    graph = load(tmp_path, text)
    assert not archscope.analyze(graph).opaque
    assert torch.allclose(build(graph).eval()(x), function(x), atol=1e-5)  # type: ignore[operator]

"""Element-wise layers of Caffe, against the formulas of its source."""

from __future__ import annotations

from collections.abc import Callable
from math import log
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from archscope.errors import ArchscopeError
from tests.importers.caffe.definitions import drawn, inputs, layer, load, result


@pytest.mark.parametrize(
    ("kind", "more", "formula"),
    [
        ("AbsVal", "", torch.abs),
        ("ELU", "elu_param { alpha: 0.5 }", lambda x: functional.elu(x, 0.5)),
        ("SeLu", "", functional.selu),
        ("SeLuDropout", "", lambda x: x),
        ("Swish", "swish_param { beta: 2 }", lambda x: x * torch.sigmoid(2 * x)),
        ("Mish", "", functional.mish),
        ("Clip", "clip_param { min: -0.5 max: 1 }", lambda x: x.clamp(-0.5, 1)),
        ("Threshold", "threshold_param { threshold: 0.3 }", lambda x: (x > 0.3).float()),
        ("Power", "power_param { scale: 2 shift: 9 power: 3 }", lambda x: (9 + 2 * x) ** 3),
        ("Power", "power_param { scale: 2 shift: 1 }", lambda x: 1 + 2 * x),
        ("Exp", "", torch.exp),
        ("Exp", "exp_param { base: 2 scale: 3 shift: 1 }", lambda x: 2 ** (1 + 3 * x)),
        ("Log", "log_param { base: 10 scale: 0.1 shift: 5 }",
         lambda x: torch.log(5 + 0.1 * x) / log(10)),
        ("ReLU", "relu_param { negative_slope: 0.2 }", lambda x: functional.leaky_relu(x, 0.2)),
    ],
)  # fmt: skip
def test_functions(
    kind: str, more: str, formula: Callable[[Tensor], Tensor], tmp_path: Path
) -> None:
    x = drawn(2, 3, 4, 4)
    text = inputs(1, 3, 4, 4) + layer(kind, "f", "data", more) + layer("TanH", "t", "f")
    assert torch.allclose(result(tmp_path, text, x), formula(x).tanh(), atol=1e-6)


def test_maximum_of_several(tmp_path: Path) -> None:
    x = drawn(2, 3, 4, 4)
    text = inputs(1, 3, 4, 4) + layer("TanH", "a") + layer("ReLU", "b") + layer(
        "Eltwise", "m", "data a b", "eltwise_param { operation: MAX }")  # fmt: skip
    assert torch.equal(result(tmp_path, text, x), torch.maximum(x.tanh(), x).maximum(x.relu()))


def test_a_base_is_positive(tmp_path: Path) -> None:
    text = inputs(1, 3, 4, 4) + layer("Log", "a", more="log_param { base: 1 }")
    with pytest.raises(ArchscopeError, match="'base' of 'a' must be -1 or positive and not 1"):
        load(tmp_path, text)

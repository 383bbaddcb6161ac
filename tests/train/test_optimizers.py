"""Updates against the formulas of the papers and courses."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from archscope.train import Recipe
from archscope.train.optimizers import optimizer, parameter_groups

GRADIENTS = (0.4, -0.2, 0.3)
RATE, MU, DECAY = 0.1, 0.9, 0.01


def ours(name: str, momentum: float = MU, decay: float = 0.0) -> float:
    """Return a weight that began at 1, after three gradients."""
    module = nn.Linear(1, 1, bias=False)
    nn.init.ones_(module.weight)
    recipe = Recipe(optimizer=name, learning_rate=RATE, momentum=momentum, weight_decay=decay)
    chosen = optimizer(recipe, module)
    for gradient in GRADIENTS:
        module.weight.grad = torch.full_like(module.weight, gradient)
        chosen.step()
    return module.weight.item()


def by_hand(name: str, decay: float = 0.0) -> float:
    w, v, m, s = 1.0, 0.0, 0.0, 0.0
    for t, gradient in enumerate(GRADIENTS, 1):
        g = gradient if name == "adamw" else gradient + decay * w
        if name == "sgd":
            w -= RATE * g
        elif name in ("momentum", "nesterov"):
            v = MU * v + g
            w -= RATE * (g + MU * v if name == "nesterov" else v)
        elif name == "adagrad":
            s += g * g
            w -= RATE * g / (s**0.5 + 1e-10)
        elif name == "rmsprop":
            s = 0.99 * s + 0.01 * g * g
            v = MU * v + g / (s**0.5 + 1e-8)
            w -= RATE * v
        else:
            if name == "adamw":
                w -= RATE * decay * w
            m, s = MU * m + (1 - MU) * g, 0.999 * s + 0.001 * g * g
            w -= RATE * (m / (1 - MU**t)) / ((s / (1 - 0.999**t)) ** 0.5 + 1e-8)
    return w


@pytest.mark.parametrize("decay", [0.0, DECAY])
@pytest.mark.parametrize(
    "name", ["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"]
)
def test_updates(name: str, decay: float) -> None:
    assert ours(name, decay=decay) == pytest.approx(by_hand(name, decay), rel=1e-5)


def test_biases_and_norms_do_not_decay() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 2))
    weights, others = parameter_groups(module, 0.1)
    assert [tuple(weight.shape) for weight in weights["params"]] == [(2, 1, 3, 3), (2, 2)]
    assert [tuple(other.shape) for other in others["params"]] == [(2,), (2,), (2,), (2,)]
    assert (weights["weight_decay"], others["weight_decay"]) == (0.1, 0.0)


def test_the_average_of_weights_follows_its_formula() -> None:
    from archscope.train.optimizers import average

    module = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(module.weight)
    averaged = average(module, decay=0.5)
    expected, values = None, [1.0, 3.0, 2.0, 7.0]
    for step, value in enumerate(values):
        nn.init.constant_(module.weight, value)
        averaged.update_parameters(module)
        # torch takes the first weights as they are.
        decay = min(0.5, (1 + step) / (10 + step))
        expected = value if expected is None else decay * expected + (1 - decay) * value
    weight: Tensor = averaged.module.weight
    assert weight.item() == pytest.approx(expected)

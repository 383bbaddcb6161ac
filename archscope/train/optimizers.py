"""Optimizers and the moving average of weights of torch, by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn, optim
from torch.optim.swa_utils import AveragedModel

from archscope.train.recipe import Recipe

STATES = {
    "sgd": "sgd", "momentum": "momentum", "nesterov": "momentum", "adagrad": "momentum",
    "rmsprop": "momentum", "adam": "adam", "adamw": "adam",
}  # fmt: skip
"""The names in the analysis of memory of optimizers with as many copies of the weights."""


def optimizer(
    recipe: Recipe, module: nn.Module, others: Iterable[nn.Parameter] = ()
) -> optim.Optimizer:
    """Return the optimizer of a recipe for the parameters of a module, and for others, undecayed.

    Torch's fused kernels update all weights at once, which makes small networks faster.
    """
    groups = parameter_groups(module, recipe.weight_decay)
    if undecayed := [*others]:
        groups.append({"params": undecayed, "weight_decay": 0.0})
    rate, momentum = recipe.learning_rate, recipe.momentum
    match recipe.optimizer:
        case "sgd":
            return optim.SGD(groups, rate, fused=True)
        case "momentum":
            return optim.SGD(groups, rate, momentum, fused=True)
        case "nesterov":
            return optim.SGD(groups, rate, momentum, nesterov=momentum > 0, fused=True)
        case "adagrad":
            return optim.Adagrad(groups, rate)
        case "rmsprop":
            return optim.RMSprop(groups, rate, momentum=momentum)
        case "adam":
            return optim.Adam(groups, rate, (momentum, 0.999), fused=True)
        case "adamw":
            return optim.AdamW(groups, rate, (momentum, 0.999), fused=True)


def parameter_groups(module: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Return the parameters in two groups: weights, which decay, and the rest, which does not.

    Weights have two axes or more; biases and the scales of norms have one.
    """
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    weights = [parameter for parameter in trained if parameter.ndim > 1]
    others = [parameter for parameter in trained if parameter.ndim <= 1]
    groups = [{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def average(module: nn.Module, decay: float) -> AveragedModel:
    """Return a copy of a module that follows its weights: a = decay a + (1 - decay) w.

    The decay grows from 0.1 to its value, (1 + n) / (10 + n) after n steps, so that the random
    initial weights fade quickly. Buffers, such as running statistics, are those of the module.
    """

    def follow(averages: Any, weights: Any, steps: Any) -> None:
        now = min(decay, (1 + int(steps)) / (10 + int(steps)))
        torch._foreach_lerp_(averages, weights, 1 - now)

    return AveragedModel(module, multi_avg_fn=torch.no_grad()(follow))

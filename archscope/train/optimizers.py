"""Optimizers by name, all of them torch's."""

from __future__ import annotations

from typing import Any

from torch import nn, optim

from archscope.train.recipe import Recipe

STATES = {
    "sgd": "sgd", "momentum": "momentum", "nesterov": "momentum", "adagrad": "momentum",
    "rmsprop": "momentum", "adam": "adam", "adamw": "adam",
}  # fmt: skip
"""What the analysis of memory calls an optimizer that keeps as many copies of the weights."""


def optimizer(recipe: Recipe, module: nn.Module) -> optim.Optimizer:
    """Return the optimizer of a recipe for the parameters of a module.

    Torch's fused kernels update all weights at once, which makes small networks faster.
    """
    groups = parameter_groups(module, recipe.weight_decay)
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
    weights = [
        parameter
        for parameter in module.parameters()
        if parameter.requires_grad and parameter.ndim > 1
    ]
    others = [
        parameter
        for parameter in module.parameters()
        if parameter.requires_grad and parameter.ndim <= 1
    ]
    groups = [{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]

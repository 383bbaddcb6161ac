"""Classification losses of torch by name."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

from archscope.errors import OptionError
from archscope.train.recipe import Recipe

Criterion = Callable[[Tensor, Tensor], Tensor]
"""The mean loss of outputs (N, K) and labels: classes (N), or a share of each class (N, K)."""


DISTANCES = {"l1": nn.L1Loss, "l2": nn.MSELoss, "smooth-l1": nn.SmoothL1Loss}


def criterion(recipe: Recipe, *, smooth: bool = True) -> Criterion:
    """Return the loss of a recipe for classes; label smoothing only if `smooth`."""
    smoothing = recipe.label_smoothing if smooth else 0.0
    match recipe.loss:
        case "cross-entropy":
            return nn.CrossEntropyLoss(label_smoothing=smoothing)
        case "hinge":
            return nn.MultiMarginLoss()
        case "l1" | "l2" | "smooth-l1":
            return _against_shares(DISTANCES[recipe.loss](), smoothing)
        case _:
            raise OptionError(f"the loss {recipe.loss} trains embeddings, not classes")


def _against_shares(distance: nn.Module, smoothing: float) -> Criterion:
    """Return a loss of the distance to 1 for the class and 0 for the others."""

    def loss(outputs: Tensor, labels: Tensor) -> Tensor:
        classes = outputs.shape[1]
        shares = labels if labels.ndim > 1 else functional.one_hot(labels, classes)
        shares = shares.to(outputs.dtype) * (1 - smoothing) + smoothing / classes
        result: Tensor = distance(outputs, shares)
        return result

    return loss


def l1_penalty(module: nn.Module) -> Tensor:
    """Return the sum of absolute weights, without biases and norms."""
    weights = [parameter for parameter in module.parameters() if parameter.ndim > 1]
    return sum((weight.abs().sum() for weight in weights[1:]), start=weights[0].abs().sum())

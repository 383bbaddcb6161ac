"""Exponential moving average of weights, by torch's AveragedModel."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel


def average(module: nn.Module, decay: float) -> AveragedModel:
    """Return a copy of a module that follows its weights: a = decay a + (1 - decay) w.

    The decay grows from 0.1 to its value, (1 + n) / (10 + n) after n steps, so that the random
    weights of the start do not linger. Buffers, such as running statistics, are those of the
    module.
    """

    def follow(averages: Any, weights: Any, steps: Any) -> None:
        now = min(decay, (1 + int(steps)) / (10 + int(steps)))
        torch._foreach_lerp_(averages, weights, 1 - now)

    return AveragedModel(module, multi_avg_fn=torch.no_grad()(follow))

"""Every word that a recipe takes does what its kind promises; a new one is tested here.

The words are read from the types of the recipe, so a loss, optimizer or schedule that is added
there is held to this without a change.
"""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from archscope.analysis.memory import OPTIMIZERS
from archscope.train import Recipe, recipe_files
from archscope.train.losses import criterion
from archscope.train.metric_learning.metric_losses import metric_loss
from archscope.train.optimizers import STATES, optimizer
from archscope.train.recipe import ClassLoss, MetricLoss, Mining, Optimizer, Schedule
from archscope.train.schedule import rate

LABELS = torch.arange(3).repeat_interleave(4)
SIZE = 5


def descend(recipe: Recipe, steps: int) -> tuple[list[float], int]:
    """Return the loss of least squares along a training, and the bytes of the optimizer's state."""
    torch.manual_seed(0)
    module = nn.Linear(4, 1)
    inputs = torch.randn(32, 4)
    wanted = inputs @ torch.tensor([[1.0], [-2.0], [0.5], [3.0]]) + 1
    chosen = optimizer(recipe, module)
    losses = []
    for _ in range(steps):
        chosen.zero_grad()
        loss = (module(inputs) - wanted).square().mean()
        loss.backward()
        chosen.step()
        losses.append(loss.item())
    copies = [
        tensor
        for state in chosen.state_dict()["state"].values()
        for tensor in state.values()
        if isinstance(tensor, Tensor) and tensor.ndim
    ]
    return losses, sum(tensor.nbytes for tensor in copies)


@pytest.mark.parametrize("name", get_args(Optimizer))
def test_an_optimizer_descends(name: str) -> None:
    recipe = Recipe(optimizer=name, learning_rate=0.05, momentum=0.5, weight_decay=0.0)
    losses, _ = descend(recipe, 60)
    assert losses[-1] < 0.7 * losses[0]
    assert descend(recipe, 60)[0] == losses


@pytest.mark.parametrize("name", get_args(Optimizer))
def test_an_optimizer_keeps_the_copies_that_the_analysis_counts(name: str) -> None:
    kept = descend(Recipe(optimizer=name, momentum=0.0 if name == "rmsprop" else 0.9), 1)[1]
    assert kept == OPTIMIZERS[STATES[name]] * 5 * 4


@pytest.mark.parametrize("name", get_args(Schedule))
def test_a_schedule_stays_in_bounds_and_reaches_the_height(name: str) -> None:
    recipe = Recipe(schedule=name, learning_rate=0.5, warmup=0.25)
    rates = [rate(recipe, step / 100) for step in range(101)]
    assert all(0 <= value <= 0.5 for value in rates)
    assert max(rates) == pytest.approx(0.5)
    assert rates[0] < rates[25], "a warm-up rises"
    assert rates[25:] == sorted(rates[25:], reverse=True), "and then it falls"


@pytest.mark.parametrize("name", get_args(ClassLoss))
def test_a_class_loss_prefers_the_right_class(name: str) -> None:
    loss = criterion(Recipe(loss=name))
    right = nn.functional.one_hot(LABELS, 3).float()
    wrong = right.roll(1, dims=1).requires_grad_()
    good, bad = loss(right, LABELS), loss(wrong, LABELS)
    assert bad.shape == ()
    assert 0 <= good.item() < bad.item()
    bad.backward()
    moved = wrong.detach() - 0.1 * wrong.grad
    assert loss(moved, LABELS) < bad, "the gradient leads down"


@pytest.mark.parametrize("mining", get_args(Mining))
@pytest.mark.parametrize("name", get_args(MetricLoss))
def test_a_metric_loss_prefers_classes_apart(name: str, mining: str) -> None:
    torch.manual_seed(0)
    loss = metric_loss(Recipe(loss=name, mining=mining), 3, SIZE)
    centres = torch.zeros(3, SIZE)
    centres[range(3), range(3)] = 1.0
    kept = [value for value in loss.parameters() if value.shape[-1] == SIZE]
    kept += [value.T for value in loss.parameters() if value.shape == (SIZE, 3)]
    for weights in kept:
        with torch.no_grad():
            weights.copy_(centres)  # a direction or a centre of each class, where one is learned
    noise = 0.05 * torch.randn(len(LABELS), SIZE)
    apart = centres[LABELS] + noise
    mixed = (centres[LABELS.roll(2)] + noise).requires_grad_()
    good, bad = loss(apart, LABELS), loss(mixed, LABELS)
    assert bad.shape == () and bad.isfinite()
    assert 0 <= good.item() <= bad.item()
    if name == "triplet" and mining == "semihard":
        return  # triplets that are turned around are not semihard, so none of them counts
    assert good.item() < bad.item()
    bad.backward()
    assert mixed.grad is not None and mixed.grad.abs().sum() > 0


@pytest.mark.parametrize("name", recipe_files.recipes())
def test_a_shipped_recipe_says_what_it_is_for(name: str) -> None:
    text = recipe_files.recipes()[name].read_text(encoding="utf-8")
    assert "about: " in text
    recipe_files.read(name)

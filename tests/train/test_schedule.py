"""Rates against torch's own schedulers, step by step."""

from __future__ import annotations

import pytest
import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, MultiStepLR, OneCycleLR

from archscope.train import Recipe
from archscope.train.schedule import START, rate

STEPS = 40


def theirs(scheduler: LRScheduler, steps: int = STEPS) -> list[float]:
    rates = []
    for _ in range(steps):
        rates.append(scheduler.get_last_lr()[0])
        scheduler.optimizer.step()
        scheduler.step()
    return rates


def plain() -> SGD:
    return SGD([torch.zeros(1, requires_grad=True)], lr=0.5)


def test_cosine() -> None:
    recipe = Recipe(learning_rate=0.5, schedule="cosine", warmup=0)
    ours = [rate(recipe, step / STEPS) for step in range(STEPS)]
    assert ours == pytest.approx(theirs(CosineAnnealingLR(plain(), STEPS)))


def test_step() -> None:
    recipe = Recipe(learning_rate=0.5, schedule="step", warmup=0, milestones=(0.5, 0.75), gamma=0.1)
    ours = [rate(recipe, step / STEPS) for step in range(STEPS)]
    assert ours == pytest.approx(theirs(MultiStepLR(plain(), [20, 30], gamma=0.1)))


def test_one_cycle() -> None:
    # torch counts to the last step, we to the end of the training: stretch ours to the same.
    cycle = OneCycleLR(plain(), 0.5, total_steps=STEPS, pct_start=0.25, cycle_momentum=False)
    top = (0.25 * STEPS - 1) / (STEPS - 1)
    recipe = Recipe(learning_rate=0.5, schedule="one-cycle", warmup=top)
    ours = [rate(recipe, step / (STEPS - 1)) for step in range(STEPS)]
    assert ours == pytest.approx([*theirs(cycle, STEPS - 1), cycle.get_last_lr()[0]])


@pytest.mark.parametrize("schedule", ["constant", "step", "cosine"])
def test_warm_up_rises_in_a_line(schedule: str) -> None:
    recipe = Recipe(learning_rate=0.5, schedule=schedule, warmup=0.2)
    assert rate(recipe, 0) == pytest.approx(0.5 * START)
    assert rate(recipe, 0.1) == pytest.approx(0.5 * (1 + START) / 2)
    assert rate(recipe, 0.2) == pytest.approx(0.5)


@pytest.mark.parametrize("schedule", ["constant", "step", "cosine", "one-cycle"])
def test_rates_stay_in_bounds(schedule: str) -> None:
    recipe = Recipe(learning_rate=0.5, schedule=schedule)
    assert all(0 <= rate(recipe, step / 100) <= 0.5 for step in range(101))

"""Scores of a network on images that it is not trained on."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from archscope.records.training import Scores
from archscope.train.device import Arithmetic
from archscope.train.distributed import ALONE, Processes
from archscope.train.tasks import ScoresAll, Task


def evaluate(
    module: nn.Module,
    task: Task,
    batches: Iterable[tuple[Tensor, Tensor]],
    how: Arithmetic,
    processes: Processes = ALONE,
) -> Scores:
    """Return the means of a task's measures over batches, in inference mode.

    The module is left in the mode that it was in. A task that scores all outputs at once does so
    in every process, on all images.
    """
    if isinstance(task, ScoresAll):
        return task.scores(*outputs_of(module, batches, how))
    before = module.training
    module.eval()
    sums = torch.zeros(len(task.measures) + 1, dtype=torch.float64, device=how.device)
    with torch.no_grad():
        for number, (images, labels) in enumerate(batches):
            if number % processes.count != processes.rank:
                continue
            with how.autocast():
                outputs = module(images)
            sums[:-1] += task.tally(outputs, labels)
            sums[-1] += len(images)
    module.train(before)
    return means(task, processes.sum(sums))


def outputs_of(
    module: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], how: Arithmetic
) -> tuple[Tensor, Tensor]:
    """Return a module's only output in inference mode for all images, (N, ...), and the labels."""
    before = module.training
    module.eval()
    outputs, labels = [], []
    with torch.no_grad():
        for images, given in batches:
            with how.autocast():
                outputs.append(module(images))
            labels.append(given)
    module.train(before)
    return torch.cat(outputs), torch.cat(labels)


def means(task: Task, sums: Tensor) -> Scores:
    """Return the measures by name from their sums, the last of which is the number of images."""
    *totals, images = sums.tolist()
    return {
        name: total / images for name, total in zip(task.measures, totals, strict=True) if images
    }

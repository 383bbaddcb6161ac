"""Scores of a network on held-out images: means of measures, and the confusion matrix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

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

    The mode of the module is restored. A task that scores all outputs at once does so in every
    process, on all images.
    """
    if isinstance(task, ScoresAll):
        return task.scores(*outputs_of(module, batches, how))
    sums = torch.zeros(len(task.measures) + 1, dtype=torch.float64, device=how.device)
    own = islice(batches, processes.rank, None, processes.count)
    for outputs, labels in predictions(module, own, how):
        sums[:-1] += task.tally(outputs, labels)
        sums[-1] += len(labels)
    return means(task, processes.sum(sums))


def predictions(
    module: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], how: Arithmetic
) -> Iterator[tuple[Any, Tensor]]:
    """Yield a module's outputs in inference mode with the labels, batch by batch."""
    before = module.training
    module.eval()
    with torch.no_grad():
        for images, labels in batches:
            with how.autocast():
                outputs = module(images)
            yield outputs, labels
    module.train(before)


def outputs_of(
    module: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], how: Arithmetic
) -> tuple[Tensor, Tensor]:
    """Return a module's only output in inference mode for all images, (N, ...), and the labels."""
    outputs, labels = zip(*predictions(module, batches, how), strict=True)
    return torch.cat(outputs), torch.cat(labels)


def means(task: Task, sums: Tensor) -> Scores:
    """Return the measures by name from their sums, the last of which is the number of images."""
    *totals, images = sums.tolist()
    return {
        name: total / images for name, total in zip(task.measures, totals, strict=True) if images
    }


def hits(outputs: Tensor, labels: Tensor, among: int = 1) -> Tensor:
    """Return how many images of a batch have their class among the largest outputs.

    Outputs are (N, K); labels are classes (N), or the share of each class (N, K), of which the
    largest counts.
    """
    wanted = labels if labels.ndim == 1 else labels.argmax(1)
    if among == 1:
        return (outputs.argmax(1) == wanted).sum()
    return (outputs.topk(among, 1).indices == wanted[:, None]).any(1).sum()


def confusion(predicted: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Return how often class i (row) was predicted as class j (column), as (K, K)."""
    return torch.bincount(labels * classes + predicted, minlength=classes**2).view(classes, classes)

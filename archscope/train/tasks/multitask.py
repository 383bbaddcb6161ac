"""Multi-task learning: several labels for each image, each with its own output."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from archscope.build import Network
from archscope.errors import OptionError, did_you_mean
from archscope.ir import Graph, text_of
from archscope.train.evaluation import hits
from archscope.train.tasks import Outputs, Task

if TYPE_CHECKING:
    from archscope.train.loader import TrainingLoader


class MultiTask(Task):
    """Trains the sum of the losses of all outputs, weighted as in the spec.

    `tables` hold the labels for each output: int64 (M,) of classes, trained
    with cross-entropy and measured by accuracy; or float (M, K) of numbers, trained and
    measured with smooth L1. The labels of the images are their rows in the tables. `goal` names
    the output whose measure chooses the best weights; the first with classes, if none is given.
    """

    about: dict[str, Any] = {"kind": "multitask"}

    def __init__(self, tables: Mapping[str, Tensor], graph: Graph, goal: str | None = None) -> None:
        self.tables = dict(tables)
        self.weights = {output.name: output.weight for output in graph.outputs}
        self.losses: dict[str, nn.Module] = {
            name: nn.SmoothL1Loss() if table.is_floating_point() else nn.CrossEntropyLoss()
            for name, table in self.tables.items()
        }
        self.classes = [
            name for name, table in self.tables.items() if not table.is_floating_point()
        ]
        self.measures = ("loss", *(self._measure(name) for name in self.tables))
        chosen = goal or next(iter(self.classes), None)
        if chosen not in self.classes:
            raise OptionError(
                f"the goal must be an output with classes ({', '.join(self.classes) or 'none'}),"
                f" got '{chosen}'"
            )
        self.goal = self._measure(chosen)

    def _measure(self, name: str) -> str:
        return f"{name}_top1" if name in self.classes else f"{name}_loss"

    def check(self, graph: Graph) -> None:
        """Raise OptionError unless every output has a table of its size."""
        names = [output.name for output in graph.outputs]
        for name in self.tables:
            if name not in names:
                raise OptionError(
                    f"'{graph.name}' has no output '{name}'{did_you_mean(name, names)}"
                )
        for output in graph.outputs:
            table = self.tables.get(output.name)
            if table is None:
                raise OptionError(f"output '{output.name}' of '{graph.name}' has no table")
            shape = graph.by_name[output.node].out
            size = table.shape[1] if table.is_floating_point() else int(table.max()) + 1
            fits = prod(shape) == size if table.is_floating_point() else prod(shape) >= size
            if not fits:
                raise OptionError(
                    f"output '{output.name}' of '{graph.name}' is {text_of(shape)}, its table"
                    f" needs {size}"
                )

    def begin(self, network: Network, loader: TrainingLoader) -> None:
        """Move the tables to the device."""
        self.tables = {name: table.to(loader.how.device) for name, table in self.tables.items()}

    def targets(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return the rows of the tables."""
        return {name: table[labels] for name, table in self.tables.items()}

    def loss(self, outputs: Outputs, targets: dict[str, Tensor]) -> Tensor:
        """Return the weighted sum over all outputs."""
        assert isinstance(outputs, dict)
        losses = [
            self.weights[name] * self.losses[name](outputs[name].flatten(1), wanted)
            for name, wanted in targets.items()
        ]
        return torch.stack(losses).sum()

    def tally(self, outputs: Outputs, targets: Any, loss: Tensor | None = None) -> Tensor:
        """Return the sums of `measures` over a batch, in float64."""
        assert isinstance(outputs, dict)
        wanted = targets if isinstance(targets, dict) else self.targets(targets, targets)
        if loss is None:
            loss = self.loss(outputs, wanted)
        count = len(next(iter(wanted.values())))
        sums = [loss.detach() * count]
        for name, labels in wanted.items():
            output = outputs[name].detach().flatten(1)
            if name in self.classes:
                sums.append(hits(output, labels))
            else:
                sums.append(self.losses[name](output, labels) * count)
        return torch.stack([value.double() for value in sums])

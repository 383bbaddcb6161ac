"""The state of a training: everything that changes, saved and restored as a checkpoint."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from archscope.build import Network
from archscope.records.training import Diagnosis, Epoch
from archscope.train.interpolated_weights import InterpolatedWeights
from archscope.train.optimizers import average, optimizer
from archscope.train.recipe import Recipe
from archscope.train.rounded_weights import RoundedWeights
from archscope.weights import kernel_names


class TrainingState:
    """Weights, optimizer, counters and results of a training in progress."""

    def __init__(
        self, network: Network, recipe: Recipe, device: torch.device, dtype: str, measures: int
    ) -> None:
        """Start at step 0; `measures` is the number of sums that the task computes for a batch."""
        self.network, self.device, self.measures = network, device, measures
        self.rounded: RoundedWeights | None = None
        if recipe.weight_bits is not None:
            kernels = kernel_names(network.graph)
            self.rounded = RoundedWeights(network, recipe.weight_bits, kernels)
        self.optimizer = optimizer(
            recipe, network, () if self.rounded is None else self.rounded.parameters()
        )
        self.average = average(network, recipe.ema) if recipe.ema else None
        self.interpolated = InterpolatedWeights(network) if recipe.interpolate else None
        self.scaler = torch.amp.GradScaler(device.type, enabled=dtype == "float16")
        self.epoch = self.step = self.steps = 0  # completed epochs, steps of this one and of all
        self.ended = ""  # what ended the training: epochs, time, patience or report
        self.epochs: list[Epoch] = []
        self.best: Epoch | None = None
        self.diagnoses: dict[tuple[str, str], Diagnosis] = {}  # the latest by kind and node
        self.first_loss: float | None = None
        self.epoch_sums, self.interval_sums = self.zeros(), self.zeros()
        self.interval_images = 0
        self.epoch_seconds = 0.0  # of its steps, up to the last row
        self.earlier_seconds = 0.0  # of the runs that this one resumes
        self.started = self.logged = perf_counter()

    def zeros(self) -> Tensor:
        """Return empty sums: one for each measure, and the number of images."""
        return torch.zeros(self.measures + 1, dtype=torch.float64, device=self.device)

    @property
    def seconds(self) -> float:
        """Time spent so far, including the runs that this one resumes."""
        return self.earlier_seconds + perf_counter() - self.started

    @property
    def model(self) -> nn.Module:
        """What is evaluated and saved: the network, or the moving average of its weights."""
        return self.network if self.average is None else self.average.module

    def checkpoint(self) -> dict[str, Any]:
        """Return the state between two steps, as tensors, numbers and texts only."""
        gpu = self.device.type == "cuda"
        pending = perf_counter() - self.logged if self.interval_images else 0.0
        records = self.epochs, self.best, list(self.diagnoses.values())
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "rounded": None if self.rounded is None else self.rounded.state_dict(),
            "before": None if self.interpolated is None else self.interpolated.before,
            "scaler": self.scaler.state_dict(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.device) if gpu else None,
            "ended": self.ended,
            "epoch": self.epoch,
            "step": self.step,
            "steps": self.steps,
            "seconds": self.seconds,
            "training": self.epoch_seconds + pending,
            "seen": self.interval_images,
            "tally": self.epoch_sums,
            "recent": self.interval_sums,
            "first_loss": self.first_loss,
            "records": msgspec.to_builtins(records),
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Restore a checkpoint."""
        self.network.load_state_dict(saved["network"])
        self.optimizer.load_state_dict(saved["optimizer"])
        if self.rounded is not None:
            self.rounded.load_state_dict(saved["rounded"])
        if self.average is not None:
            self.average.load_state_dict(saved["average"])
        if self.interpolated is not None:
            self.interpolated.restore(saved["before"])
        self.scaler.load_state_dict(saved["scaler"])
        torch.set_rng_state(saved["random"])
        if saved["random_cuda"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(saved["random_cuda"], self.device)
        self.ended = saved["ended"]
        self.epoch, self.step, self.steps = saved["epoch"], saved["step"], saved["steps"]
        self.earlier_seconds, self.epoch_seconds = saved["seconds"], saved["training"]
        self.interval_images = saved["seen"]
        self.epoch_sums = saved["tally"].to(self.device)
        self.interval_sums = saved["recent"].to(self.device)
        self.first_loss = saved["first_loss"]
        epochs, best, diagnoses = saved["records"]
        self.epochs = msgspec.convert(epochs, list[Epoch])
        self.best = msgspec.convert(best, Epoch | None)
        found = msgspec.convert(diagnoses, list[Diagnosis])
        self.diagnoses = {(item.kind, item.node): item for item in found}

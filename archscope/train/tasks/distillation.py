"""Knowledge distillation: a student learns from the labels and from a teacher's outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from msgspec import Struct
from torch import Tensor, nn
from torch.nn import functional

from archscope.build import Network
from archscope.errors import OptionError, did_you_mean
from archscope.ir import Graph, text_of
from archscope.train.recipe import Recipe
from archscope.train.tasks import Outputs
from archscope.train.tasks.classification import Classification
from archscope.train.trained_network import TrainedClassifier

if TYPE_CHECKING:
    from archscope.train.loader import TrainingLoader

ATTENTION = 1000.0
"""Weight of the distance between feature maps, the beta of Zagoruyko and Komodakis 2017."""


class DistillationTargets(Struct, frozen=True):
    """The targets of a student's outputs."""

    labels: Tensor
    logits: Tensor  # of the teacher, (N, classes)
    features: tuple[Tensor, ...]  # of the teacher, one for each pair


class Distillation(Classification):
    """Trains with (1 - alpha) times the loss of the labels plus alpha times the teacher's.

    The teacher's loss is T^2 KL(teacher / T || student / T) (Hinton, Vinyals, Dean 2015). `pairs`
    name nodes of student and teacher whose attention maps should agree: the mean square over
    channels, normalised over positions (Zagoruyko and Komodakis 2017), so channels may differ.
    If the next layer works in place, the features are those after it. Measures are the
    student's own.
    """

    def __init__(
        self,
        graph: Graph,
        classes: int,
        recipe: Recipe,
        teacher: TrainedClassifier,
        *,
        name: str,
        temperature: float = 4.0,
        alpha: float = 0.7,
        pairs: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(graph, classes, recipe)
        if temperature <= 0 or not 0 <= alpha <= 1:
            raise OptionError(
                "expected a temperature above 0 and an alpha from 0 to 1,"
                f" got {temperature} and {alpha}"
            )
        self.teacher, self.temperature, self.alpha = teacher, temperature, alpha
        self.pairs = tuple(pairs)
        self.about = {
            "kind": "distillation",
            "teacher": name,
            "temperature": temperature,
            "alpha": alpha,
            "pairs": [list(pair) for pair in self.pairs],
        }
        self.features: dict[str, Tensor] = {}  # the student's features of the last batch

    def check(self, graph: Graph) -> None:
        """Raise OptionError unless student and teacher have the same inputs and classes."""
        super().check(graph)
        taught = self.teacher.network.graph
        if len(self.teacher.classes) != self.classes:
            raise OptionError(
                f"the teacher knows {len(self.teacher.classes)} classes, the data have"
                f" {self.classes}"
            )
        mine, theirs = graph.inputs[0].out, taught.inputs[0].out
        if mine != theirs:
            raise OptionError(
                f"the teacher takes images of {text_of(theirs)}, the student of {text_of(mine)}"
            )
        for ours, other in self.pairs:
            for who, name, net in (("student", ours, graph), ("teacher", other, taught)):
                if name not in net.by_name:
                    hint = did_you_mean(name, net.by_name)
                    raise OptionError(f"the {who} has no node '{name}'{hint}")
            size = graph.by_name[ours].out[1:]
            if size != taught.by_name[other].out[1:] or not size:
                raise OptionError(
                    f"features '{ours}' and '{other}' must be maps of one size, got"
                    f" {text_of(graph.by_name[ours].out)} and {text_of(taught.by_name[other].out)}"
                )

    def begin(self, network: Network, loader: TrainingLoader) -> None:
        """Move the teacher to the student's device, and hook the student's features."""
        self.teacher.network.to(loader.how.device).eval()
        mine, theirs = loader.statistics, self.teacher.statistics
        times = loader.adaptation.target[0] // len(mine.mean)

        def column(values: Sequence[float]) -> Tensor:
            return torch.tensor(values, device=loader.how.device).repeat(times).view(-1, 1, 1)

        # Converts the student's images to the mean and deviation that the teacher was trained with.
        self.scale = column(mine.std) / column(theirs.std)
        self.shift = (column(mine.mean) - column(theirs.mean)) / column(theirs.std)
        for name, _ in self.pairs:
            network.part(name).register_forward_hook(self._hook(name))

    def _hook(self, name: str) -> Any:
        def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
            if module.training:
                self.features[name] = output

        return keep

    def targets(self, images: Tensor, labels: Tensor) -> Any:
        """Return labels with the logits and features of the teacher."""
        features: dict[str, Tensor] = {}
        wanted = {name for _, name in self.pairs}

        def probe(name: str, value: Tensor) -> Tensor:
            if name in wanted:
                features[name] = attention(value)
            return value

        with torch.no_grad():
            outputs = self.teacher.network.run((images * self.scale + self.shift,), probe)
        logits = self.teacher.task.logits(outputs)
        return DistillationTargets(labels, logits, tuple(features[name] for _, name in self.pairs))

    def loss(self, outputs: Outputs, targets: Any) -> Tensor:
        """Return the weighted loss of labels and teacher."""
        hard = super().loss(outputs, targets.labels)
        t = self.temperature
        soft = functional.kl_div(
            functional.log_softmax(self.logits(outputs) / t, 1),
            functional.log_softmax(targets.logits / t, 1),
            reduction="batchmean",
            log_target=True,
        )
        total = (1 - self.alpha) * hard + self.alpha * t**2 * soft
        for (name, _), theirs in zip(self.pairs, targets.features, strict=True):
            total = (
                total + ATTENTION * (attention(self.features.pop(name)) - theirs).square().mean()
            )
        return total

    def tally(self, outputs: Outputs, targets: Any, loss: Tensor | None = None) -> Tensor:
        """Return the sums of the student's measures over a batch."""
        labels = targets.labels if isinstance(targets, DistillationTargets) else targets
        return super().tally(outputs, labels, loss)


def attention(maps: Tensor) -> Tensor:
    """Return the attention maps of features (N, C, H, W): (N, H * W), each of length 1."""
    return functional.normalize(maps.square().mean(1).flatten(1))

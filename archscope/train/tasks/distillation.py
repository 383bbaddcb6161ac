"""A student that learns from a teacher's outputs beside the labels."""

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
from archscope.train.trained_run import Trained

if TYPE_CHECKING:
    from archscope.train.loader import Feed

ATTENTION = 1000.0
"""Weight of the distance between feature maps, the beta of Zagoruyko and Komodakis 2017."""


class Lesson(Struct, frozen=True):
    """What a student's outputs are compared with."""

    labels: Tensor
    logits: Tensor  # of the teacher, (N, classes)
    features: tuple[Tensor, ...]  # of the teacher, one for each pair


class Distillation(Classification):
    """Trains (1 - alpha) of the labels' loss and alpha of the distance to the teacher.

    The distance is T^2 KL(teacher / T || student / T) (Hinton, Vinyals, Dean 2015). `pairs` name
    nodes of student and teacher whose attention maps are to agree: the mean square over channels,
    normalised over the places (Zagoruyko and Komodakis 2017), so channels may differ. Where the
    next layer works in place, the features are those behind it. Measures are the student's own.
    """

    def __init__(
        self,
        graph: Graph,
        classes: int,
        recipe: Recipe,
        teacher: Trained,
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
        self.seen: dict[str, Tensor] = {}  # the student's features of the last batch

    def check(self, graph: Graph) -> None:
        """Raise OptionError unless student and teacher take the same images to the same classes."""
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
            one, two = graph.by_name[ours].out[1:], taught.by_name[other].out[1:]
            if one != two or not one:
                raise OptionError(
                    f"features '{ours}' and '{other}' must be maps of one size, got"
                    f" {text_of(graph.by_name[ours].out)} and {text_of(taught.by_name[other].out)}"
                )

    def begin(self, network: Network, feed: Feed) -> None:
        """Bring the teacher to the student's device, and listen to the student's features."""
        self.teacher.network.to(feed.how.device).eval()
        mine, theirs = feed.statistics, self.teacher.statistics
        times = feed.adaptation.target[0] // len(mine.mean)

        def column(values: Sequence[float]) -> Tensor:
            return torch.tensor(values, device=feed.how.device).repeat(times).view(-1, 1, 1)

        # The student's images, brought to the mean and deviation that the teacher learnt with.
        self.scale = column(mine.std) / column(theirs.std)
        self.shift = (column(mine.mean) - column(theirs.mean)) / column(theirs.std)
        for name, _ in self.pairs:
            network.part(name).register_forward_hook(self._listen(name))

    def _listen(self, name: str) -> Any:
        def hear(module: nn.Module, inputs: Any, output: Tensor) -> None:
            if module.training:
                self.seen[name] = output

        return hear

    def targets(self, images: Tensor, labels: Tensor) -> Any:
        """Return labels, and what the teacher makes of the images."""
        features: dict[str, Tensor] = {}
        wanted = {name for _, name in self.pairs}

        def probe(name: str, value: Tensor) -> Tensor:
            if name in wanted:
                features[name] = attention(value)
            return value

        with torch.no_grad():
            outputs = self.teacher.network.run((images * self.scale + self.shift,), probe)
        logits = self.teacher.task.logits(outputs)
        return Lesson(labels, logits, tuple(features[name] for _, name in self.pairs))

    def loss(self, outputs: Outputs, targets: Any) -> Tensor:
        """Return the loss of labels and teacher."""
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
            total = total + ATTENTION * (attention(self.seen.pop(name)) - theirs).square().mean()
        return total

    def tally(self, outputs: Outputs, targets: Any, loss: Tensor | None = None) -> Tensor:
        """Return the sums of the student's measures over a batch."""
        labels = targets.labels if isinstance(targets, Lesson) else targets
        return super().tally(outputs, labels, loss)


def attention(maps: Tensor) -> Tensor:
    """Return where maps (N, C, H, W) are active: (N, H * W), each of length 1."""
    return functional.normalize(maps.square().mean(1).flatten(1))

"""Diagnosis of a training: gradients, dead units, saturation, over- and underfitting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from archscope.build import Network
from archscope.records.training import Diagnosis, Epoch, Scores

IMAGES = 256  # enough to call a unit dead, few enough to be cheap
DEAD = SATURATED = 0.5
"""Share of units from which on they are reported."""

VANISHING = 1e-6
"""A layer's gradient per weight, as a share of the largest of all layers."""

EXPLODING = 100.0
"""A layer's gradient, as a multiple of its weights, beyond which a step destroys them."""

BOUNDS = {"tanh": (-0.99, 0.99), "sigmoid": (0.01, 0.99), "softsign": (-0.99, 0.99)}
"""Outputs beyond which an activation passes at most 2 % of its largest gradient."""

RECTIFIERS = ("relu", "relu6")


def diagnose(network: Network, images: Tensor, epoch: int) -> list[Diagnosis]:
    """Return the problems of a network right after a training step, while it has gradients.

    Activations are those of up to 256 images (N, C, ...) in inference mode. No state of the
    network and no random number is changed.
    """
    return [*_gradients(network, epoch), *_activations(network, images[:IMAGES], epoch)]


def weights_of(network: Network) -> Iterator[tuple[str, Tensor]]:
    """Yield the layers with weights of their own, and these; not norms, which have one axis."""
    for node in network.graph.nodes:
        weight = getattr(network.part(node.name), "weight", None) if node.inputs else None
        if node.shares is None and isinstance(weight, Tensor) and weight.ndim >= 2:
            yield node.name, weight


def dead_units(outputs: Tensor) -> Tensor:
    """Return which channels (C,) of a rectifier's outputs (N, C, ...) are 0 for all images."""
    return (outputs.transpose(0, 1).flatten(1) <= 0).all(1)


def _gradients(network: Network, epoch: int) -> Iterator[Diagnosis]:
    sizes: dict[str, float] = {}
    for name, weight in weights_of(network):
        if weight.grad is None:
            continue
        gradient = weight.grad.float().norm().item()
        sizes[name] = gradient / weight.numel() ** 0.5
        against = gradient / max(weight.detach().float().norm().item(), 1e-12)
        if against > EXPLODING:
            message = (
                f"the gradient of '{name}' is {against:.3g} times as large as its weights;"
                " lower learning_rate or clip"
            )
            yield Diagnosis("exploding gradient", name, against, message, epoch + 1)
    largest = max(sizes.values(), default=0.0)
    for name, size in sizes.items():
        share = size / largest if largest else 1.0  # a loss of 0 has no gradient anywhere
        if share < VANISHING:
            message = (
                f"the gradient of '{name}' is {share:.1g} of the largest layer's; it learns"
                " nothing (batch norm, shortcuts or relu help)"
            )
            yield Diagnosis("vanishing gradient", name, share, message, epoch + 1)


def _activations(network: Network, images: Tensor, epoch: int) -> Iterator[Diagnosis]:
    ops = {node.name: node.op.name for node in network.graph.nodes}
    found: list[Diagnosis] = []

    def probe(name: str, value: Tensor) -> Tensor:
        op = ops[name]
        if op in RECTIFIERS:
            dead = dead_units(value)
            share = dead.double().mean().item()
            if share >= DEAD:
                message = (
                    f"{int(dead.sum())} of {len(dead)} units of '{name}' are 0 for all of"
                    f" {len(images)} images (dead {op}); a lower learning_rate keeps them alive"
                )
                found.append(Diagnosis("dead relu", name, share, message, epoch + 1))
        elif op in BOUNDS:
            low, high = BOUNDS[op]
            share = ((value < low) | (value > high)).double().mean().item()
            if share >= SATURATED:
                message = (
                    f"{share:.0%} of the outputs of '{name}' are at the bounds of {op}, where no"
                    " gradient passes"
                )
                found.append(Diagnosis("saturation", name, share, message, epoch + 1))
        return value

    before = network.training
    network.eval()
    with torch.no_grad():
        network.run((images,), probe)
    network.train(before)
    yield from found


def assess_fit(epochs: Sequence[Epoch], goal: str, before: Scores | None = None) -> str:
    """Return whether the network over- or underfits by its curves, as one sentence.

    Overfitting: the validation loss rose by a tenth since its best while the training loss
    fell, or training is 0.1 ahead in the goal. Underfitting: in the last epoch the
    goal still rose by a hundredth or more in training, or the training loss never fell.
    """
    rows = [row for row in epochs if row.validation is not None]
    if len(rows) < 2:
        return "too few epochs with validation to judge the fit"
    reached = max(row.validation[goal] for row in rows if row.validation is not None)
    if before is not None and reached <= before[goal]:
        return (
            f"no gain: {goal} in validation was {before[goal]:.1%} before training, and"
            f" {reached:.1%} at best after it"
        )
    train = [row.train["loss"] for row in rows]
    held = [row.validation.get("loss", 0.0) for row in rows if row.validation is not None]
    last = rows[-1]
    assert last.validation is not None
    ahead = last.train[goal] - last.validation[goal]
    best = held.index(min(held))
    if held[-1] > 1.1 * held[best] and train[-1] < train[best]:
        return (
            f"overfitting since epoch {rows[best].epoch}: the validation loss rose from"
            f" {held[best]:.3g} to {held[-1]:.3g} while the training loss fell"
        )
    if ahead > 0.1:
        return (
            f"overfitting: {goal} is {last.train[goal]:.1%} in training and"
            f" {last.validation[goal]:.1%} in validation"
        )
    if last.train[goal] < 0.9 and train[-1] > 0.99 * train[0]:
        return (
            f"underfitting: it does not learn; the training loss is {train[-1]:.3g} after"
            f" {train[0]:.3g} in the first epoch, {goal} {last.train[goal]:.1%}"
        )
    rise = last.train[goal] - rows[-2].train[goal]
    if rise >= 0.01:
        return f"underfitting: {goal} in training still rose by {rise:.1%} in the last epoch"
    return "a good fit: training and validation go together, and both have settled"

"""Diagnosis of a training: gradients, dead units, saturation."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from archscope.build import Network
from archscope.records.training import Diagnosis

FEWEST = 32
"""Minimum number of images to call a unit dead (always 0) or saturated (at its bounds)."""

DEAD = SATURATED = 0.5
"""Minimum fraction of units to report them."""

VANISHING = 1e-6
"""Minimum gradient per weight of a layer, as a fraction of the largest of all layers."""

EXPLODING = 100.0
"""Maximum gradient of a layer, as a multiple of its weights, that steps do not destroy."""

BOUNDS = {"tanh": (-0.99, 0.99), "sigmoid": (0.01, 0.99), "softsign": (-0.99, 0.99)}
"""Outputs at which an activation passes at most 2 % of its largest gradient."""

RECTIFIERS = ("relu", "relu6")


def diagnose(network: Network, images: Tensor, epoch: int) -> list[Diagnosis]:
    """Return the problems of a network right after a training step, while it has gradients.

    Activations are those of images (N, C, ...) in inference mode; too few images show nothing. The
    state of the network and the random state do not change.
    """
    found = list(_gradients(network, epoch))
    if len(images) >= FEWEST:
        found += _activations(network, images, epoch)
    return found


def weights_of(network: Network) -> Iterator[tuple[str, Tensor]]:
    """Yield the layers with their own weights, and these; not norms, which have one axis."""
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

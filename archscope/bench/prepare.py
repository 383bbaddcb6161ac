"""A graph as a call of torch, with random weights and inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from msgspec import Struct
from torch import Tensor, nn
from torch.nn import functional

from archscope.bench.conditions import Conditions
from archscope.build import Network, build
from archscope.errors import OptionError
from archscope.fused import fused_network
from archscope.ir import Graph

FORMATS: dict[int, Any] = {4: torch.channels_last, 5: torch.channels_last_3d}
"""The channels-last format, by the number of dimensions of a batch."""


class Prepared(Struct, frozen=True):
    """A network with a batch of random numbers, ready to run."""

    network: Network
    inputs: tuple[Tensor, ...]
    call: Callable[[], object]  # one forward pass, or one step of training


def prepare(graph: Graph, batch: int, conditions: Conditions) -> Prepared:
    """Return a graph ready to run, with the same random weights and inputs every time.

    The number of threads is left to the caller. Raises OptionError if the network cannot run
    under the conditions, and whatever torch raises.
    """
    dtype = getattr(torch, conditions.dtype)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        network = build(graph).train(conditions.training)
        inputs = tuple(torch.rand(batch, *node.out, dtype=dtype) for node in graph.inputs)
    if conditions.fused:
        network = fused_network(network)
    network.to(conditions.device, dtype)
    inputs = tuple(tensor.to(conditions.device) for tensor in inputs)
    if conditions.channels_last:
        inputs = _channels_last(graph, network, inputs)
    runner = torch.compile(network) if conditions.compiled else network
    call = _inference(runner, inputs)
    if conditions.training:
        call = _training(graph, network, runner, inputs, conditions.optimizer)
    return Prepared(network, inputs, call)


def _channels_last(
    graph: Graph, network: Network, inputs: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    if not any(tensor.dim() in FORMATS for tensor in inputs):
        raise OptionError(f"'{graph.name}' has no input of 2 or 3 axes to put channels last")
    for module in network.modules():
        for name, weights in module.named_parameters(recurse=False):
            if name == "weight" and weights.dim() in FORMATS:
                weights.data = weights.data.contiguous(memory_format=FORMATS[weights.dim()])
    return tuple(
        x.contiguous(memory_format=FORMATS[x.dim()]) if x.dim() in FORMATS else x for x in inputs
    )


def _inference(network: Callable[..., Any], inputs: tuple[Tensor, ...]) -> Callable[[], object]:
    def call() -> object:
        with torch.inference_mode():
            return network(*inputs)

    return call


def _training(
    graph: Graph,
    network: nn.Module,
    runner: Callable[..., Any],
    inputs: tuple[Tensor, ...],
    optimizer: str,
) -> Callable[[], object]:
    """Return a training step: forward, cross-entropy of every output, backward, optimizer."""
    parameters = list(network.parameters())
    if not parameters:
        raise OptionError(f"'{graph.name}' has nothing to train: it has no params")
    step = _optimizer(parameters, optimizer)
    outputs = {output.name: output for output in graph.outputs}
    batch, device = inputs[0].shape[0], inputs[0].device
    targets = {
        name: torch.zeros(
            batch, *graph.by_name[output.node].out[1:], dtype=torch.long, device=device
        )
        for name, output in outputs.items()
    }

    def call() -> object:
        step.zero_grad()
        values = runner(*inputs)
        if isinstance(values, Tensor):
            values = {graph.outputs[0].name: values}
        losses = [
            outputs[name].weight * functional.cross_entropy(value, targets[name])
            for name, value in values.items()
        ]
        torch.autograd.backward(torch.stack(losses).sum())
        step.step()
        return losses

    return call


def _optimizer(parameters: list[nn.Parameter], name: str) -> torch.optim.Optimizer:
    # A learning rate of 0 would skip work; a tiny one keeps random weights finite for minutes.
    if name == "adam":
        return torch.optim.Adam(parameters, lr=1e-6)
    return torch.optim.SGD(parameters, lr=1e-6, momentum=0.9 if name == "momentum" else 0.0)

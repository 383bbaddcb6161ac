"""Build the torch module of a graph; submodules and state dict are named after the nodes."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from archscope.analysis.memory import in_place
from archscope.callable_package import make_callable
from archscope.ir import Call, Graph, Node
from archscope.module_names import attribute_name

Probe = Callable[[str, Tensor], Tensor]


class Block(nn.Module):
    """A block of the spec: a container whose parts are run by the network."""


class Network(nn.Module):
    """A graph as a torch module.

    It takes a tensor (N, C, ...) for each input and returns the tensor of its output, or a dict of
    tensors by name if it has several. Heads that serve only training run in training mode only.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self.paths: dict[str, tuple[str, ...]] = {}
        placed = in_place(graph)
        for node in graph.nodes:
            if not node.inputs:
                continue
            described = node.op.torch(*node.ins)
            owner = node if node.shares is None else graph.by_name[node.shares]
            if owner is not node and described == owner.op.torch(*owner.ins):
                self.paths[node.name] = self.paths[owner.name]
                continue
            if node.name in placed:
                described = described.with_(inplace=True)
            module = make(described)
            if owner is not node:
                tie(module, self.part(owner.name))
            self.paths[node.name] = tuple(map(attribute_name, node.name.split(".")))
            self._register(self.paths[node.name], module)
        self.plans = {True: _plan(graph), False: _plan(graph.inference())}

    def part(self, node: str) -> nn.Module:
        """Return the module that currently runs a node."""
        module: nn.Module = self
        for attribute in self.paths[node]:
            module = getattr(module, attribute)
        return module

    def _register(self, path: tuple[str, ...], module: nn.Module) -> None:
        """Register a module in the tree of blocks."""
        holder: nn.Module = self
        *scopes, name = path
        for scope in scopes:
            child = holder._modules.get(scope)
            if child is None:
                child = Block()
                holder.add_module(scope, child)
            holder = child
        holder.add_module(name, module)

    def forward(self, *inputs: Tensor) -> Tensor | dict[str, Tensor]:
        """Return the output for a batch, or the outputs by name."""
        return self.run(inputs)

    def run(
        self, inputs: tuple[Tensor, ...], probe: Probe | None = None
    ) -> Tensor | dict[str, Tensor]:
        """Return the outputs; `probe` may observe and replace the value of each node."""
        steps, outputs = self.plans[self.training]
        names = [node.name for node in self.graph.inputs]
        if len(inputs) != len(names):
            raise TypeError(f"the network takes {len(names)} inputs, got {len(inputs)}")
        values = dict(zip(names, inputs, strict=True))
        if probe is not None:
            values = {name: probe(name, value) for name, value in values.items()}
        for node, done in steps:
            value = self.part(node.name)(*[values[name] for name in node.inputs])
            values[node.name] = value if probe is None else probe(node.name, value)
            for name in done:
                del values[name]
        results = {name: values[node] for name, node in outputs}
        return next(iter(results.values())) if len(results) == 1 else results


Plan = tuple[list[tuple[Node, list[str]]], list[tuple[str, str]]]


def _plan(graph: Graph) -> Plan:
    """Return the nodes to run, each with the values to free after it, and the outputs."""
    last: dict[str, str] = {}
    for node in graph.nodes:
        for name in (node.name, *node.inputs):
            last[name] = node.name
    for output in graph.outputs:
        last.pop(output.node, None)
    done: dict[str, list[str]] = {}
    for name, reader in last.items():
        done.setdefault(reader, []).append(name)
    steps = [(node, done.get(node.name, [])) for node in graph.nodes if node.inputs]
    return steps, [(output.name, output.node) for output in graph.outputs]


def build(graph: Graph, *, device: str | torch.device | None = None) -> Network:
    """Build the torch module of a graph, with torch's default initialisation.

    `device` may be "meta", for shapes without values.
    """
    if device is None:
        return Network(graph)
    with torch.device(device):
        return Network(graph)


def make(described: Call) -> nn.Module:
    """Create the module that a call describes."""
    return module_class(described.target)(*described.args, **dict(described.kwargs))


def module_class(target: str) -> type[nn.Module]:
    """Return the class of a call: `nn.Conv2d`, or that of any package."""
    library, _, name = target.rpartition(".")
    found: type[nn.Module] = getattr(nn if library == "nn" else import_module(library), name)
    return found


def tie(module: nn.Module, owner: nn.Module) -> None:
    """Let a module use the weights of another, which have the same names and shapes.

    It then has no such weights of its own, not even in its state dict.
    """
    held = (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
    names = tuple(name for name, _ in held)
    for name in names:
        delattr(module, name)
    module.__dict__["weights_owner"] = (
        owner  # bypasses torch, which would register it as a submodule
    )
    module.__class__ = _tied(type(module), names)


def _tied(cls: type[nn.Module], names: tuple[str, ...]) -> type[nn.Module]:
    """Return a class of modules whose weights with these names are those of their owner."""

    def of_owner(name: str) -> property:
        return property(lambda module: getattr(module.__dict__["weights_owner"], name))

    def reduced(module: nn.Module) -> tuple[Any, ...]:
        return _untouched, (cls, names), module.__dict__

    words: dict[str, Any] = {name: of_owner(name) for name in names}
    return type(cls.__name__, (cls,), {**words, "__reduce__": reduced})


def _untouched(cls: type[nn.Module], names: tuple[str, ...]) -> nn.Module:
    """Return a tied module without its state, for copies and pickles."""
    made = _tied(cls, names)
    return made.__new__(made)


make_callable(__name__)

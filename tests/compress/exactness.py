"""The oracle of pruning: the original network with the removed channels set to zero."""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence
from random import Random

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from archscope.build import Network, build
from archscope.compress import ChannelGroups
from archscope.compress.tensors import narrowed_weights
from archscope.ir import Graph
from archscope.module_names import module_path
from archscope.ops.recurrent import Recurrent


def lively(graph: Graph) -> Network:
    """Return a network of which no weight is at its neutral value, as after training."""
    torch.manual_seed(0)
    network = build(graph).double().eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                assert module.running_mean is not None and module.running_var is not None
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.3, 2)
            for name, parameter in module.named_parameters(recurse=False):
                if parameter.ndim == 1 and not isinstance(module, nn.Linear):
                    parameter.uniform_(0.5, 1.5) if name == "weight" else parameter.normal_(0, 0.3)
    return network


def at_random(groups: ChannelGroups, share: float, seed: int = 0) -> frozenset[int]:
    """Return a share of the units of each group, of which one stays."""
    random = Random(seed)
    return frozenset(
        unit.root
        for group in groups.groups
        if group.removable
        for unit in random.sample(
            group.units, min(round(share * len(group.units)), len(group.units) - group.least)
        )
    )


def without_states(groups: ChannelGroups, network: Network, keeps: Sequence[int]) -> Network:
    """Return a network whose recurrent layers do not read their removed units."""
    network = copy.deepcopy(network)
    for node in groups.graph.nodes:
        if isinstance(node.op, Recurrent):
            module = network.get_submodule(module_path(node.name))
            for name, axes in groups.flows[node.name].weights.items():
                for axis, channels in enumerate(axes):
                    gone = [n for n, atom in enumerate(channels or ()) if not keeps[atom]]
                    getattr(module, name).data.index_fill_(axis, torch.tensor(gone).long(), 0)
    return network


def difference(groups: ChannelGroups, removed: Collection[int], network: Network) -> float:
    """Return by which share of its largest value an output of the pruned network is off."""
    pruned = build(groups.narrow(removed)).double().eval()
    weights = narrowed_weights(groups, network.state_dict(), removed)
    pruned.load_state_dict(weights, strict=True)
    keeps = groups.keeps(removed)
    gone = {
        name: [
            None if axis is None else torch.tensor([not keeps[atom] for atom in axis])
            for axis in flow.axes
        ]
        for name, flow in groups.flows.items()
    }

    def without(node: str, value: Tensor) -> Tensor:
        for axis, mask in enumerate(gone[node], start=1):
            if mask is not None:
                shape = [1] * value.ndim
                shape[axis] = -1
                value = value.masked_fill(mask.view(shape), 0.0)
        return value

    torch.manual_seed(1)
    inputs = [torch.randn(2, *node.out, dtype=torch.float64) for node in groups.graph.inputs]
    whole = without_states(groups, network, keeps)
    with torch.no_grad():
        wanted = whole.run(tuple(x.clone() for x in inputs), without)
        got = pruned(*inputs)
    if isinstance(wanted, Tensor):
        wanted, got = {"": wanted}, {"": got}
    assert wanted.keys() == got.keys()
    return max(
        float((got[name] - value).abs().max() / value.abs().max().clamp(min=1e-30))
        for name, value in wanted.items()
    )

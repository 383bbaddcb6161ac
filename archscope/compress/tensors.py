"""The norms of the weights of channels, and the weights of a network without some channels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from archscope.build import build
from archscope.compress.channels import Axes, Channels, Flow
from archscope.compress.groups import ChannelGroups
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.module_names import module_path
from archscope.ops.norm import BatchNorm
from archscope.weights import LENGTH, load_weights


def seeded_weights(graph: Graph, seed: int) -> dict[str, Tensor]:
    """Return the initial weights of a network."""
    with torch.random.fork_rng(devices=()):  # does not change the caller's random state
        torch.manual_seed(seed)
        return build(graph).state_dict()


def fitted_weights(graph: Graph, weights: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Return all weights in the order of the network; errors refer to them as `source`.

    Raises OptionError unless names and shapes are those of the network.
    """
    with torch.random.fork_rng(devices=()):
        network = build(graph)
    load_weights(network, weights, source)
    return network.state_dict()


def narrowed_weights(
    groups: ChannelGroups, weights: Mapping[str, Tensor], removed: Collection[int]
) -> dict[str, Tensor]:
    """Return the weights of `groups.narrow(removed)`: slices of those of the whole network."""
    keeps = groups.keeps(removed)
    found = dict(weights)
    for node in groups.graph.nodes:
        if node.shares is None:
            at, flow = module_path(node.name), groups.flows[node.name]
            held = {
                name: weights[f"{at}.{name}"] for name in flow.weights if f"{at}.{name}" in weights
            }
            sliced = narrowed_layer(flow, held, keeps)
            found |= {f"{at}.{name}": tensor for name, tensor in sliced.items()}
    return found


def narrowed_layer(
    flow: Flow, weights: Mapping[str, Tensor], keeps: Sequence[int]
) -> dict[str, Tensor]:
    """Return the weights of a layer, by their names in its module, without some channels.

    `keeps` has 1 for each atom that stays. With weight norm, a filter without some of its inputs
    has another length, so that its weights stay the same.
    """

    def sliced(tensor: Tensor, axes: Axes) -> Tensor:
        for axis, channels in enumerate(axes):
            if channels is not None:
                places = [place for place, atom in enumerate(channels) if keeps[atom]]
                if len(places) < len(channels):
                    tensor = tensor.index_select(axis, torch.tensor(places))
        return tensor.contiguous()

    found = {name: sliced(tensor, flow.weights[name]) for name, tensor in weights.items()}
    if LENGTH in found:
        whole = sliced(weights["weight_v"], flow.weights["weight_v"][:1])
        change = _lengths(found["weight_v"]) / _lengths(whole)
        found[LENGTH] = found[LENGTH] * change
    return found


def _lengths(direction: Tensor) -> Tensor:
    """Return the length of each filter of a layer with weight norm."""
    return torch.norm_except_dim(direction, 2, 0)


def magnitudes(
    groups: ChannelGroups, weights: Mapping[str, Tensor], *, squared: bool = False
) -> dict[int, float]:
    """Return the mean norm of the filters of each unit, relative to the others of their layers.

    The norm of a filter is the mean of its absolute values, or with `squared` the root of the
    mean of their squares. The mean over a layer is 1, so that layers of other scales compare.
    """
    found: dict[int, list[float]] = defaultdict(list)
    for name, axis, along in _filters(groups, weights):
        sizes = weights[name].double().movedim(axis, 0).flatten(1)
        norms = sizes.square().mean(1).sqrt() if squared else sizes.abs().mean(1)
        check_finite(name, norms)
        mean = float(norms.mean()) or 1.0
        _add(found, groups, along, norms / mean)
    return {root: sum(values) / len(values) for root, values in found.items()}


def taylor(
    groups: ChannelGroups,
    weights: Mapping[str, Tensor],
    gradients: Iterable[Mapping[str, Tensor]],
) -> dict[int, float]:
    """Return the squared change of the loss without each unit, to first order, over batches.

    The change is the sum of weight times gradient over all filters of a unit (Molchanov et al.
    2019), so that units of different layers compare as they are.
    """
    found: dict[int, float] = defaultdict(float)
    for gradient in gradients:
        changes: dict[int, list[float]] = defaultdict(list)
        for name, axis, along in _filters(groups, weights):
            change = weights[name].double() * gradient[name].double()
            _add(changes, groups, along, change.movedim(axis, 0).flatten(1).sum(1))
        for root, values in changes.items():
            found[root] += sum(values) ** 2
    return dict(found)


def scales(groups: ChannelGroups, weights: Mapping[str, Tensor]) -> dict[int, float]:
    """Return the mean absolute scale of the batch norms of each unit."""
    found: dict[int, list[float]] = defaultdict(list)
    for node in groups.graph.nodes:
        if isinstance(node.op, BatchNorm) and node.op.affine and node.shares is None:
            name = f"{module_path(node.name)}.weight"
            check_finite(name, weights[name])
            _add(found, groups, groups.flows[node.name].out, weights[name].abs())
    return {root: sum(values) / len(values) for root, values in found.items()}


def check_finite(name: str, values: Tensor) -> None:
    """Raise OptionError for values that are not finite."""
    if not values.isfinite().all():
        raise OptionError(f"the weight '{name}' holds values that are not finite")


def _add(
    found: dict[int, list[float]], groups: ChannelGroups, channels: Channels, values: Tensor
) -> None:
    for atom, value in zip(channels, values.tolist(), strict=True):
        for root in groups.leaves[atom]:
            found[root].append(value)


def _filters(
    groups: ChannelGroups, weights: Mapping[str, Tensor]
) -> Iterator[tuple[str, int, Channels]]:
    """Yield the weights whose filters produce channels, their filter axis and the channels."""
    for node in groups.graph.nodes:
        if node.shares is None:
            at, flow = module_path(node.name), groups.flows[node.name]
            for name, axis in flow.filters.items():
                along = flow.weights[name][axis]
                if along is not None and f"{at}.{name}" in weights:
                    yield f"{at}.{name}", axis, along


def largest(weights: Mapping[str, Tensor], share: float, together: bool) -> dict[str, Tensor]:
    """Return masks of the largest share of all weights together, or of each tensor alone.

    Zeros are never in it. Of equal sizes, as in weights of a few bits, those in it are spread
    evenly.
    """
    if not together:
        return {name: largest({name: w}, share, True)[name] for name, w in weights.items()}
    sizes = torch.cat([tensor.detach().abs().flatten() for tensor in weights.values()])
    count = round(share * len(sizes))
    gone = len(sizes) - count
    limit = sizes.kthvalue(gone).values if gone else sizes.new_zeros(())
    mask = sizes > limit
    if limit > 0:
        equal, more = (sizes == limit).nonzero().flatten(), count - int(mask.sum())
        mask[equal[torch.arange(more) * len(equal) // max(more, 1)]] = True
    parts = torch.split(mask, [tensor.numel() for tensor in weights.values()])
    return {
        name: part.view(tensor.shape)
        for (name, tensor), part in zip(weights.items(), parts, strict=True)
    }

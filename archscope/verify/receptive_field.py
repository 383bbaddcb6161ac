"""Receptive fields against derivatives.

The module gets positive random weights and averages in place of maxima, so that no derivative
cancels. A forward-mode derivative by all inputs before a position is non-zero at an output
exactly if the output sees one of them; by all inputs behind it, likewise. So the first and
the last input that each output of each node sees are held against torch at every node, in a
few passes, on an input that is longer than the field.
"""

from __future__ import annotations

from math import log10, prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad as typeless_forward_ad

from archscope.analysis.receptive_field import Field, Reach, ReceptiveFields, receptive_fields
from archscope.analysis.shapes import with_inputs
from archscope.build import Network, build
from archscope.errors import ShapeError
from archscope.ir import Graph
from archscope.verify.check import Check, compare

forward_ad: Any = typeless_forward_ad  # torch gives it no types
ORACLE = "torch derivatives"
LEVEL = 1e-8  # of the test input: positive, and far from where activations saturate
LONGEST = 4096  # positions of a test input along one axis
NARROW = (32, 64, 96, 128, 192, 256)  # tried as the other axes, to save work


def check(graph: Graph) -> Check:
    """Compare the first and last input that outputs see, along each axis, at every node."""
    source = graph.inputs[0]
    fields = receptive_fields(graph, source.name)
    local = [name for name, field in fields.fields.items() if field.axes is not None]
    if not local:
        return compare("receptive field", ORACLE, "field", [], "the input has no spatial extent")
    trunk = _part(graph, local)
    pairs: list[tuple[str, object, object]] = []
    notes = []
    for axis in range(len(source.out) - 1):
        thorough = axis == 0 or not _alike(fields)
        found = _check_axis(trunk, fields, axis, thorough)
        if isinstance(found, str):
            notes.append(found)
        else:
            pairs += found
    return compare("receptive field", ORACLE, "first and last input seen", pairs, "; ".join(notes))


def _alike(fields: ReceptiveFields) -> bool:
    """Return whether all axes are equal, so that one of them tells of the others."""
    return all(len(set(field.axes)) == 1 for field in fields.fields.values() if field.axes)


def _part(graph: Graph, names: list[str]) -> Graph:
    """Return the nodes that these depend on, as a network of their own."""
    wanted = graph.ancestors(*names, *(node.name for node in graph.inputs))
    nodes = tuple(node for node in graph.nodes if node.name in wanted)
    output = graph.outputs[0].__class__("output", nodes[-1].name)
    return Graph(graph.name, nodes, (output,))


def _check_axis(
    graph: Graph, fields: ReceptiveFields, axis: int, thorough: bool
) -> list[tuple[str, object, object]] | str:
    reaches = {
        name: field.axes[axis]
        for name, field in fields.fields.items()
        if field.axes is not None and field.known
    }
    largest = max(reach.size for reach in reaches.values())
    step = max(-(-reach.jump // reach.period) for reach in reaches.values())
    length = largest + 8 * step
    if length > LONGEST:
        return f"axis {axis}: the field of {largest} needs an input beyond {LONGEST}"
    fitted = _fitted(graph, axis, length)
    if fitted is None:
        return f"axis {axis}: the layers do not take an input of {length}"
    fields = receptive_fields(fitted, fields.source)
    reaches = {n: f.axes[axis] for n, f in fields.fields.items() if f.axes and n in reaches}
    network = _surrogate(fitted)
    if network is None:
        return "a dilated maximum has no average to stand for it"
    middle = (length - largest) // 2
    pairs: list[tuple[str, object, object]] = []
    for behind in (False, True):
        start = middle + largest - 1 if behind else middle
        cuts = _cuts(reaches, start, step, behind) if thorough else [start]
        for cut in cuts:
            seen = _seen(network, fitted, fields.fields, axis, cut, behind)
            for name, reach in reaches.items():
                size = fitted.by_name[name].out[axis + 1]
                ours, theirs = _compared(reach, seen[name], size, length, cut, behind)
                pairs.append((name, ours, theirs))
    return pairs


def _fitted(graph: Graph, axis: int, length: int) -> Graph | None:
    """Return the graph for an input that is long along one axis and narrow along the others."""
    source = graph.inputs[0]
    for narrow in (*NARROW, max(source.out[1:])):
        sizes = [min(narrow, size) if narrow < size else size for size in source.out]
        sizes[0], sizes[axis + 1] = source.out[0], length
        try:
            return with_inputs(graph, {node.name: tuple(sizes) for node in graph.inputs})
        except ShapeError:
            continue
    return None


def _surrogate(graph: Graph) -> Network | None:
    """Return the module with positive weights, and averages for maxima; None if it cannot be."""
    taps = sum(
        log10(prod(axis.kernel for axis in window if hasattr(axis, "kernel")))
        for node in graph.nodes
        if (window := node.facts.window)
    )
    # The corner of a field weighs one over the product of all windows: mind the exponent.
    network = build(graph).to(torch.float32 if taps < 30 else torch.float64).eval()
    torch.manual_seed(0)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(False)
        if name.endswith("bias"):
            parameter.zero_()
    for name, module in network.modules_by_node.items():
        weight = getattr(module, "weight", None)
        if isinstance(weight, Tensor) and weight.dim() > 1:
            fan_in = prod(weight.shape[1:])
            weight.copy_((torch.rand_like(weight) + 0.5) / fan_in)
        if isinstance(module, nn.MaxPool1d | nn.MaxPool2d | nn.MaxPool3d):
            if module.dilation not in (1, (1,), (1, 1), (1, 1, 1)):
                return None
            network.modules_by_node[name] = _average(module)
    return network


def _average(pool: nn.MaxPool1d | nn.MaxPool2d | nn.MaxPool3d) -> nn.Module:
    rank = {nn.MaxPool1d: 1, nn.MaxPool2d: 2, nn.MaxPool3d: 3}
    axes = next(count for cls, count in rank.items() if isinstance(pool, cls))
    average: nn.Module = getattr(nn, f"AvgPool{axes}d")(
        pool.kernel_size, pool.stride, pool.padding, pool.ceil_mode
    )
    pad = getattr(pool, "pad", None)
    if pad is None:
        return average
    return nn.Sequential(getattr(nn, f"ConstantPad{axes}d")(pad, 0.0), average)


def _cuts(reaches: dict[str, Reach], start: int, step: int, behind: bool) -> list[int]:
    """Return cuts so that for every node one falls right before and one right at a boundary."""
    cuts: list[int] = []
    for reach in reaches.values():
        edges = reach.rights if behind else reach.lefts
        grid = -(-reach.jump // reach.period)
        for shift in (0, 1):
            wanted = {(edge + shift) % grid for edge in edges if edge is not None}
            if not wanted & {cut % grid for cut in cuts}:
                cuts.append(next(c for c in range(start, start + 2 * step) if c % grid in wanted))
    return cuts


def _seen(
    network: Network,
    graph: Graph,
    fields: dict[str, Field],
    axis: int,
    cut: int,
    behind: bool,
) -> dict[str, Tensor]:
    """Return for each node where along the axis the derivative by one side of the cut is not 0."""
    dtype = next((p.dtype for p in network.parameters()), torch.float32)
    seen: dict[str, Tensor] = {}
    source = graph.inputs[0].name

    def probe(name: str, value: Tensor) -> Tensor:
        field = fields.get(name)
        if field is None:
            return value
        primal: Tensor
        primal, tangent = forward_ad.unpack_dual(value)
        if field.axes is None or tangent is None:
            return primal  # a gate sees everything; what it scales is what we look at
        others = [one for one in range(tangent.dim()) if one != axis + 2]
        seen[name] = (tangent != 0).any(dim=others[-1])
        for one in reversed(others[:-1]):
            seen[name] = seen[name].any(dim=one)
        return value

    with torch.no_grad(), forward_ad.dual_level():
        inputs = []
        for node in graph.inputs:
            primal = torch.full((1, *node.out), LEVEL, dtype=dtype)
            tangent = torch.zeros_like(primal)
            if node.name == source:
                side = slice(cut, None) if behind else slice(None, cut)
                tangent[(slice(None),) * (axis + 2) + (side,)] = 1
            inputs.append(forward_ad.make_dual(primal, tangent))
        network.run(tuple(inputs), probe)
    return seen


def _compared(
    reach: Reach, seen: Tensor, size: int, length: int, cut: int, behind: bool
) -> tuple[str, str]:
    """Return as words which outputs within the input see beyond the cut, by us and by torch."""
    ours, theirs = [], []
    for position in range(size):
        pair = reach.at(position)
        if pair is None or pair[0] < 0 or pair[1] >= length:
            continue  # at the border padding hides a part of the field
        ours.append(pair[1] >= cut if behind else pair[0] < cut)
        theirs.append(bool(seen[position]))
    return _edge(ours), _edge(theirs)


def _edge(marks: list[bool]) -> str:
    return f"{sum(marks)} of {len(marks)}" if marks else "none inside"

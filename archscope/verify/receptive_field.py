"""Verify receptive fields by derivatives.

The module gets positive random weights, and sums in place of maxima, so that no derivative cancels.
A forward-mode derivative with respect to all inputs before a position is nonzero at an output
exactly if the output sees one of them, and likewise for all inputs after it. So the first and the
last input that each output sees are compared with torch at every node, in one pass per axis, on an
input that is longer than the field. After each node its values are reset to ones and its
derivatives to small positive numbers, so that nothing vanishes in deep networks.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad as typeless_forward_ad
from torch.nn import functional

from archscope.analysis.receptive_field import Field, Reach, ReceptiveFields, receptive_fields
from archscope.build import Network, build
from archscope.errors import ShapeError
from archscope.ir import Graph, Node, Output
from archscope.nn import Add, Clamp, Compare, FakeQuantize, MaxPoolIndices, MaxUnpool, Where
from archscope.transforms.input_shapes import with_inputs
from archscope.verify.check import Check, Pairs, compare

forward_ad: Any = typeless_forward_ad  # untyped in torch
ORACLE = "torch derivatives"
LONGEST = 4096  # the most positions of a test input along an axis
NARROW = (1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256)  # sizes to try for other axes, to save work
NOISE = 1e-9  # rounding errors of a weight of 0 when torch interpolates in float64

MaxPool = nn.MaxPool1d | nn.MaxPool2d | nn.MaxPool3d
AdaptiveMaxPool = nn.AdaptiveMaxPool1d | nn.AdaptiveMaxPool2d | nn.AdaptiveMaxPool3d

Cut = tuple[int, bool]
"""A position, and whether the inputs from there on are changed or those before it."""


def check(graph: Graph) -> Check:
    """Compare the first and last input that outputs see, along each axis, at every node."""
    pairs: Pairs = []
    notes = []
    for source in graph.inputs:
        fields = receptive_fields(graph, source.name)
        local = [name for name, field in fields.fields.items() if field.axes is not None]
        if not local:
            notes.append(f"'{source.name}' has no spatial extent")
            continue
        # The local nodes and their inputs form a network of their own.
        trunk = graph.only(
            graph.ancestors(*local, *(node.name for node in graph.inputs)),
            (Output("output", local[-1]),),
        )
        for axis in range(len(source.out) - 1):
            thorough = axis == 0 or not _alike(fields)
            found = _check_axis(trunk, source, fields, axis, thorough)
            if isinstance(found, str):
                notes.append(f"'{source.name}' along axis {axis}: {found}")
            else:
                pairs += found
    return compare("receptive field", ORACLE, "outputs that see it", pairs, "; ".join(notes))


def _alike(fields: ReceptiveFields) -> bool:
    """Return whether all axes are equal, so that checking one is enough."""
    return all(len(set(field.axes)) == 1 for field in fields.fields.values() if field.axes)


def _check_axis(
    graph: Graph, source: Node, fields: ReceptiveFields, axis: int, thorough: bool
) -> Pairs | str:
    largest, step = _extent(_reaches(fields, axis))
    length = largest + 8 * step
    if length > LONGEST:
        return f"the field of {largest} needs an input beyond {LONGEST}"
    best: Pairs | str = f"the layers do not take an input of {length}"
    for narrow in (*NARROW, None):
        sizes = [narrow or size for size in source.out[1:]]
        sizes[axis] = length
        fitted = _fitted(graph, source, tuple(sizes))
        if fitted is None:
            continue
        network = _surrogate(fitted)
        fields = receptive_fields(fitted, source.name)
        reaches = _reaches(fields, axis)
        whole = _whole(fitted, fields, axis)
        cuts = _cuts(reaches, length, thorough)
        seen = _seen(network, fitted, fields.fields, source.name, axis, cuts)
        best = [
            pair
            for name, reach in reaches.items()
            if name in seen  # the others have no derivative, as indices
            for pair in _compared(name, reach, whole[name], seen[name], cuts)
        ]
        # If the input is too narrow, dilated windows may see nothing but padding.
        if all(bool(marks.any()) for marks in seen.values()):
            break
    return best


def _reaches(fields: ReceptiveFields, axis: int) -> dict[str, Reach]:
    return {
        name: field.axes[axis]
        for name, field in fields.fields.items()
        if field.axes is not None and field.known
    }


def _extent(reaches: dict[str, Reach]) -> tuple[int, int]:
    """Return the largest field and the largest step between neighbouring outputs."""
    return (
        max(reach.size for reach in reaches.values()),
        max(-(-reach.jump // reach.period) for reach in reaches.values()),
    )


def _fitted(graph: Graph, source: Node, sizes: tuple[int, ...]) -> Graph | None:
    """Return the graph for other sizes of an input and of inputs with the same extent."""
    shapes = {
        node.name: (node.out[0], *sizes) for node in graph.inputs if node.out[1:] == source.out[1:]
    }
    try:
        return with_inputs(graph, shapes)
    except ShapeError:
        return None


def _whole(graph: Graph, fields: ReceptiveFields, axis: int) -> dict[str, set[int]]:
    """Return the outputs of each node whose field no border cuts off, including on the way."""
    whole: dict[str, set[int]] = {}
    for node in graph.nodes:
        field = fields.fields.get(node.name)
        if field is None or field.axes is None:
            continue
        window = node.facts.window
        if not node.inputs:
            whole[node.name] = set(range(node.out[axis + 1]))
        elif window:
            before, along = whole[node.inputs[0]], window[axis]
            outputs = range(node.out[axis + 1])
            whole[node.name] = {u for u in outputs if before.issuperset(along.taps(u))}
        else:
            entering = [whole[name] for name in node.inputs if name in whole]
            whole[node.name] = set.intersection(*entering)
    return whole


def _cuts(reaches: dict[str, Reach], length: int, thorough: bool) -> list[Cut]:
    """Return cuts such that every node has one right before and one right at a boundary."""
    largest, step = _extent(reaches)
    middle = max(length - largest, 0) // 2
    cuts: list[Cut] = []
    for behind in (False, True):
        start = min(middle + largest - 1, length - 1) if behind else middle
        found = [] if thorough else [start]
        for reach in reaches.values() if thorough else ():
            edges = reach.rights if behind else reach.lefts
            grid = -(-reach.jump // reach.period)
            for shift in (0, 1):
                wanted = {(edge + shift) % grid for edge in edges if edge is not None}
                if not wanted & {cut % grid for cut in found}:
                    found += [c for c in range(start, start + step) if c % grid in wanted][:1]
        cuts += [(cut, behind) for cut in found]
    return cuts


def _seen(
    network: Network,
    graph: Graph,
    fields: dict[str, Field],
    source: str,
    axis: int,
    cuts: list[Cut],
) -> dict[str, Tensor]:
    """Return the positions along the axis with a nonzero derivative, for each node and cut."""
    seen: dict[str, Tensor] = {}
    linear = any(getattr(module, "mode", "").endswith("linear") for module in network.modules())
    # When torch interpolates, fractional positions must be precise enough to recognise a 0.
    dtype = torch.float64 if linear else torch.float32
    network.to(dtype)

    def probe(name: str, value: Tensor) -> Tensor:
        primal, tangent = forward_ad.unpack_dual(value)
        ones: Tensor = torch.ones_like(primal)
        field = fields.get(name)
        if field is None or field.axes is None or tangent is None:
            return ones  # a gate sees everything; only the scaled branch is of interest
        # The field of a value is that of all its channels, even for a slice of them.
        marks = (tangent.abs() > NOISE).any(dim=1, keepdim=True)
        seen[name] = marks.any(dim=[other for other in range(1, marks.dim()) if other != axis + 2])
        # Different in each channel, as the derivative of a softmax would cancel otherwise.
        weights = torch.rand(value.shape[1:2] + (1,) * (marks.dim() - 2), dtype=dtype) + 0.5
        dual: Tensor = forward_ad.make_dual(ones, marks * weights)
        return dual

    with torch.no_grad(), forward_ad.dual_level():
        inputs = []
        for node in graph.inputs:
            primal = torch.ones(len(cuts), *node.out, dtype=dtype)
            if node.name == source:
                tangent = torch.zeros_like(primal)
                along = tangent.movedim(axis + 2, 1)
                for row, (cut, behind) in zip(along, cuts, strict=True):
                    row[slice(cut, None) if behind else slice(None, cut)] = 1
                primal = forward_ad.make_dual(primal, tangent)
            inputs.append(primal)
        network.run(tuple(inputs), probe)
    return seen


def _compared(name: str, reach: Reach, whole: set[int], seen: Tensor, cuts: list[Cut]) -> Pairs:
    """Describe which outputs with a whole field see beyond each cut, for archscope and torch."""
    spans = [(position, reach.at(position)) for position in sorted(whole)]
    inside = [(position, *span) for position, span in spans if span is not None]
    pairs: Pairs = []
    for (cut, behind), marks in zip(cuts, seen.tolist(), strict=True):
        ours = [p for p, left, right in inside if (right >= cut if behind else left < cut)]
        theirs = [p for p, _, _ in inside if marks[p]]
        side = "from" if behind else "before"
        pairs.append((name, _text(side, cut, ours), _text(side, cut, theirs)))
    return pairs


def _text(side: str, cut: int, outputs: list[int]) -> str:
    """Return `input from 7: outputs 5 to 9`."""
    shown = f"outputs {outputs[0]} to {outputs[-1]}" if outputs else "no outputs"
    whole = len(outputs) == outputs[-1] - outputs[0] + 1 if outputs else True
    return f"input {side} {cut}: {shown}{'' if whole else f', {len(outputs)} of them'}"


def _surrogate(graph: Graph) -> Network:
    """Return the module of a graph with positive weights, and sums in place of maxima."""
    network = build(graph).eval()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
        if parameter.dim() > 1:
            parameter.copy_(torch.rand_like(parameter) + 0.5)
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, MaxPool | MaxPoolIndices):
                setattr(module, name, _Sum(child))
            elif isinstance(child, MaxUnpool):
                setattr(module, name, _Spread(child))
            elif isinstance(child, FakeQuantize | Compare | Clamp):  # step functions: no derivative
                setattr(module, name, nn.Identity())
            elif isinstance(child, Where):
                setattr(module, name, Add())
            elif isinstance(child, AdaptiveMaxPool):
                axes = type(child).__name__[-2:]
                setattr(module, name, getattr(nn, f"AdaptiveAvgPool{axes}")(child.output_size))
    return network


class _Sum(nn.Module):
    """Sums each window of a max pool, so that the output depends on all its values."""

    def __init__(self, pool: MaxPool | MaxPoolIndices) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of each window of the pool."""
        pool: Any = self.pool
        sizes = pool(x).shape
        if hasattr(pool, "pad"):
            x = functional.pad(x, pool.pad)
        kernel, stride, padding, dilation = (
            value if isinstance(value, tuple) else (value,) * (x.dim() - 2)
            for value in (pool.kernel_size, pool.stride, pool.padding, pool.dilation)
        )
        # Pad at the end for a last window that extends beyond the input.
        sides = [(p, p + k * d) for p, k, d in zip(padding, kernel, dilation, strict=True)]
        x = functional.pad(x, [side for pair in reversed(sides) for side in pair])
        convolve: Any = getattr(functional, f"conv{len(kernel)}d")
        ones = x.new_ones(1, 1, *kernel)
        sums = convolve(x.flatten(0, 1)[:, None], ones, None, stride, 0, dilation)
        cropped: Tensor = sums[(..., *(slice(size) for size in sizes[2:]))]
        return cropped.reshape(sizes)


class _Spread(nn.Module):
    """Adds each value to its whole window, so that positions depend on all that may set them."""

    def __init__(self, unpool: MaxUnpool) -> None:
        super().__init__()
        self.unpool = unpool

    def forward(self, x: Tensor, index: Tensor) -> Tensor:
        """Return the sums of the values, and of their indices, whose windows see each position."""
        rank, unpool = x.dim() - 2, self.unpool
        kernel, stride, padding, size = (
            value if isinstance(value, tuple) else (value,) * rank
            for value in (unpool.kernel_size, unpool.stride, unpool.padding, unpool.size)
        )
        convolve: Any = getattr(functional, f"conv_transpose{rank}d")
        ones = x.new_ones(1, 1, *kernel)
        spread = convolve((x + index).flatten(0, 1)[:, None], ones, None, stride)
        ends = zip(size, padding, spread.shape[2:], strict=True)
        sides = [(-before, before + wanted - made) for wanted, before, made in ends]
        fitted: Tensor = functional.pad(spread, [side for pair in reversed(sides) for side in pair])
        return fitted.reshape(*x.shape[:2], *size)

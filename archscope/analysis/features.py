"""Describe a network by a few dozen numbers, for models that predict properties of networks.

All are computed from shapes and from facts of operators, so networks from any source have them,
even with operators that were not recognised.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from math import log, log2, prod
from typing import NamedTuple

from archscope.analysis.cost import sums_of
from archscope.analysis.receptive_field import receptive_fields
from archscope.analysis.structure import structure
from archscope.ir import WHOLE, Facts, Graph, Node, Shape

STAGES = 6
"""The number of stages, which are separated by halving the input."""


def features(graph: Graph, classes: int | None = None) -> dict[str, float]:
    """Return the features of an image classifier by name; shares are 0 to 1, logs are natural.

    Widths, depths and costs by stage belong to the layers whose outputs are 2, 4, ... 32 and 64 or
    more times smaller than the input along each axis. With `classes`, the last layer is taken to
    have that many outputs.
    """
    graph = graph.inference()
    pairs = list(zip(graph.nodes, graph.facts.values(), strict=True))
    weighted = [_Layer(node, facts) for node, facts in pairs if facts.macs and node.inputs]
    params, _, macs, access, *_ = sums_of(graph.nodes, graph.facts.values())
    totals = Totals(params, macs, access)
    if classes is not None and weighted:
        totals = _with_classes(weighted[-1], classes, totals)
    sides = graph.inputs[0].out[1:] or (1,)
    side = prod(sides) ** (1 / len(sides))
    found = _totals(graph, totals, weighted, side)
    found |= _by_stage(weighted, side)
    found |= _kinds(weighted)
    found |= _others(pairs, len(weighted))
    found |= _geometry(graph, weighted, side)
    return found


class _Layer:
    """A convolution or matrix product."""

    def __init__(self, node: Node, facts: Facts) -> None:
        self.macs, self.params = facts.macs, facts.params if node.shares is None else 0
        self.learned, self.out = facts.params > 0, node.out
        self.ins = node.ins
        self.positions = prod(node.out[1:]) if node.out else 1
        self.source = node.ins[0][0] if node.ins[0] else 1
        self.width = node.out[0] if node.out else 1
        # The weights per output value and input channel: taps / groups.
        self.density = facts.macs / max(prod(node.out), 1) / self.source
        windows = facts.window or ()
        kernel = prod(getattr(window, "kernel", 1) for window in windows)
        self.kernel = float(kernel) if windows else max(self.density, 1.0)
        if not self.learned or self.positions == 1:
            self.kernel = self.density = 1.0
        self.groups = self.kernel / self.density

    @property
    def depthwise(self) -> bool:
        return self.groups > 1.5 and self.groups >= 0.9 * self.source


class Totals(NamedTuple):
    """Sums over a network."""

    params: int
    macs: int
    access: int


def _with_classes(head: _Layer, classes: int, totals: Totals) -> Totals:
    """Change the number of outputs of the last layer, and return the new totals."""
    if head.positions > 1 or not head.learned:
        return totals
    params, macs = (number * classes // head.width for number in (head.params, head.macs))
    more = params - head.params
    changed = totals._replace(
        params=totals.params + more,
        macs=totals.macs + macs - head.macs,
        access=totals.access + more + classes - head.width,
    )
    head.params, head.macs, head.width, head.out = params, macs, classes, (classes,)
    return changed


def _log(value: float) -> float:
    return log(max(value, 1.0))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _totals(graph: Graph, totals: Totals, weighted: list[_Layer], side: float) -> dict[str, float]:
    params, macs, access = totals
    activations = sum(prod(layer.out) for layer in weighted)
    shape = structure(graph)
    head = weighted[-1] if weighted else None
    return {
        "macs": _log(macs),
        "params": _log(params),
        "activations": _log(activations),
        "access": _log(access),
        "side": _log(side),
        "macs_per_param": _log(macs) - _log(params),
        "macs_per_pixel": _log(macs) - 2 * _log(side),
        "depth": _log(shape.depth),
        "layers": _log(len(weighted)),
        "branches": _log(len(weighted)) - _log(shape.depth),
        "width": _log(shape.width),
        "head": _share(head.params, params) if head else 0.0,
        "embedding": _log(head.source) if head else 0.0,
        "trunk_params": _log(params - head.params) if head else 0.0,
    }


def stage_of(shape: Shape, side: float) -> int:
    """Return how often the input was halved, 1 to `STAGES`; 0 at full size."""
    sides = shape[1:]
    mean = prod(sides) ** (1 / len(sides))
    return min(max(round(log2(max(side / mean, 1.0))), 0), STAGES)


def _by_stage(weighted: list[_Layer], side: float) -> dict[str, float]:
    spatial = [layer for layer in weighted if layer.positions > 1]
    macs, params = (sum(getattr(x, key) for x in spatial) for key in ("macs", "params"))
    held: dict[int, list[_Layer]] = defaultdict(list)
    for layer in spatial:
        held[stage_of(layer.out, side)].append(layer)
    found = {}
    for stage in range(STAGES + 1):
        layers = held[stage]
        found[f"stage{stage}.macs"] = _share(sum(layer.macs for layer in layers), macs)
        found[f"stage{stage}.params"] = _share(sum(layer.params for layer in layers), params)
        found[f"stage{stage}.layers"] = log(1 + len(layers))
        found[f"stage{stage}.width"] = _log(max((layer.width for layer in layers), default=1))
        found[f"stage{stage}.kernel"] = _mean_log(layer.kernel for layer in layers)
    return found


def _mean_log(values: Iterable[float]) -> float:
    logs = [log(max(value, 1e-9)) for value in values]
    return sum(logs) / len(logs) if logs else 0.0


def _kinds(weighted: list[_Layer]) -> dict[str, float]:
    spatial = [layer for layer in weighted if layer.positions > 1 and layer.learned]
    macs, params = sum(x.macs for x in weighted), sum(x.params for x in weighted)
    groups = {
        "depthwise": [x for x in spatial if x.depthwise],
        "grouped": [x for x in spatial if x.groups > 1.5 and not x.depthwise],
        "pointwise": [x for x in spatial if x.kernel <= 1 and x.groups <= 1.5],
        "large": [x for x in spatial if x.kernel >= 20],
        "products": [x for x in weighted if not x.learned],
    }
    found = {}
    for name, layers in groups.items():
        found[f"{name}.macs"] = _share(sum(layer.macs for layer in layers), macs)
        found[f"{name}.count"] = _share(len(layers), len(weighted))
    found["depthwise.params"] = _share(sum(x.params for x in groups["depthwise"]), params)
    wide = [x for x in spatial if x.kernel > 1]
    found["kernel"] = _mean_log(layer.kernel for layer in wide)
    found["kernel.largest"] = log(max((layer.kernel for layer in wide), default=1.0))
    found["group_width"] = _mean_log(layer.source / layer.groups for layer in wide)
    found["expansion"] = _mean_log(
        max(x.source, x.width) / min(x.source, x.width) for x in groups["pointwise"]
    )
    found["spatial.width"] = _mean_log(layer.width for layer in wide)
    return found


def _others(pairs: list[tuple[Node, Facts]], count: int) -> dict[str, float]:
    """Return features of the other operators: norms, activations, sums, gates."""
    tally: dict[str, float] = defaultdict(float)
    kinds: dict[str, int] = defaultdict(int)
    for node, facts in pairs:
        op, ins = node.op, node.ins
        if op.normalises:
            kind = "batch" if facts.buffers else "image" if facts.window is WHOLE else "position"
            tally[f"norm.{kind}"] += 1
        elif op.nonlinear and op.valuewise and _positions(node.out) > 1:
            kinds[op.name] += 1
        elif len(ins) > 1:
            if min(map(_positions, ins)) == 1 < _positions(node.out):
                tally["gates"] += 1
            elif op.zero_is_neutral and len(set(ins)) == 1:
                tally["sums"] += 1
            elif node.out and node.out[0] == sum(shape[0] for shape in ins if shape):
                tally["concats"] += 1
        elif facts.params and not facts.macs and ins:
            tally["scales"] += 1
        elif facts.window and not facts.params and max(w.step for w in facts.window) > 1:
            tally["pools"] += 1
    activations = sum(kinds.values())
    found = {
        name: _share(tally[name], count)
        for name in ("norm.batch", "norm.image", "norm.position", "gates", "sums", "concats",
                     "scales", "pools")
    }  # fmt: skip
    found["activations.count"] = _share(activations, count)
    for name in ("relu", "relu6", "silu", "gelu", "hardswish", "leaky_relu"):
        found[f"activation.{name}"] = _share(kinds[name], activations)
    return found


def _positions(shape: Shape) -> int:
    return prod(shape[1:]) if shape else 1


def _geometry(graph: Graph, weighted: list[_Layer], side: float) -> dict[str, float]:
    seen = receptive_fields(graph)
    trunk = seen.trunk(graph)
    field = seen.fields[trunk] if trunk else None
    size = max(axis.size for axis in field.axes) if field and field.axes else 0
    spatial = [layer for layer in weighted if layer.positions > 1]
    first = spatial[0] if spatial else None
    return {
        "field": log(max(size, 1.0) / side) if size else 4.0,
        "field.known": float(bool(size)),
        "final.positions": _log(spatial[-1].positions) if spatial else 0.0,
        "stem.kernel": log(first.kernel) if first else 0.0,
        "stem.width": _log(first.width) if first else 0.0,
        "stem.stage": stage_of(first.out, side) if first else 0.0,
        "stem.shallow": _share(
            sum(1 for layer in spatial if stage_of(layer.out, side) <= 1), len(weighted)
        ),
    }

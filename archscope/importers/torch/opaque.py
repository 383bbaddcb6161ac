"""Opaque layers: operators without an equivalent of ours, with what is known of them."""

from __future__ import annotations

from math import prod
from typing import Any

from torch import fx

from archscope.importers.aten.batch import Batch
from archscope.importers.aten.names import name_of
from archscope.importers.torch.aten import FREE, Cost, aten_cost, is_pointwise, is_view
from archscope.importers.torch.weight_table import WeightTable
from archscope.ops.foreign import Foreign
from archscope.ops.opaque import Opaque


class OpaqueLayers:
    """The opaque layers of a program, and whether its costs are proportional to the batch."""

    def __init__(self, batch: Batch, weights: WeightTable) -> None:
        self.batch, self.weights = batch, weights
        self.counted: set[fx.Node] = set()  # nodes of several results, one of which was counted
        self.whole = FREE  # the known cost for the whole batch
        self.alike = True  # whether all costs are proportional to the batch
        self.uneven: dict[str, None] = {}  # operators whose cost is not proportional

    def layer(self, node: fx.Node, foreign: Foreign) -> Opaque:
        """Return the known facts of an unrecognised operator."""
        cost = aten_cost(foreign)
        if "result" in foreign.args:  # counted with the first result that is read
            source: Any = node.args[0]
            cost = FREE if source in self.counted else cost
            self.counted.add(source)
        if not (self.batch.divides(cost.macs) and self.batch.divides(cost.work)):
            self.alike = False
            self.uneven[name_of(foreign.target)] = None
        weights = self.weights
        sources = weights.claim(foreign)
        # Results computed from weights alone are not kept, so their first reader bears the cost.
        before = [weights.costs[source] for source in sources if source in weights.costs]
        cost = sum((part.known for part in before), self._share(cost))
        has_statistics = foreign.target == "aten.batch_norm.default"
        buffers = sources & weights.buffers if has_statistics else ()
        return Opaque(
            kind=foreign.target,
            size=self.batch.without(foreign.out),
            learned=sum(prod(weights.tensors[path].shape) for path in sources & weights.params),
            kept=sum(prod(weights.tensors[path].shape) for path in buffers),
            products=cost.macs,
            work=None if any(part.work is None for part in before) else cost.work,
            least=cost.macs is not None and any(part.macs is None for part in before),
            view=is_view(node, foreign),
            pointwise=is_pointwise(foreign, self.batch),
        )

    def _share(self, cost: Cost) -> Cost:
        """Return the cost of an operator for one image, so that the sum is right for the batch."""
        before, self.whole = self.whole, self.whole + cost.known
        size = self.batch.size
        macs, work = (
            -(-after // size) - -(-sofar // size)
            for after, sofar in zip(self.whole.numbers, before.numbers, strict=True)
        )
        return Cost(None if cost.macs is None else macs, None if cost.work is None else work)

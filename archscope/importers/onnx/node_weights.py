"""Give the nodes of a graph the weights of their operators, each counted once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archscope.analysis.cost import DTYPES
from archscope.graph_builder import GraphBuilder
from archscope.importers.onnx.learned import LearnedWeights, stored_bits
from archscope.importers.onnx.resolved_model import OnnxOperator, ResolvedModel
from archscope.ops.foreign import Recognised
from archscope.ops.norm import BatchNorm


class NodeWeights:
    """The weights of nodes, and the constants of the file that they are."""

    def __init__(self, model: ResolvedModel, builder: GraphBuilder) -> None:
        self.model, self.builder = model, builder
        self.learned = LearnedWeights(model)
        self.constants: dict[str, str] = {}  # the constant behind each name in the state dict
        self.owners: dict[tuple[object, ...], str] = {}  # the first node with these weights

    def hold_each(self, operator: OnnxOperator, found: Sequence[tuple[str, Recognised]]) -> None:
        """Give the nodes of an operator their weights, each counted where it is."""
        sources = [self._sources(layer) for _, layer in found]
        for place, (node, layer) in enumerate(found):
            later = frozenset().union(*sources[place + 1 :]) - sources[place]
            self.hold(operator, node, layer, later)

    def _sources(self, found: Recognised) -> frozenset[str]:
        """Return the constants of the file behind the weights of a node."""
        names = [tensor.name for tensor in found.weights.values()]
        return frozenset().union(*(self.model.sources.get(name, frozenset()) for name in names))

    def hold(
        self,
        operator: OnnxOperator,
        node: str,
        found: Recognised,
        later: frozenset[str] = frozenset(),
    ) -> None:
        """Give a node its weights, or share those of the first node that has them.

        The constants of the file in `later` are counted with other nodes.
        """
        ins, weights = self.builder.nodes[node].ins, found.weights
        held = {word: self.learned.same(tensor.name) for word, tensor in weights.items()}
        owner = node
        if held:
            key = (found.op.weights_key(*ins), *held.items())
            owner = self.owners.setdefault(key, node)
        params, _, stored, bits = self.count(operator, later)
        if owner != node:
            self.builder.share(node, owner)
            return
        new_params = None if params == self.builder.nodes[node].facts.params else params
        self.builder.count(node, new_params, stored, weight_bits=bits)
        for word, tensor in weights.items():
            self.constants[f"{node}.{word}"] = tensor.name

    def count(
        self, operator: OnnxOperator, later: frozenset[str] = frozenset()
    ) -> tuple[int, int, int | None, int | None]:
        """Return the params and statistics of an operator that were not counted before.

        Those in `later` are left for another time. The others are their bytes and the bits of a
        weight, the largest array, None if they are of the network's type.
        """
        before, self.learned.largest = self.learned.bytes, None
        left = later - self.learned.counted
        self.learned.counted |= left
        params, kept = self.learned.params(operator), self.learned.statistics(operator)
        self.learned.counted -= left
        stored = self.learned.bytes - before
        plain = DTYPES[self.model.dtype]
        largest = self.learned.largest
        bits = 8 * plain if largest is None else stored_bits(largest)
        return (
            params,
            kept,
            None if stored == (params + kept) * plain else stored,
            None if bits == 8 * plain else bits,
        )

    def arrays(self) -> dict[str, Any]:
        """Return the weights as arrays for torch, with the step counters of its norms."""
        import numpy

        arrays: dict[str, Any] = {}
        for key, value in self.constants.items():
            array = self.model.constants[value]
            bfloat16 = array.dtype.kind == "V"  # a type that numpy itself lacks
            # A copy, because torch warns about read-only arrays that are views of the file.
            arrays[key] = array.astype(numpy.float32) if bfloat16 else numpy.array(array)
            node, _, word = key.rpartition(".")
            if word == "running_mean" and isinstance(self.builder.nodes[node].op, BatchNorm):
                arrays[f"{node}.num_batches_tracked"] = numpy.array(0)
        return arrays

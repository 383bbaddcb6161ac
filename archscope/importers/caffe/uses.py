"""What the values of a definition are used for: feature maps, or labels, boxes and losses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from archscope.importers.caffe.definition import INPUTS, CaffeLayer, Definition, Value

HEADS = frozenset({
    "detectionoutput", "detectionevaluate", "evaldetection", "argmax", "hdf5output", "silence",
    "densecrf",
})  # fmt: skip
"""Layers after the result: metrics, and the selection of boxes and classes."""

FROM_SIZES = frozenset({"priorbox", "anchorgenerator"})
"""Layers whose result depends only on the sizes of their inputs."""

SELECTING = frozenset({
    "python", "proposal", "proposallayer", "rpnproposal", "boxannotatorohem", "boxgroupoutput",
    "boxoutput", "decodebbox", "nms",
})  # fmt: skip
"""Layers that select boxes or labels if only heads, losses and region pools read their results."""

REGION_POOLS = frozenset({
    "roipooling", "roialign", "roialignpooling", "roipool", "roiwarping", "psroipooling",
    "psroialign", "deformablepsroipooling",
})  # fmt: skip
"""Layers that cut regions, their second input, out of a map."""

FIRST_ALONE = REGION_POOLS | {"margininnerproduct"}
"""Layers whose inputs after the first are boxes or labels."""

REARRANGING = frozenset({"concat", "reshape", "flatten", "slice", "split", "permute"})

WEIGHTED = frozenset({
    "convolution", "deconvolution", "convolutiondepthwise", "depthwiseconvolution",
    "deconvolutiondepthwise", "innerproduct",
})  # fmt: skip


def is_head(layer: CaffeLayer) -> bool:
    """Return whether a layer is a metric, a loss or a selection after the result."""
    return layer.kind in HEADS or layer.kind.endswith("accuracy") or "loss" in layer.kind


class Uses:
    """The uses of the layers of a definition, by their index."""

    def __init__(self, found: Definition, known: Collection[str]) -> None:
        """`known` are the kinds of layers that become operators."""
        self.layers, self.known = found.layers, known
        self.readers: dict[Value, list[tuple[int, int]]] = defaultdict(list)
        for index, layer in enumerate(found.layers):
            for place, value in enumerate(layer.sources):
                self.readers[value].append((index, place))
        self.selects = [False] * len(found.layers)
        self.rearranges = [False] * len(found.layers)  # only what is selected
        self.reaches = [False] * len(found.layers)
        for index in reversed(range(len(found.layers))):  # readers come later
            self._set(index)

    def _set(self, index: int) -> None:
        layer = self.layers[index]
        tops = [(index, place) for place in range(len(layer.tops))]
        aside = all(self._aside(*reader) for value in tops for reader in self.readers[value])
        self.selects[index] = layer.kind in SELECTING and aside
        self.rearranges[index] = layer.kind in REARRANGING and aside
        if is_head(layer) or self.selects[index] or layer.kind in FROM_SIZES:
            return
        ends = not all(self.readers[value] for value in tops)
        feeds = any(self.feeds(value) for value in tops)
        self.reaches[index] = layer.kind in WEIGHTED or not tops or ends or feeds

    def _aside(self, at: int, place: int) -> bool:
        """Return whether a layer does not take a value, one of its inputs, into the network."""
        return (
            is_head(self.layers[at])
            or self.selects[at]
            or self.rearranges[at]
            or (self.layers[at].kind in FIRST_ALONE and place > 0)
        )

    def feeds(self, value: Value) -> bool:
        """Return whether a value is part of the network: not a label or a box.

        Data after the first value of a layer is a label if only unknown layers read it.
        """
        second = value[0] != INPUTS and value[1] > 0 and self.layers[value[0]].gives_data
        return any(
            self.reaches[at]
            and not (self.layers[at].kind in FIRST_ALONE and place > 0)
            and not (second and self.layers[at].kind not in self.known)
            for at, place in self.readers[value]
        )

"""Collects the nodes of a configuration by layer, and which of them have weights."""

from __future__ import annotations

from pathlib import Path

from archscope.errors import quoted
from archscope.importers.darknet.activations import activate
from archscope.importers.darknet.sections import Section
from archscope.importers.darknet.weights import WeightsOf
from archscope.importers.file_graph import FileGraph
from archscope.ir import Shape

EPSILON = 1e-6
"""The epsilon that darknet adds to variances."""


class Conversion:
    """The graph under construction; each layer reads the previous one, or the ones it names."""

    def __init__(self, path: Path, shape: Shape, line: int) -> None:
        self.made = FileGraph(path)
        self.weights: list[WeightsOf] = []
        self.now = self.made.input("input", shape, line)
        self.ends: list[str] = []  # the last node of each layer

    def layer(self, section: Section, option: str, index: int) -> str:
        """Return the last node of a layer that another one refers to by its index."""
        at = index + len(self.ends) if index < 0 else index
        if not 0 <= at < len(self.ends):
            raise self.made.error(
                f"'{option}' of [{section.kind}] names layer {quoted(index)}, which is not one of"
                f" the {len(self.ends)} before it",
                section.options[option][1],
            )
        return self.ends[at]

    def image(self, section: Section, title: str) -> str:
        """Return the input of a layer as a feature map: a flat vector has one position."""
        shape = self.made.shape(self.now)
        if len(shape) == 3:
            return self.now
        return self.made.add(
            f"{title}/image", section.line, "reshape", (self.now,), size=(*shape, 1, 1)
        )

    def finished(self, section: Section, title: str, node: str, default: str = "logistic") -> str:
        """Add the activation of a section and return its node."""
        name = section.word("activation", default)
        line = section.options["activation"][1] if "activation" in section else section.line
        return activate(self.made, title, line, name, node)

    def normalised(self, section: Section, title: str, node: str) -> str:
        """Add a batch norm and return its node."""
        return self.made.add(f"{title}/batchnorm", section.line, "batchnorm", (node,), eps=EPSILON)

    def weighted(self, section: Section, title: str, word: str, node: str, **given: object) -> str:
        """Add a layer with weights, with the batch norm and activation of its section."""
        normed = section.integer("batch_normalize", 0) != 0
        node = self.made.add(
            f"{title}/{word}", section.line, word, (node,), bias=not normed, **given
        )
        made = self.made.builder.nodes[node]
        if normed:
            node = self.normalised(section, title, node)
        self.weights.append(WeightsOf(word, made, node if normed else None))
        return self.finished(section, title, node)
